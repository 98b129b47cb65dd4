"""A tilt series is aligned without markers: drift, turn of the axis, and how sure each is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modalities import physics
from modalities.physics import tilt_alignment as align
from modalities.physics.numerics.image_rotation import ImageRotation
from modalities.physics.operator import Array
from modalities.physics.primitives.parallel import StripProjection

ANGLES = np.arange(-76.0, 77.0, 4.0)
SLICES = (20, 108)
SIZE, LENGTH = 64, 128


def rod(rng: np.random.Generator) -> Array:
    """A rod along y of uneven mass, bent and with lumps: (SIZE, SIZE, LENGTH)."""
    z, x, y = np.meshgrid(
        *(np.arange(n) - (n - 1) / 2 for n in (SIZE, SIZE, LENGTH)), indexing="ij"
    )
    bent = 3 * np.sin(y / 30)
    f = 1 / (1 + np.exp((np.hypot(z - bent, x + bent / 2) - 12 + y / 16) * 2))
    f *= 1 + 0.4 * np.sign(np.sin(y / 5))
    for _ in range(12):
        c = rng.uniform((-6, -6, -50), (6, 6, 50))
        f += 0.8 * np.exp(-((z - c[0]) ** 2 + (x - c[1]) ** 2 + (y - c[2]) ** 2) / 8)
    return f.astype(np.float32)


def series(rng: np.random.Generator, turn: float, drift: Array) -> Array:
    """What the detector sees of the rod: the axis turned by ``turn``, each view displaced."""
    P = StripProjection((SIZE, SIZE, LENGTH), np.deg2rad(ANGLES).tolist())
    y = P(rod(rng))
    y = ImageRotation(y.shape, turn)(y)
    for axis in (1, 2):
        y = align.shifted(y, drift[:, axis - 1], axis)
    return y + rng.normal(0, 0.01 * y.max(), y.shape).astype(np.float32)


@pytest.mark.parametrize("turn", [-2.4, 0.0, 1.3])
def test_turn_and_drift_are_found(rng: np.random.Generator, turn: float) -> None:
    drift = rng.normal(0, 2, (len(ANGLES), 2))
    found = align.align(series(rng, turn, drift), ANGLES, SLICES)
    assert abs(found.rotation.value - turn) < max(0.1, 1.5 * found.rotation.half_width)
    # A common displacement, and one that follows the specimen's own turn, are the specimen's place.
    theta = np.deg2rad(ANGLES)
    gauge = np.stack([np.cos(theta), np.sin(theta), np.ones_like(theta)], 1)
    for axis, least in ((0, 0.1), (1, 0.15)):
        left = found.shifts[:, axis] + drift[:, axis]
        left = left - gauge @ np.linalg.lstsq(gauge, left, rcond=None)[0]
        assert left.std() < least


def test_interval_covers_the_truth() -> None:
    misses = []
    for seed in range(4):
        rng = np.random.default_rng([3, seed])
        turn = rng.uniform(-3, 3)
        found = align.align(series(rng, turn, np.zeros((len(ANGLES), 2))), ANGLES, SLICES)
        assert found.rotation.half_width < 0.5
        misses.append(abs(found.rotation.value - turn) > found.rotation.half_width)
    assert sum(misses) <= 1


def test_residual_of_sirt_is_least_near_the_same_turn(rng: np.random.Generator) -> None:
    y = series(rng, 1.0, np.zeros((len(ANGLES), 2)))
    turns = [-1.0, 0.0, 1.0, 2.0, 3.0]
    curve = align.rotation_curve(y, ANGLES, SLICES, 8, 48, turns)
    found = align.least(curve, turns)
    assert abs(found.value - 1.0) < max(0.3, found.half_width)


def test_whole_shift_moves_every_sample_and_the_border_goes_on(rng: np.random.Generator) -> None:
    y = rng.random((2, 16, 8)).astype(np.float32)
    moved = align.shifted(y, np.array([0.0, 3.0]), 1)
    np.testing.assert_allclose(moved[0], y[0], atol=1e-5)
    np.testing.assert_allclose(moved[1, 3:], y[1, :-3], atol=1e-5)
    np.testing.assert_allclose(moved[1, :3], y[1, [0, 0, 0]], atol=1e-5)


def test_catalogue_turns_the_axis_the_same_way(rng: np.random.Generator) -> None:
    """A turn found here is the catalogue's ``tilt_axis``, sign included."""
    spec = physics.load("electron_tomography")
    shape = (48, 48, LENGTH)
    H = physics.forward(replace(spec, shape=shape), tilt_axis=1.5)
    angles = H.steps[0].angles
    y = H(rod(rng)[8:56, 8:56])
    found = align.align(y, angles, SLICES)
    assert abs(found.rotation.value - 1.5) < max(0.2, 1.5 * found.rotation.half_width)
