"""What the table of the kernels is made of: an operation, and where its inputs come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arguments = dict[str, Any]


class Source(Protocol):
    """Where an operation's inputs come from: Hypothesis in the tests (small, ties, empties)."""

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""

    def choice(self, options: Sequence[Any]) -> Any:
        """One of `options`."""

    def array(self, shape: tuple[int, ...], dtype: Any, low: float, high: float) -> NDArray[Any]:
        """An array with values in low..high, both ends included, whole numbers for a whole dtype."""


@dataclass(frozen=True)
class Operation:
    """One kernel.

    Attributes
    ----------
    name : str
    function : callable
        The public function; takes `impl`.
    draw : callable
        Keyword arguments for `function` from a `Source`: small, with ties and empties.
    scene : callable
        Keyword arguments of real size from a density-like uint8 image, for the benches.
    columns : callable
        What `function` returned, as named arrays that must agree between the implementations.
    rtol : float
        Relative tolerance of float columns (whole numbers match exactly).
    numba : bool
        Whether there is a kernel in Numba beside the compiled one.
    """

    name: str
    function: Callable[..., Any]
    draw: Callable[[Source], Arguments]
    scene: Callable[[NDArray[np.uint8]], Arguments]
    columns: Callable[[Any], Mapping[str, NDArray[Any]]]
    rtol: float = 0.0
    numba: bool = False


def one_array(result: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
    """The columns of an operation that returns one array."""
    return {"result": result}
