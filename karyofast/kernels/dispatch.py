"""Which implementation of a kernel runs."""

from __future__ import annotations

import warnings
from typing import Literal, get_args

from karyofast.errors import NotBuiltError, OptionError

Impl = Literal["auto", "reference", "fast"]
"""``auto``: fast where it is built; ``reference``: the NumPy definition; ``fast``: compiled, or an error."""


def use_fast(impl: Impl, operation: str, missing: ImportError | None = None) -> bool:
    """Whether the fast side runs; `missing` is the error that importing it gave, if any.

    Raises
    ------
    OptionError
        `impl` is none of the three.
    NotBuiltError
        `impl` is "fast" and the fast side is not built.

    Warns
    -----
    RuntimeWarning
        `impl` is "auto" and the much slower reference has to stand in.

    Examples
    --------
    >>> use_fast("reference", "relevance")
    False
    """
    if impl not in get_args(Impl):
        raise OptionError(f"`impl` must be one of {get_args(Impl)}. Got: {impl!r}.")
    if impl == "reference":
        return False
    if missing is None:
        return True
    if impl == "fast":
        raise NotBuiltError(
            f"The compiled kernel of {operation} is not here ({missing}). "
            "Build it with `pip install -e .`, or pass impl='reference'."
        )
    warnings.warn(
        f"The compiled kernel of {operation} is not built; the slow reference runs. Build it with `pip install -e .`.",
        RuntimeWarning,
        stacklevel=3,
    )
    return False
