"""Augmentation in front of the discriminator, of real and generated pictures alike (Zhao et al., NeurIPS 2020).

What the discriminator never sees unchanged it cannot learn by heart, and because the changes pass gradients on, the
generator does not learn to make changed pictures. They keep the class: brightness, contrast, a shift, a missing patch.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BRIGHTNESS = 0.5
"""Half range of what is added, of a range of -1 to 1."""

CONTRAST = 0.5
"""Half range of the factor about 1."""

SHIFT = 0.125
"""Half range of the shift, share of rows and of columns."""

PATCH = 0.5
"""Rows and columns of the missing patch, share of the picture's."""

BACKGROUND = -1.0


def draw_changes(n: int, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Random numbers that say how `n` pictures of `size` (rows, columns) are changed, for `diffaugment`.

    Returns
    -------
    float32 (6, n)
        What is added, the factor of the contrast, rows and columns of the shift, row and column of the patch's middle.
    """
    most = _most(size)
    drawn = (
        rng.uniform(-BRIGHTNESS, BRIGHTNESS, n),
        rng.uniform(1.0 - CONTRAST, 1.0 + CONTRAST, n),
        *(rng.integers(0, 2 * one + 1, n) for one in most),
        *(rng.integers(0, one, n) for one in size),
    )
    return np.stack(drawn).astype(np.float32)


def diffaugment(pictures: Tensor, changes: Tensor) -> Tensor:
    """Changed copies of pictures; gradients pass.

    Parameters
    ----------
    pictures : float32 (n, 1, rows, columns)
        -1 is background.
    changes : float32 (6, n)
        From `draw_changes`, on the same device.

    Returns
    -------
    float32 (n, 1, rows, columns)
    """
    added, factor = (one[:, None, None, None] for one in changes[:2])
    down, right, row, column = changes[2:].long()
    changed = pictures + added
    middle = changed.mean(dim=(1, 2, 3), keepdim=True)
    changed = _shifted((changed - middle) * factor + middle, down, right)
    inside = _patch(row, pictures.shape[2])[:, :, None] & _patch(column, pictures.shape[3])[:, None, :]
    return changed.masked_fill(inside[:, None], BACKGROUND)


def _most(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the largest shift."""
    return round(SHIFT * size[0]), round(SHIFT * size[1])


def _shifted(pictures: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Each picture shifted by whole pixels; background comes in at the rim."""
    n, _, rows, columns = pictures.shape
    most = _most((rows, columns))
    padded = torch.nn.functional.pad(pictures, (most[1], most[1], most[0], most[0]), value=BACKGROUND)
    row = torch.arange(rows, device=pictures.device)[None, :, None] + down[:, None, None]
    column = torch.arange(columns, device=pictures.device)[None, None, :] + right[:, None, None]
    return padded[torch.arange(n, device=pictures.device)[:, None, None], 0, row, column][:, None]


def _patch(middle: Tensor, length: int) -> Tensor:
    """Where the patch of each picture lies along one side, bool (n, length)."""
    along = torch.arange(length, device=middle.device)[None]
    half = int(PATCH * length) // 2
    return (along >= middle[:, None] - half) & (along < middle[:, None] + half)
