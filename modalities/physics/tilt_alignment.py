"""Align a measured tilt series blind: drift of each view, turn of the tilt axis, backlash.

No markers and no knowledge of the specimen. A series is y[t, u, v] as everywhere: v runs along the
nominal tilt axis, u across it, both count from the middle of the image. Two laws of any projection
are used (Helgason 1965; Ludwig 1966), for slices across the axis:

- the mass of a slice is the same in every view: this gives the drift along the axis;
- its centre of mass moves as X cos θ + Z sin θ: what is left over, the same in all views, is where
  the axis passes that slice. Over the slices these positions lie on a line, whose slope is the turn
  of the axis in the image plane.

``misfits`` looks at the same turn in another way: how well SIRT explains the series, at one turn
after another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.special import stdtrit  # the t quantile; scipy.stats takes long to import

from .methods.sirt import sirt
from .numerics.footprint import centres
from .numerics.image_rotation import ImageRotation
from .operator import Array
from .primitives.parallel import StripProjection
from .progress import Report, silent

# The turn and the drift depend on each other weakly: each round leaves a tenth of the error.
ROUNDS = 4
DRIFT_ROUNDS = 6
# Slices next to each other err alike, so that errors are judged by leaving out whole blocks.
BLOCKS = 8
ITERATIONS = 30


@dataclass(frozen=True)
class Estimate:
    """A value with the half width of its 95 % interval."""

    value: float
    half_width: float


@dataclass(frozen=True)
class Alignment:
    """What ``align`` found.

    ``rotation`` is in degrees, from u towards v, as ``tilt_axis`` of the catalogue. ``shifts``
    (views, 2) move the specimen's centre to the middle, in pixels along u and v. ``positions`` are
    where the axis passes each of ``slices`` once it is turned back, in pixels from the middle.
    ``mass`` is each view's, over the mean.
    """

    rotation: Estimate
    shifts: Array
    slices: Array
    positions: Array
    mass: Array


def align(y: Array, angles: Array, slices: tuple[int, int], report: Report = silent) -> Alignment:
    """Find drift and turn of the series ``y`` [t, u, v] at ``angles`` (degrees).

    ``slices`` bound, along v, what every view shows whole: the first, and the one after the last.
    """
    y = np.asarray(y, np.float32)
    v = centres(y.shape[2])[slice(*slices)]
    degrees = 0.0
    for i in range(ROUNDS):
        report("Alignment", i / ROUNDS)
        still, shifts = without_drift(y, degrees, slices)
        positions = axis_positions(still[:, :, slice(*slices)], angles)
        if i < ROUNDS - 1:
            degrees -= _turn(v, positions)
    error = jackknife(lambda keep: _turn(v[keep], positions[keep]), len(v))
    mass = still[:, :, slice(*slices)].sum((1, 2), dtype=float)
    return Alignment(
        Estimate(degrees - _turn(v, positions), error.half_width),
        _turned(shifts, degrees),
        v,
        positions,
        mass / mass.mean(),
    )


def without_drift(y: Array, degrees: float, slices: tuple[int, int]) -> tuple[Array, Array]:
    """Turn ``y`` back by ``degrees`` and move each view's centre of mass to the middle along u.

    Along v the views are moved until the slices' masses agree. Return the series and the shifts
    (views, 2) in the turned frame, in pixels along u and v.
    """
    turned = ImageRotation(y.shape, degrees).H(y)
    along = _drift_along(turned, slices)
    turned = shifted(turned, along, 2)
    part = turned[:, :, slice(*slices)].sum(2, dtype=float)
    across = -(part @ centres(y.shape[1])) / part.sum(1)
    return shifted(turned, across, 1), np.stack([across, along], 1)


def axis_positions(y: Array, angles: Array) -> Array:
    """Find where the axis passes each slice v of a turned, still series, in pixels along u.

    Fit X cos θ + Z sin θ + c to the slice's centre of mass: c is the position.
    """
    theta = np.deg2rad(angles)
    u = centres(y.shape[1])
    found = np.einsum("tuv,u->tv", y, u, dtype=float) / y.sum(1, dtype=float)
    waves = np.stack([np.cos(theta), np.sin(theta), np.ones_like(theta)], 1)
    return np.asarray(np.linalg.lstsq(waves, found, rcond=None)[0][2])


def misfits(y: Array, angles: Array, depth: int, iterations: int = ITERATIONS) -> Array:
    """Return ‖y − P x̂‖² of each slice v, x̂ by SIRT on ``depth`` layers, and ‖y‖²: (2, slices)."""
    P = StripProjection((depth, y.shape[1], y.shape[2]), np.deg2rad(angles).tolist())
    left = y - P(sirt(P, y, iterations))
    return np.stack([(a.astype(float) ** 2).sum((0, 1)) for a in (left, y)])


def rotation_curve(
    y: Array,
    angles: Array,
    slices: tuple[int, int],
    every: int,
    width: int,
    turns: Sequence[float],
    report: Report = silent,
) -> Array:
    """Return ``misfits`` of every ``every``-th slice at each of ``turns``: (turns, 2, slices).

    The views are cut to ``width`` pixels about the specimen's centre, and so is the depth.
    """
    found = []
    for i, degrees in enumerate(turns):
        report("Residual against rotation", i / len(turns))
        still, _ = without_drift(y, degrees, slices)
        found.append(misfits(middle(still, width)[:, :, slice(*slices, every)], angles, width))
    return np.stack(found)


def backlash_curve(
    y: Array, angles: Array, width: int, errors: Sequence[float], report: Report = silent
) -> Array:
    """Return ``misfits`` of the still series ``y``, its odd views tilted further by ``errors``.

    In degrees; the result is (errors, 2, slices).
    """
    odd = np.arange(len(angles)) % 2
    found = []
    for i, error in enumerate(errors):
        report("Residual against backlash", i / len(errors))
        found.append(misfits(middle(y, width), angles + error * odd, width))
    return np.stack(found)


def least(curve: Array, at: Sequence[float]) -> Estimate:
    """Find where a curve of ``misfits`` (at, 2, slices) is least: a parabola through all of it."""

    def vertex(keep: Array) -> float:
        share = curve[:, 0, keep].sum(1) / curve[:, 1, keep].sum(1)
        a, b, _ = np.polyfit(at, share, 2)
        return float(-b / (2 * a))

    return jackknife(vertex, curve.shape[2])


def jackknife(estimate: Callable[[Array], float], count: int) -> Estimate:
    """Estimate from all of ``count`` slices; the interval is from leaving out blocks of them.

    ``estimate`` takes which slices to keep. Delete-a-block jackknife (Künsch 1989), with Student's
    factor for so many blocks.
    """
    block = np.arange(count) * BLOCKS // count
    parts = np.array([estimate(block != b) for b in range(BLOCKS)])
    variance = (BLOCKS - 1) / BLOCKS * np.sum((parts - parts.mean()) ** 2)
    factor = stdtrit(BLOCKS - 1, 0.975)
    return Estimate(estimate(np.ones(count, bool)), float(factor * np.sqrt(variance)))


def shifted(y: Array, pixels: Array, axis: int) -> Array:
    """Shift each view along ``axis`` (1: u, 2: v) by its number of pixels; the border goes on."""
    n = y.shape[axis]
    around = [(0, 0)] * 3
    around[axis] = (n // 2, n // 2)
    wide = np.pad(y, around, "edge")
    # A step where the ends meet would ring through the image: the second copy runs backwards.
    wide = np.concatenate([wide, np.flip(wide, axis)], axis)
    k = fft.rfftfreq(wide.shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)])
    phase = np.exp(-2j * np.pi * pixels[:, None, None] * k).astype(np.complex64)
    moved = fft.irfft(fft.rfft(wide, axis=axis) * phase, wide.shape[axis], axis=axis)
    return np.ascontiguousarray(np.take(moved, np.arange(n // 2, n // 2 + n), axis))


def middle(y: Array, width: int) -> Array:
    """Cut ``width`` pixels along u out of the middle."""
    start = (y.shape[1] - width) // 2
    return y[:, start : start + width]


def _drift_along(y: Array, slices: tuple[int, int]) -> Array:
    """Return the shifts along v that make the slices' masses agree between views."""
    mass = y.sum(1, keepdims=True, dtype=np.float32)
    shifts = np.zeros(len(y))
    for _ in range(DRIFT_ROUNDS):
        here = shifted(mass, shifts, 2)[:, 0, slice(*slices)]
        mean = here.mean(0)
        basis = np.stack([mean, -np.gradient(mean)], 1)
        gain, moved = np.linalg.lstsq(basis, here.T, rcond=None)[0]
        shifts -= moved / gain
        shifts -= shifts.mean()
    return shifts


def _turn(v: Array, positions: Array) -> float:
    """Return the slope of the axis across the slices, in degrees."""
    return float(np.degrees(np.arctan(np.polyfit(v, positions, 1)[0])))


def _turned(shifts: Array, degrees: float) -> Array:
    """Carry shifts (u, v) of turned images back to the images as they were recorded."""
    phi = np.deg2rad(degrees)
    u, v = shifts.T
    return np.stack([u * np.cos(phi) - v * np.sin(phi), u * np.sin(phi) + v * np.cos(phi)], 1)
