"""A first estimate from spectra: what the frames of one object say about each other.

Straight frames Y_f = h_f X + noise. At each frequency X is taken as a Gaussian of unknown variance
S, so that the vector Y has the covariance S hh* + N·1, and Whittle's negative log-likelihood
(Whittle 1953), its log-determinant included, is minimised over S in closed form:
S = max(0, |h*Y|²/g² − N/g), g = Σ|h|². What is left depends on how the frames differ, so it gives
the convergence angle (through defocus) and the scan distortion, but not a blur common to all
frames: that is left to the columns (columns.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import fft, optimize

from ..build import forward
from ..methods.stem_frames import microscope, straightened
from ..noise import noise_of
from ..operator import Array
from ..progress import Report
from ..spec import Spec
from . import Ranges

# Points of the search before it is refined; the ripple of a lattice's overlap with itself is wider.
GRID = 17
# Frequencies that pass less than this, squared and summed over frames, say nothing.
LEAST_GAIN = 1e-4


def first_estimate(
    spec: Spec, ys: Sequence[Array], ranges: Ranges, report: Report
) -> dict[str, float]:
    """Estimate every mismatch: distortion first, then the aperture; the rest at its middle."""
    theta = {name: (low + high) / 2 for name, (low, high) in ranges.items()}
    frames = [np.asarray(y, np.float32) for y in ys]
    powers = [_noise_power(spec, y) for y in ys]

    def at_distortion(name: str, value: float) -> float:
        instrument = microscope(forward(spec, **{**theta, name: value}))
        spectra = [fft.rfft2(straightened(instrument.scan, y)) for y in frames]
        return misfit(spectra, powers, instrument.transfer)

    for m in spec.mismatches:
        if m.step == "detect":
            theta[m.name] = _search(at_distortion, m.name, ranges, GRID, report)
    scan = microscope(forward(spec, **theta)).scan
    spectra = [fft.rfft2(straightened(scan, y)) for y in frames]

    def at_aperture(name: str, value: float) -> float:
        instrument = microscope(forward(spec, **{**theta, name: value}))
        return misfit(spectra, powers, instrument.transfer)

    for m in spec.mismatches:
        if m.step == "propagate":
            theta[m.name] = _search(at_aperture, m.name, ranges, 5, report)
    return theta


def misfit(spectra: Sequence[Array], powers: Sequence[float], h: Array) -> float:
    """Return twice the negative log-likelihood of all scenes, up to a constant.

    ``spectra`` are rfft2 of straight frames (frame, ky, kx), ``powers`` N per scene, ``h`` the
    frames' transfer functions.
    """
    gain = (h**2).sum(axis=0)
    heard = gain > LEAST_GAIN
    gain = gain[heard]
    twice = np.full(h.shape[1:], 2.0)
    twice[:, 0] = twice[:, -1] = 1.0
    total = 0.0
    for spectrum, n in zip(spectra, powers, strict=True):
        matched = np.abs((h * spectrum).sum(axis=0)[heard]) ** 2
        energy = (np.abs(spectrum) ** 2).sum(axis=0)[heard]
        s = np.maximum(matched / gain**2 - n / gain, 0.0)
        term = np.log1p(s * gain / n) + (energy - s * matched / (n + s * gain)) / n
        total += float(twice[heard] @ term)
    return total


def _noise_power(spec: Spec, y: Array) -> float:
    """Return E|noise|² of a frequency of one frame."""
    variance = noise_of(forward(spec)).variance(np.maximum(y, 0))
    return float(variance.mean() * y[0].size)


def _search(
    value: Callable[[str, float], float],
    name: str,
    ranges: Mapping[str, tuple[float, float]],
    points: int,
    report: Report,
) -> float:
    """Minimise over a grid, then between the neighbours of its best point."""
    grid = np.linspace(*ranges[name], points)
    values = []
    for i, x in enumerate(grid):
        report("Compare the frames' spectra", i / points)
        values.append(value(name, float(x)))
    best = int(np.argmin(values))

    def reported(x: float) -> float:
        report("Compare the frames' spectra", 1.0)
        return value(name, float(x))

    ends = grid[max(best - 1, 0)], grid[min(best + 1, points - 1)]
    tolerance = 1e-3 * (ranges[name][1] - ranges[name][0])
    found = optimize.minimize_scalar(
        reported, bounds=ends, method="bounded", options={"xatol": tolerance}
    )
    return float(found.x)
