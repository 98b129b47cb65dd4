"""Compressed sensing of a tilt series: least squares with total variation and positivity."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..build import Forward
from ..noise import noise_of
from ..operator import Array
from ..progress import Part, Report, silent
from .tv import primal_dual
from .wbp import spacing, tilt_series, wbp

# Iterations of the primal-dual method; how large its last step is follows from their number.
ITERATIONS = 220
# Weight of the total variation, in units of the mean variance of the data: of 15, 30, 60, 120 and
# 240, the one with which a fit to 80 % of the counts explains the rest best, over the home scenes.
STRENGTH = 30.0


def cs(H: Forward, y: Array, report: Report) -> Array:
    """Minimise ½‖y − Hx‖² + λ·TV(x) over x ≥ 0, with λ in proportion to the noise in the data.

    Every datum counts alike: weighting by one over the variance reaches the same quality four times
    as slowly, because it is the vacuum that gets the weight. How near this comes to the minimum is
    in docs/decisions/tilt-series.md.
    """
    return solution(H, y, report)[0]


def solution(H: Forward, y: Array, report: Report = silent) -> tuple[Array, Array, Array]:
    """Return what ``cs`` finds, and the duals of data and gradient that bound how far it is off."""
    y = np.asarray(y, np.float32)
    start = np.maximum(wbp(H, y, Part(report, 0.0, 0.02)), 0.0)
    weight, rest = STRENGTH * noise_level(H, y), Part(report, 0.02, 1.0)
    return primal_dual(H, y, weight, start, ITERATIONS, metric(H), rest)


def metric(H: Forward) -> Array:
    """Return the ramp, on rfft frequencies of u, that evens out HᵀH.

    In a slab a view's strip of frequencies is as wide as one over the thickness. The ramp ends
    where the whole fan of views lies within that width.
    """
    fan = spacing(tilt_series(H).angles).sum()
    ramp = np.maximum(fft.rfftfreq(H.out_shape[1]), 1 / (fan * H.in_shape[0]))
    return np.asarray(ramp)


def noise_level(H: Forward, y: Array) -> float:
    """Estimate the mean variance of the data from the data."""
    return float(np.mean(noise_of(H).variance(np.maximum(y, 0.0))))
