"""What the methods for STEM reach on the catalogue's own scenes."""

import numpy as np
import pytest

from modalities import physics
from modalities.physics import scenarios

SPEC = physics.load("stem")
# Slower than the others: one scene has to do.
DENOISERS = ("nlm_wiener", "bm3d_wiener")


def mean(method, scenario, scenes):
    outcomes = [scenarios.run(SPEC, method, i, scenario) for i in scenes]
    return np.mean([o.psnr for o in outcomes]), np.mean([o.ssim for o in outcomes])


@pytest.mark.parametrize(
    ("method", "least"),
    [
        ("wiener", (29.0, 0.84)),
        ("nlm_wiener", (30.0, 0.81)),
        ("bm3d_wiener", (31.5, 0.85)),
        ("fista_tv", (30.8, 0.94)),
        ("richardson_lucy", (33.5, 0.96)),
        ("richardson_lucy_sieve", (37.0, 0.98)),
    ],
)
def test_method_reaches_its_mark_on_the_nominal_system(method, least):
    scenes = [1] if method in DENOISERS else range(4)
    psnr, ssim = mean(method, "I", scenes)
    assert psnr >= least[0]
    assert ssim >= least[1]


@pytest.mark.parametrize("method", ["wiener", "richardson_lucy", "richardson_lucy_sieve"])
def test_mismatch_costs_and_the_true_spec_wins_back(method):
    psnrs = [
        {s: scenarios.run(SPEC, method, i, s).psnr for s in ("I", "II", "III")} for i in range(4)
    ]
    assert scenarios.violations(psnrs) == []
    assert all(p["III"] - p["II"] > 1.0 for p in psnrs)


AVAILABLE = sorted(name for name, m in physics.METHODS["stem"].items() if m.is_available())


@pytest.mark.parametrize("method", AVAILABLE)
def test_method_says_where_it_is_and_can_be_stopped(method):
    H = physics.forward(SPEC)
    y = scenarios.measurement(SPEC, 0, "I")

    def stop(phase, fraction):
        assert phase
        assert 0 <= fraction <= 1
        raise physics.Cancelled

    with pytest.raises(physics.Cancelled):
        physics.reconstruct(method, H, y, stop)


@pytest.mark.parametrize("method", ["wiener", "richardson_lucy", "richardson_lucy_sieve"])
def test_method_is_repeatable_to_the_bit(method):
    H = physics.forward(SPEC, **SPEC.perturbed)
    y = scenarios.measurement(SPEC, 1, "III")
    first, second = (physics.reconstruct(method, H, y) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == H.in_shape
    assert np.isfinite(first).all()
