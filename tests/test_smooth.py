import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from karyofast.smooth import smoothed


@pytest.mark.parametrize("shape", [(1,), (2,), (57,), (1, 2), (3, 2), (57, 2)])
@pytest.mark.parametrize("sigma", [0.3, 1.5, 20.0])
def test_a_line_is_smoothed_as_by_scipy(shape, sigma):
    values = np.random.default_rng(1).normal(size=shape)
    expected = gaussian_filter1d(values, sigma, axis=0, mode="nearest")
    np.testing.assert_allclose(smoothed(values, sigma), expected, rtol=0, atol=1e-12)
