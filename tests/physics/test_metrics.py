"""The metrics mean what their definitions say."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from modalities.physics import PRIMITIVES, ShapeError, bounded, consistency, forward, psnr, ssim

from .chains import system


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


@pytest.mark.parametrize("shape", [(40, 30), (9, 12, 10)])
def test_similarity_is_that_of_scikit_image(rng, shape):
    x = rng.random(shape)
    x_hat = np.clip(x + 0.1 * rng.standard_normal(shape), 0, 1)
    expected = structural_similarity(x, x_hat, win_size=7, data_range=1.0)
    assert ssim(x, x_hat) == pytest.approx(expected, abs=1e-12)


def test_similarity_of_channels_is_the_mean_over_them(rng):
    x = rng.random((5, 12, 12))
    x_hat = np.clip(x + 0.1 * rng.standard_normal(x.shape), 0, 1)
    expected = np.mean([ssim(a, b) for a, b in zip(x, x_hat, strict=True)])
    assert ssim(x, x_hat, channels=(0,)) == pytest.approx(expected)
    turned = ssim(np.moveaxis(x, 0, -1), np.moveaxis(x_hat, 0, -1), channels=(-1,))
    assert turned == pytest.approx(expected)


def test_similarity_needs_an_axis_that_is_no_channel():
    with pytest.raises(ShapeError, match="at least one"):
        ssim(np.zeros((9,)), np.zeros((9,)), channels=(0,))


def field(rng, shape=(16, 16)):
    return rng.random(shape) * np.exp(1j * rng.uniform(0, 6, shape))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_complex_object_with_real_values_has_the_figures_of_the_real_one(metric, rng):
    x, x_hat = rng.random((2, 16, 16))
    assert metric(x + 0j, x_hat + 0j) == pytest.approx(metric(x, x_hat), abs=1e-12)
    assert metric(x + 0j, x_hat) == pytest.approx(metric(x, x_hat), abs=1e-12)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_metric_does_not_depend_on_the_phase_that_both_share(metric, rng):
    x, turn = field(rng), np.exp(2j)
    x_hat = bounded(x + 0.1 * field(rng))
    assert metric(turn * x, turn * x_hat) == pytest.approx(metric(x, x_hat), abs=1e-12)


def test_error_of_the_phase_is_an_error():
    """|1 − e^{iφ}|² = 2 − 2 cos φ; magnitudes alone would be perfect."""
    x, phi = np.ones((16, 16), complex), 0.3
    assert psnr(x, np.exp(1j * phi) * x) == pytest.approx(-10 * np.log10(2 - 2 * np.cos(phi)))
    assert ssim(x, np.exp(1j * phi) * x) == pytest.approx(np.cos(phi), abs=1e-4)


def test_opposite_phase_is_not_similar(rng):
    x = field(rng)
    assert ssim(x, x) == pytest.approx(1.0)
    assert ssim(x, -x) < 0.05
    assert ssim(np.ones((8, 8), complex), -np.ones((8, 8))) == 0.0


def test_complex_reconstruction_is_clipped_to_the_unit_disc():
    x = np.full((8, 8), np.exp(0.7j))
    assert psnr(x, 3 * x) == 100.0
    assert np.abs(bounded(np.array([0.6 + 0.6j, 3 - 4j]))) == pytest.approx([0.72**0.5, 1.0])
    assert np.array_equal(bounded(np.array([-1.0, 0.5, 2.0])), [0.0, 0.5, 1.0])


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_complex_reconstruction_of_a_real_object_is_refused(metric, rng):
    with pytest.raises(TypeError, match="real reconstruction was expected"):
        metric(rng.random((8, 8)), field(rng, (8, 8)))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_imaginary_part_that_is_not_finite_is_refused(metric):
    x = np.zeros((8, 8), complex)
    with pytest.raises(ValueError, match="not finite"):
        metric(x, x + complex(0, np.inf))


def test_consistency_counts_both_parts_of_complex_data(rng):
    H = forward(system("mri"))
    x = rng.random(H.in_shape)
    y = H(x)
    assert np.abs(y.imag).max() > 0.1
    assert consistency(y, H, x) == pytest.approx(1.0)
    assert consistency(y, H, 0.75 * x) == pytest.approx(0.75)
    assert consistency(1j * y, H, x) == 0.0
