"""Which implementation of a kernel runs."""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Literal, get_args

from karyofast.errors import NotBuiltError, OptionError

Impl = Literal["auto", "reference", "fast", "portable", "avx2", "avx512", "numba"]
"""``auto``: fast where it is built; ``reference``: the NumPy definition; ``fast``: compiled, or an error.

A compiled kernel takes the widest vectors that the processor has. ``portable``, ``avx2`` and ``avx512`` name the path
instead, or are an error where the processor lacks it; what has one path only (ridge) runs that. ``numba`` is the kernel
in Numba of an operation that has one: measured beside the C one, and never taken by itself.
"""

_IMPLS = get_args(Impl)

PATHS = ("portable", "avx2", "avx512")
"""Compiled paths, from the narrowest; their places are the numbers in csrc/cpu.h."""


def use_fast(impl: Impl, operation: str, missing: ImportError | None = None) -> bool:
    """Whether the fast side runs; `missing` is the error that importing it gave, if any.

    Raises
    ------
    OptionError
        `impl` is not one of `Impl`.
    NotBuiltError
        `impl` is neither "auto" nor "reference" and the fast side is not built.

    Warns
    -----
    RuntimeWarning
        `impl` is "auto" and the much slower reference has to stand in.

    Examples
    --------
    >>> use_fast("reference", "relevance")
    False
    """
    if impl not in _IMPLS:
        raise OptionError(f"`impl` must be one of {_IMPLS}. Got: {impl!r}.")
    if impl == "numba":
        raise OptionError(f"{operation} has no kernel in Numba. Got: impl='numba'. Pass impl='fast'.")
    if impl == "reference":
        return False
    if missing is None:
        return True
    if impl != "auto":
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


def numba_kernels() -> ModuleType:
    """The module of the kernels in Numba.

    Raises
    ------
    NotBuiltError
        Numba is not installed.
    """
    try:
        return import_module("karyofast.kernels.jit")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("karyofast"):
            raise
        raise NotBuiltError("impl='numba' needs Numba. Install it with: pip install 'karyofast[numba]'") from error


@cache  # neither the processor nor the build changes
def cpu_paths() -> tuple[str, ...]:
    """Paths of the compiled kernels that this processor can run, the widest last; empty where none is built.

    Examples
    --------
    >>> cpu_paths()[0]
    'portable'
    """
    try:
        from karyofast.kernels import _cpu
    except ImportError:
        return ()
    return tuple(path for number, path in enumerate(PATHS) if _cpu.path_there(number))


def cpu_path(impl: Impl, operation: str) -> int:
    """Number of the path that a compiled kernel takes under `impl`.

    Raises
    ------
    NotBuiltError
        `impl` names a path that this processor or this build does not have.
    """
    there = cpu_paths()
    if impl in PATHS:
        if impl not in there:
            raise NotBuiltError(
                f"{operation} cannot run its {impl} path: this processor or build has {there}. Pass impl='fast'."
            )
        return PATHS.index(impl)
    return PATHS.index(there[-1])
