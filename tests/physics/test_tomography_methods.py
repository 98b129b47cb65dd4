"""Reconstructing a tilt series, on a small slab."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from modalities import physics
from modalities.physics.methods.cs import STRENGTH, metric, noise_level, solution
from modalities.physics.methods.sirt import sirt
from modalities.physics.methods.tv import (
    duality_gap,
    filtered_norm,
    gradient,
    gradient_adjoint,
)
from modalities.physics.methods.wbp import ramp, spacing
from modalities.physics.numerics.differences import ascend, descend
from modalities.physics.numerics.footprint import centres
from modalities.physics.primitives.parallel import StripProjection
from tests.needs import FULL

SPEC = physics.load("electron_tomography")
SMALL = replace(SPEC, shape=(16, 96, 16))
# Bounds the density in what says how near a minimum is.
DENSEST = 1.5


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


def relative_gap(H, y):
    """Bound how far above its minimum the objective is that CS reaches, as a part of it."""
    x, q, p = solution(H, y)
    assert x.max() < DENSEST
    weight = STRENGTH * noise_level(H, y)
    objective, gap = duality_gap(H, y.astype(np.float32), weight, x, q, p, highest=DENSEST)
    return gap / objective


def test_compressed_sensing_comes_to_its_minimum(measured):
    H, _, y = measured
    assert 0 < relative_gap(H, y) < 1e-3


@pytest.mark.skipif(not FULL, reason="half a minute for a scene of the full grid")
@pytest.mark.parametrize("index", [0, 3])
def test_compressed_sensing_comes_to_its_minimum_on_the_full_grid(index):
    y = physics.scenarios.measurement(SPEC, index, "III")
    assert 0 < relative_gap(physics.forward(SPEC, **SPEC.perturbed), y) < 1e-3


def test_the_loops_of_total_variation_do_what_numpy_does():
    rng = np.random.default_rng(3)
    x, back, found = rng.standard_normal((3, 4, 5, 6)).astype(np.float32)
    p = gradient(rng.standard_normal(x.shape).astype(np.float32))
    descend(x, back, p, np.float32(0.3), found)
    assert found == pytest.approx(np.maximum(x - 0.3 * (back + gradient_adjoint(p)), 0), abs=1e-5)
    moved = p + 0.2 * gradient(x)
    moved /= np.maximum(np.sqrt((moved**2).sum(axis=0)) / 0.7, 1)
    ascend(x, p, np.float32(0.2), np.float32(0.7))
    assert p == pytest.approx(moved, abs=1e-5)


def test_the_bound_on_an_operator_s_norm_holds(measured):
    H, _, _ = measured
    ramp = metric(H).astype(np.float32)[:, None]
    v = np.random.default_rng(1).standard_normal(H.in_shape).astype(np.float32)
    for _ in range(100):
        v /= np.linalg.norm(v)
        seen = ramp * fft.rfft(H(v), axis=1)
        v = H.H(fft.irfft(seen, H.out_shape[1], axis=1))
    assert 1 <= filtered_norm(H, metric(H)) / np.linalg.norm(v) < 1.1
