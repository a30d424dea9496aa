"""What the paper's tables and text say (Complexity, 2020), in percent."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MEASURES = ("P4", "P18", "P22", "PT")
"""Accuracy on chromosomes 4, 18, 22, and on all; the paper's text names other classes than its tables."""

TABLE1: Mapping[int, tuple[float, float, float, float]] = MappingProxyType(
    {
        0: (68.4, 60.0, 60.0, 58.9),
        50: (69.6, 72.0, 62.5, 63.5),
        100: (75.2, 71.3, 59.0, 63.1),
        150: (86.7, 70.8, 53.3, 62.8),
        200: (77.5, 66.9, 53.7, 62.0),
        250: (63.6, 60.0, 50.0, 60.5),
    }
)
"""Table 1 and Figure 11: np -> `MEASURES`."""

TABLE2: Mapping[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        "CNN": TABLE1[0],
        "CNN+50MG": TABLE1[50],
        "Two layer MLP": (58.3, 54.2, 52.9, 51.3),
        "Five layer MLP": (62.1, 55.3, 53.9, 53.1),
        "Sharma et al.": (69.2, 59.3, 61.2, 58.0),
        "Swati et al.": (70.8, 62.2, 63.2, 61.5),
    }
)
"""Table 2."""

DETECTION: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "otsu": (86.3, 87.2),
        "er-no-variance": (89.6, 95.2),
        "er-no-geometry": (88.2, 95.6),
        "er": (95.9, 94.8),
    }
)
"""Section 6.3: precision (the paper says accuracy) and recall; filter 1 is the geometry, filter 2 the variance."""
