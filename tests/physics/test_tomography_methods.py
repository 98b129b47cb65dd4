"""Reconstructing a tilt series, on a small slab."""

from dataclasses import replace

import numpy as np
import pytest

from modalities import physics
from modalities.physics.methods.sirt import sirt
from modalities.physics.methods.wbp import ramp, spacing
from modalities.physics.numerics.footprint import centres
from modalities.physics.primitives.parallel import StripProjection

SPEC = physics.load("electron_tomography")
SMALL = replace(SPEC, shape=(16, 96, 16))


@pytest.fixture(scope="module")
def measured():
    H = physics.forward(SMALL)
    x = physics.scene(SMALL, 2)
    return H, x, physics.measure(H, x, np.random.default_rng(0))


def test_each_method_names_its_work_and_improves_on_the_one_before(measured):
    H, x, y = measured
    found = [physics.psnr(x, physics.reconstruct(m, H, y)) for m in ("wbp", "sirt", "cs")]
    assert found == sorted(found)


def test_back_projection_of_a_full_turn_returns_the_density():
    n, views = 48, 120
    angles = np.pi * np.arange(views) / views
    H = StripProjection((n, n, 1), angles)
    z, x = np.meshgrid(centres(n), centres(n), indexing="ij")
    disc = (np.hypot(z, x) < 14).astype(float)[..., None]
    kernel = np.fft.irfft(np.fft.rfft(H(disc), 2 * n, axis=1) * ramp(2 * n)[None, :, None], axis=1)
    f = H.H(kernel[:, :n] * np.pi / views)
    assert f[n // 2 - 5 : n // 2 + 5, n // 2 - 5 : n // 2 + 5].mean() == pytest.approx(1, abs=0.02)
    assert np.abs(f[n // 2, 2:6]).max() < 0.02


def test_views_are_weighted_by_the_angle_they_stand_for():
    assert np.rad2deg(spacing(np.array([-60.0, -57.5, -56.0, -53.5]))) == pytest.approx(
        [2.5, 2.0, 2.0, 2.5]
    )


def test_the_ramp_keeps_the_mean_of_an_object_smaller_than_the_field():
    assert ramp(256)[0] > 0
    assert ramp(256)[2] == pytest.approx(2 / 256, rel=0.05)


def test_sirt_beyond_its_relaxation_limit_diverges(measured):
    H, _, y = measured
    misfit = [
        np.linalg.norm(y - H(sirt(H, y, iterations=n, relaxation=2.1, positive=False)))
        for n in (60, 120)
    ]
    assert misfit[1] > 1.5 * misfit[0]


def test_sirt_within_its_limit_converges(measured):
    H, _, y = measured
    misfit = [np.linalg.norm(y - H(sirt(H, y, n, relaxation=1.5))) for n in (5, 20, 60)]
    assert misfit == sorted(misfit, reverse=True)


@pytest.mark.parametrize("method", sorted(physics.METHODS["electron_tomography"]))
def test_a_method_can_be_cancelled_between_reports(measured, method):
    H, _, y = measured
    calls = []

    def cancel(phase, fraction):
        calls.append((phase, fraction))
        if len(calls) == 2:
            raise physics.Cancelled

    with pytest.raises(physics.Cancelled):
        physics.reconstruct(method, H, y, cancel)
    assert all(phase and 0 <= fraction <= 1 for phase, fraction in calls)


def test_back_projection_has_the_scale_that_explains_the_data(measured):
    H, _, y = measured
    explained = H(np.maximum(physics.reconstruct("wbp", H, y), 0))
    assert np.vdot(explained, y - explained) == pytest.approx(0, abs=1e-4 * np.vdot(y, y))
