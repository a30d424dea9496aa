"""karyofast: metaphase images to karyotypes.

The public names load on first use, so that ``import karyofast`` costs next to nothing:

>>> import karyofast
>>> metaphase = karyofast.read_metaphase("metaphase.png")  # doctest: +SKIP
>>> karyofast.karyotype(metaphase).iscn  # doctest: +SKIP
'46,XY'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from karyofast.config import Options as Options
    from karyofast.io import read_metaphase as read_metaphase
    from karyofast.pipeline import karyotype as karyotype
    from karyofast.types import Karyotype as Karyotype
    from karyofast.types import Metaphase as Metaphase

__version__ = "0.1.0"

_HOMES = {
    "Options": "karyofast.config",
    "read_metaphase": "karyofast.io",
    "karyotype": "karyofast.pipeline",
    "Karyotype": "karyofast.types",
    "Metaphase": "karyofast.types",
}

__all__ = ["Karyotype", "Metaphase", "Options", "karyotype", "read_metaphase"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'karyofast' has no attribute {name!r}")
