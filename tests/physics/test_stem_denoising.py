"""BM3D, and making the noise of counts uniform."""

import numpy as np
import pytest

from modalities.physics import Cancelled, psnr
from modalities.physics.methods.anscombe import expected_counts, stabilised
from modalities.physics.methods.bm3d import SEARCH, SIDE, bm3d, match
from modalities.physics.progress import silent


def pattern(ny, nx):
    y, x = np.indices((ny, nx))
    return 0.5 + 0.25 * np.sin(x / 2.5) * np.cos(y / 3.1) + 0.2 * (x > nx // 2)


def test_bm3d_removes_most_of_the_noise_of_a_repeating_pattern():
    clean = pattern(72, 90)
    noisy = clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape)
    denoised = bm3d(noisy, 0.1)
    assert denoised.shape == clean.shape
    assert psnr(clean, denoised) > psnr(clean, noisy) + 9


def test_bm3d_scales_with_its_image_and_leaves_a_flat_one_alone():
    noisy = pattern(48, 50) + 0.1 * np.random.default_rng(1).standard_normal((48, 50))
    np.testing.assert_allclose(bm3d(1000 * noisy, 100.0), 1000 * bm3d(noisy, 0.1), rtol=1e-3)
    np.testing.assert_allclose(bm3d(np.full((40, 44), 3.0), 0.1), 3.0, rtol=1e-5)


def test_matching_equals_a_plain_search():
    image = np.random.default_rng(2).random((30, 26)).astype(np.float32)
    places, distances = match(image, 6, silent)
    ny, nx = (n - SIDE + 1 for n in image.shape)
    patches = np.array([image[i : i + SIDE, j : j + SIDE] for i in range(ny) for j in range(nx)])
    for row, place in enumerate(places):
        y, x = divmod(int(place[0]), nx)
        near = [
            float(((patches[place[0]] - patches[i * nx + j]) ** 2).mean())
            for i in range(max(0, y - SEARCH), min(ny, y + SEARCH + 1))
            for j in range(max(0, x - SEARCH), min(nx, x + SEARCH + 1))
        ]
        np.testing.assert_allclose(distances[row], np.sort(near)[:6], atol=1e-5)
    assert np.all(distances[:, 0] == 0)


def test_bm3d_stops_when_told_to():
    def stop(phase, fraction):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        bm3d(pattern(40, 40), 0.1, stop)


@pytest.mark.parametrize("mean", [2.0, 10.0, 80.0])
def test_stabilised_noise_has_unit_variance_and_its_inverse_no_bias(mean):
    rng = np.random.default_rng(3)
    counts = rng.poisson(mean, 200_000) + 2.0 * rng.standard_normal(200_000)
    values = stabilised(counts, 2.0)
    assert values.std() == pytest.approx(1.0, abs=0.05)
    assert expected_counts(values.mean(), 2.0) == pytest.approx(mean, abs=0.05 + 0.01 * mean)
