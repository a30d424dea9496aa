import os
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real data: KARYOFAST_DATA, by default ../shared/data beside the repository."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("KARYOFAST_DATA", "../shared/data"))
    return folder if folder.is_absolute() else (root / folder).resolve()


@pytest.fixture(scope="session")
def pictures(data_dir):
    """Density images: one of each real set and one drawn, 1280 x 1024."""
    folder = data_dir
    gband = cv2.imread(str(folder / "gband" / "annotated" / "1071262.jpg"), cv2.IMREAD_GRAYSCALE)
    mfish = cv2.imread(str(folder / "mfish" / "A0502XY_dapi.png"), cv2.IMREAD_GRAYSCALE)
    if gband is None or mfish is None:
        pytest.fail(f"KARYOFAST_DATA must name the folder of gband and mfish. Got: {folder}.")
    return {"gband": 255 - gband, "mfish": mfish, "drawn": drawn_metaphase()}


def drawn_metaphase(height=1024, width=1280):
    """46 banded rods in random directions on an uneven, noisy background, cut or repeated to `height` x `width`."""
    drawn = _drawn_once()
    tiled = np.tile(drawn, (-(-height // drawn.shape[0]), -(-width // drawn.shape[1])))
    return np.ascontiguousarray(tiled[:height, :width])


def _drawn_once():
    rng = np.random.default_rng(46)
    density = np.zeros((1024, 1280), dtype=np.uint8)
    for place in range(46):
        centre = np.array([150 + 125 * (place % 8), 130 + 140 * (place // 8)]) + rng.integers(-20, 21, 2)
        angle, half = rng.uniform(0, np.pi), int(rng.integers(15, 45))
        step = np.array([np.cos(angle), np.sin(angle)])
        for along in range(-half, half, 6):
            start, end = centre + along * step, centre + (along + 5) * step
            cv2.line(density, start.astype(int).tolist(), end.astype(int).tolist(), int(rng.integers(110, 190)), 16)
    smooth = cv2.GaussianBlur(density, (0, 0), 2).astype(np.float64)
    uneven = np.linspace(10, 35, 1280)[None, :]
    return np.clip(smooth + uneven + rng.normal(0, 3, density.shape), 0, 255).astype(np.uint8)
