"""The metrics mean what their definitions say."""

import numpy as np
import pytest

from modalities.physics import PRIMITIVES, ShapeError, consistency, psnr, ssim


def test_offset_of_a_tenth_is_twenty_decibels():
    assert psnr(np.zeros((8, 8)), np.full((8, 8), 0.1)) == pytest.approx(20.0)


def test_perfect_reconstruction_is_capped_at_a_hundred_decibels(rng):
    x = rng.random((8, 8))
    assert psnr(x, x) == 100.0
    assert psnr(x, x + 1e-9) == 100.0


def test_reconstruction_is_clipped_before_it_is_compared():
    x = np.ones((8, 8))
    assert psnr(x, x + 5.0) == 100.0
    assert ssim(x, x + 5.0) == pytest.approx(1.0)


def test_data_range_is_one_whatever_the_object():
    x = np.full((8, 8), 0.5)
    assert psnr(x / 10, x / 10 + 0.01) == pytest.approx(40.0)


def test_scaled_reconstruction_is_not_forgiven(rng):
    x = rng.random((16, 16))
    assert psnr(x, x / 2) < 15
    assert ssim(x, x / 2) < 0.9


@pytest.mark.parametrize("shape", [(9, 9), (8, 9, 10)])
def test_similarity_of_two_even_arrays_has_a_closed_form(shape):
    """Wang et al. 2004, eq. 13 without variances: (2ab + C1)/(a² + b² + C1), C1 = 0.01²."""
    a, b, c1 = 0.5, 0.8, 0.01**2
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    assert ssim(np.full(shape, a), np.full(shape, b)) == pytest.approx(expected)


def test_similarity_of_a_volume_sees_all_three_axes(rng):
    flat = np.broadcast_to(rng.random((12, 12)), (12, 12, 12)).copy()
    shuffled = flat.copy()
    shuffled[::2] = 1 - shuffled[::2]
    assert ssim(flat, shuffled) < 0.7
    assert ssim(flat, flat) == pytest.approx(1.0)


def test_similarity_needs_seven_samples_along_every_axis():
    with pytest.raises(ShapeError, match="at least 7 samples"):
        ssim(np.zeros((6, 20)), np.zeros((6, 20)))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_wrong_shape_is_refused(metric):
    with pytest.raises(ShapeError, match=r"\(8, 8\) was expected, got \(8, 9\)"):
        metric(np.zeros((8, 8)), np.zeros((8, 9)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("metric", [psnr, ssim])
def test_values_that_are_not_finite_are_refused(metric, bad):
    x_hat = np.zeros((8, 8))
    x_hat[3, 3] = bad
    with pytest.raises(ValueError, match="not finite"):
        metric(np.zeros((8, 8)), x_hat)


def test_consistency_is_one_less_the_relative_residual(rng):
    H = PRIMITIVES["detect"]["counts"]((5, 5), dose=1.0, gain=2.0)
    x = rng.random((5, 5))
    y = H(x)
    assert consistency(y, H, x) == pytest.approx(1.0)
    assert consistency(y, H, 0.75 * x) == pytest.approx(0.75)
    assert consistency(y, H, 0 * x) == 0.0
    assert consistency(y, H, -x) == 0.0


def test_consistency_with_no_data_at_all():
    H = PRIMITIVES["detect"]["counts"]((5, 5), dose=1.0)
    assert consistency(np.zeros((5, 5)), H, np.zeros((5, 5))) == 1.0
    assert consistency(np.zeros((5, 5)), H, np.ones((5, 5))) == 0.0
    with pytest.raises(ShapeError, match="expected data of shape"):
        consistency(np.zeros((5, 1)), H, np.ones((5, 5)))
