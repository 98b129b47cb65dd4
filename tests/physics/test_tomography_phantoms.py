"""The four tomography specimens."""

import numpy as np
import pytest

from modalities import physics
from modalities.physics.numerics.footprint import centres

SPEC = physics.load("electron_tomography")
SCENES = range(len(SPEC.scenes))


@pytest.mark.parametrize("index", SCENES)
def test_a_specimen_stays_in_the_field_at_every_tilt(index):
    x = physics.scene(SPEC, index, seed=5)
    iz, ix, iy = np.nonzero(x > 1e-3)
    z, u0 = centres(SPEC.shape[0])[iz], centres(SPEC.shape[1])[ix]
    for degrees in np.arange(-62, 63, 2):
        theta = np.deg2rad(degrees)
        assert np.abs(u0 * np.cos(theta) + z * np.sin(theta)).max() < SPEC.shape[1] / 2 - 3
    assert np.abs(centres(SPEC.shape[2])[iy]).max() < SPEC.shape[2] / 2 - 1


@pytest.mark.parametrize("index", SCENES)
def test_a_specimen_fills_the_range_and_depends_on_its_seed(index):
    x = physics.scene(SPEC, index)
    assert x.min() >= 0
    assert 0.8 < x.max() <= 1
    assert np.array_equal(x, physics.scene(SPEC, index))
    assert physics.psnr(x, physics.scene(SPEC, index, seed=1)) < 30


@pytest.mark.parametrize("index", SCENES)
def test_a_specimen_is_band_limited(index):
    spectrum = np.abs(np.fft.rfftn(physics.scene(SPEC, index))) ** 2
    k = np.sqrt(
        sum(
            np.reshape(f**2, [-1 if a == axis else 1 for a in range(3)])
            for axis, f in enumerate((np.fft.fftfreq(32), np.fft.fftfreq(256), np.fft.rfftfreq(64)))
        )
    )
    assert spectrum[k > 0.4].sum() < 2e-3 * spectrum.sum()
