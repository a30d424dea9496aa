import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from karyofast.distance import to_nearest_zero


@given(arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(2, 30))))
def test_distances_are_those_of_scipy_to_the_last_bit(mask):
    mask[0, 0] = False
    assert np.array_equal(to_nearest_zero(mask), distance_transform_edt(mask))


def test_a_second_run_gives_the_same_bytes():
    mask = np.random.default_rng(0).random((300, 200)) < 0.99
    assert to_nearest_zero(mask).tobytes() == to_nearest_zero(mask.copy()).tobytes()
