import cv2
import numpy as np
import pytest

from karyofast.errors import ImageError
from karyofast.png import encoded


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (5, 7, 3), (300, 401, 3)])
@pytest.mark.parametrize("kind", ["noise", "flat", "slope"])
def test_another_program_reads_back_the_same_pixels(shape, kind):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    if kind != "noise":
        image[...] = 7 if kind == "flat" else np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1)) % 256
    read = cv2.imdecode(np.frombuffer(encoded(image), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read if image.ndim == 2 else read[..., ::-1], image)


def test_a_drawing_is_packed():
    drawn = np.full((400, 400, 3), 255, np.uint8)
    cv2.line(drawn, (10, 20), (380, 300), (200, 30, 30), 3, cv2.LINE_AA)
    assert len(encoded(drawn)) < 10_000


@pytest.mark.parametrize("image", [np.zeros((0, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5))])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ImageError, match="PNG must"):
        encoded(image)
