"""Runs of hand-made cells, whose pictures lie beside them: bars of a given karyotype each."""

import cv2
import numpy as np
import pytest
from karyotypes import bars, karyotype, label

from karyofast import batch, report


def made(text: str, name: str, sure: float = 0.97, doubted: int = 0):
    """A cell of bars, whose first `doubted` chromosomes a classifier would not be sure of."""
    crops, names = bars(text)
    labels = [label(one, 0.15 if number < doubted else sure) for number, one in enumerate(names)]
    return karyotype(crops, labels, name)


def run_of(folder, cells, **settings):
    """Write the picture of each cell and run them into `folder`/run; the karyotypes by the pictures' names."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [folder / f"{name}.png" for name in cells]
    for path in pictures:
        cv2.imwrite(str(path), cells[path.stem].metaphase.grey)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report.view, "karyogram", lambda karyotype, options: np.zeros((3, 9, 3), np.uint8))
        patch.setattr(report.view, "overlay", lambda karyotype: np.zeros((4, 8, 3), np.uint8))
        batch.run(pictures, folder / "run", analyse=lambda metaphase: cells[metaphase.name], **settings)
    return folder / "run"
