"""Compressed sensing of a tilt series: least squares with total variation and positivity."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..build import Forward
from ..noise import noise_of
from ..operator import Array
from ..progress import Part, Report
from .sirt import sirt
from .tv import primal_dual
from .wbp import spacing, tilt_series

# Iterations of SIRT that give the start, and of the primal-dual method from there.
WARM_UP = 15
ITERATIONS = 175
# Weight of the total variation, in units of the mean variance of the data: of 15, 30, 60, 120 and
# 240, the one with which a fit to 80 % of the counts explains the rest best, over the home scenes.
STRENGTH = 30.0
# Largest factor by which the metric undoes the probe's blur; more costs steps at the field's edge.
SHARPEST = 2.5


def cs(H: Forward, y: Array, report: Report) -> Array:
    """Minimise ½‖y − Hx‖² + λ·TV(x) over x ≥ 0, with λ in proportion to the noise in the data.

    Every datum counts alike: weighting by one over the variance reaches the same quality four times
    as slowly, because it is the vacuum that gets the weight. How near this comes to the minimum is
    in docs/decisions/tilt-series.md.
    """
    y = np.asarray(y, np.float32)
    start = sirt(H, y, WARM_UP, report=Part(report, 0.0, 0.12))
    weight, rest = STRENGTH * noise_level(H, y), Part(report, 0.12, 1.0)
    return primal_dual(H, y, weight, start, ITERATIONS, metric(H), rest)[0]


def metric(H: Forward) -> Array:
    """Return the ramp, on rfft frequencies of u, that evens out HᵀH; it undoes some blur too.

    In a slab the ramp ends where one view's strip of frequencies, as wide as one over the
    thickness, covers the neighbours'.
    """
    series = tilt_series(H)
    k = fft.rfftfreq(H.out_shape[1])
    blur = np.exp(4 * np.pi**2 * series.blur.variance.min() * k**2)
    ramp = np.maximum(k, 1 / (3 * H.in_shape[0])) * np.minimum(blur, SHARPEST)
    ramp *= spacing(series.angles).mean() / series.projection.weight**2
    return np.asarray(ramp)


def noise_level(H: Forward, y: Array) -> float:
    """Estimate the mean variance of the data from the data."""
    return float(np.mean(noise_of(H).variance(np.maximum(y, 0.0))))
