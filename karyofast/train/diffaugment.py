"""Augmentation in front of the discriminator, of real and generated pictures alike (Zhao et al., NeurIPS 2020).

What the discriminator never sees unchanged it cannot learn by heart, and because the changes pass gradients on, the
generator does not learn to make changed pictures. They keep the class: brightness, contrast, a shift, a missing patch.
"""

from __future__ import annotations

import numpy as np
import torch
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


def diffaugment(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Changed copies of pictures; gradients pass.

    Parameters
    ----------
    pictures : float32 (n, 1, rows, columns)
        -1 is background.
    rng : numpy.random.Generator

    Returns
    -------
    float32 (n, 1, rows, columns)
    """
    n, _, rows, columns = pictures.shape

    def drawn(low: float, high: float) -> Tensor:
        values = rng.uniform(low, high, n).astype(np.float32)
        return torch.from_numpy(values).to(pictures.device)[:, None, None, None]

    changed = pictures + drawn(-BRIGHTNESS, BRIGHTNESS)
    middle = changed.mean(dim=(1, 2, 3), keepdim=True)
    changed = (changed - middle) * drawn(1.0 - CONTRAST, 1.0 + CONTRAST) + middle
    changed = _shifted(changed, rng)
    inside = _patch(n, rows, rng, changed.device)[:, :, None] & _patch(n, columns, rng, changed.device)[:, None, :]
    return torch.where(inside[:, None], torch.full_like(changed, BACKGROUND), changed)


def _shifted(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Each picture shifted by whole pixels; background comes in at the rim."""
    n, _, rows, columns = pictures.shape
    most = round(SHIFT * rows), round(SHIFT * columns)
    down, right = (torch.from_numpy(rng.integers(0, 2 * one + 1, n)).to(pictures.device) for one in most)
    padded = torch.nn.functional.pad(pictures, (most[1], most[1], most[0], most[0]), value=BACKGROUND)
    row = torch.arange(rows, device=pictures.device)[None, :, None] + down[:, None, None]
    column = torch.arange(columns, device=pictures.device)[None, None, :] + right[:, None, None]
    return padded[torch.arange(n, device=pictures.device)[:, None, None], 0, row, column][:, None]


def _patch(n: int, length: int, rng: np.random.Generator, device: torch.device) -> Tensor:
    """Where the patch of each picture lies along one side, bool (n, length); its middle is anywhere."""
    middle = torch.from_numpy(rng.integers(0, length, n)).to(device)[:, None]
    along = torch.arange(length, device=device)[None]
    half = int(PATCH * length) // 2
    return (along >= middle - half) & (along < middle + half)
