"""The tomography specimens, at home and away."""

import numpy as np
import pytest

from modalities import physics
from modalities.physics.numerics.footprint import centres

SPEC = physics.load("electron_tomography")
HOME = len(SPEC.scenes)
SAMPLES = [("public", i) for i in range(8)] + [("dev", i) for i in range(HOME, 8)]
BLACKEST = 20.0


@pytest.fixture(scope="module", params=SAMPLES, ids=lambda s: f"{s[0]}-{s[1]}")
def sample(request):
    tier, index = request.param
    return tier, index, physics.scene(SPEC, index, seed=5, tier=tier)


def test_specimen_stays_in_the_field_at_every_tilt(sample):
    """Also with the widest probe, and the image turned by the hidden tier's largest axis error."""
    x = sample[-1]
    iz, ix, iy = np.nonzero(x > 0.02)
    z, u0, y = (centres(n)[i] for n, i in zip(SPEC.shape, (iz, ix, iy), strict=True))
    margin = np.deg2rad(0.7)
    for degrees in np.arange(-60, 61, 4):
        theta = np.deg2rad(degrees)
        u = u0 * np.cos(theta) + z * np.sin(theta)
        probe = np.sqrt(0.25 + (0.01 * u * np.tan(theta)) ** 2)
        assert np.abs(u).max() < SPEC.shape[1] / 2 - 3
        assert (np.abs(y) + margin * np.abs(u) + probe).max() < SPEC.shape[2] / 2
    assert np.abs(z).max() < SPEC.shape[0] / 2 - 1


def test_specimen_fills_the_range_and_depends_on_its_seed(sample):
    tier, index, x = sample
    assert x.min() >= 0
    assert 0.8 < x.max() <= 1
    assert np.array_equal(x, physics.scene(SPEC, index, seed=5, tier=tier))
    assert physics.psnr(x, physics.scene(SPEC, index, seed=1, tier=tier)) < 30


def test_black_volume_scores_badly(sample):
    x = sample[-1]
    assert physics.psnr(x, np.zeros(SPEC.shape)) < BLACKEST


def test_specimen_is_band_limited(sample):
    spectrum = np.abs(np.fft.rfftn(sample[-1])) ** 2
    *slow, last = SPEC.shape
    frequencies = [*(np.fft.fftfreq(n) for n in slow), np.fft.rfftfreq(last)]
    k2 = sum(
        np.reshape(f**2, [-1 if a == axis else 1 for a in range(3)])
        for axis, f in enumerate(frequencies)
    )
    assert spectrum[k2 > 0.4**2].sum() < 2e-3 * spectrum.sum()


def test_away_kinds_of_the_public_tier_are_not_those_of_the_others():
    public, dev, hidden = (SPEC.samples(tier)[HOME:] for tier in ("public", "dev", "hidden"))
    assert dev == hidden
    assert len(public) == len(dev) == 4
    assert not {s.phantom for s in public} & {s.phantom for s in dev}
