"""Pictures and folders at URLs (s3://, gs://, ...), through fsspec; a picture is read from a temporary copy."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from karyofast.errors import ImageError, KaryofastError, NotBuiltError, OptionError
from karyofast.io import SUFFIXES, expand_inputs


def is_url(name: Path | str) -> bool:
    """Whether a name is a URL; a Path never is.

    Examples
    --------
    >>> is_url("s3://bucket/slides"), is_url("slides/a.png")
    (True, False)
    """
    return isinstance(name, str) and "://" in name


def name_of(url: str) -> str:
    """The last part of a URL's path."""
    return PurePosixPath(url).name


def at(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL and the path in it; nothing that it lists is remembered.

    Raises
    ------
    NotBuiltError
        fsspec, or what it needs for this kind of URL, is not installed.
    OptionError
        A kind of URL that fsspec does not know.
    """
    try:
        from fsspec.core import url_to_fs

        found: tuple[Any, str] = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise NotBuiltError(f"{url}: {error}. For s3:// install it: pip install 'karyofast[s3]'.") from error
    except ValueError as error:
        raise OptionError(f"{url}: {error}. Name a URL that fsspec knows, as s3://BUCKET/FOLDER.") from error
    return found


@contextmanager
def told(kind: type[KaryofastError], url: str, doing: str) -> Iterator[None]:
    """Turn whatever the library behind a file system raises into an error that names the URL."""
    try:
        yield
    except KaryofastError:
        raise
    except FileNotFoundError as error:
        raise kind(f"{url}: cannot be {doing}: No such file.") from error
    except Exception as error:  # each file system has errors of its own library, beside those of the network
        raise kind(f"{url}: cannot be {doing}: {type(error).__name__}: {error}.") from error


def expand(inputs: Sequence[str]) -> list[Path | str]:
    """The pictures that files, folders and globs name, here or at URLs; those here first.

    As `karyofast.io.expand_inputs` does it; file:// is taken for a path.

    Raises
    ------
    ImageError
        A folder or a pattern without pictures, or one that cannot be listed.
    """
    inputs = [_local(one) for one in inputs]
    here = [one for one in inputs if not is_url(one)]
    found: list[Path | str] = list(expand_inputs(here)) if here or not inputs else []
    for url in (one for one in inputs if is_url(one)):
        found += _named_by(url)
    return list(dict.fromkeys(found))


def _local(name: str) -> str:
    return at(name)[1] if name.startswith(("file://", "local://")) else name


def _named_by(url: str) -> list[str]:
    files, path = at(url)
    with told(ImageError, url, "listed"):
        if glob.has_magic(path) and not files.exists(path):
            names = files.glob(path)
        elif files.isdir(path):
            names = [one["name"] for one in files.ls(path, detail=True) if one["type"] == "file"]
        else:
            return [url]
    pictures = sorted(name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES)
    if not pictures:
        raise ImageError(f"{url}: no pictures there ({', '.join(SUFFIXES)}).")
    return [files.unstrip_protocol(name) for name in pictures]


def facts(url: str) -> dict[str, Any]:
    """Size and version of the file at a URL, which change when it is replaced; raises `ImageError` where none is."""
    files, path = at(url)
    with told(ImageError, url, "read"):
        return {"bytes": files.size(path), "version": files.ukey(path)}


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """A temporary file of the same name with what lies at a URL; raises `ImageError` where it cannot be read."""
    files, path = at(url)
    with TemporaryDirectory(prefix="karyofast-") as folder:
        copy = Path(folder) / name_of(url)
        with told(ImageError, url, "read"):
            files.get_file(path, str(copy))
        yield copy
