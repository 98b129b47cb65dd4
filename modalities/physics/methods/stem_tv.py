"""Total variation for STEM frames, whose noise grows with the signal."""

from __future__ import annotations

import numpy as np

from ..build import Forward
from ..numerics.weights import Weights
from ..operator import Array, Chain
from ..progress import Report
from .stem_frames import counting_noise
from .tv import least_squares
from .wiener import wiener

# Weight of the total variation beside a misfit in units of the noise.
WEIGHT = 0.8
# Few on purpose: atomic columns are not flat, and the minimum itself has steps at their flanks.
ITERATIONS = 60


def fista_tv(H: Forward, y: Array, report: Report) -> Array:
    """Minimise ½‖W(y − Hx)‖² + λ·TV(x) over x ≥ 0 from Wiener's result, W one over the noise."""
    start = np.maximum(wiener(H, y, lambda phase, fraction: report(phase, 0.0)), 0)
    deviation = np.sqrt(counting_noise(H).variance(np.maximum(H(start), 0)))
    inverse = np.asarray(1 / deviation, np.float32)
    weighted = Chain([*H.steps, Weights(H.out_shape, inverse)])
    data = inverse * y.astype(np.float32)
    return least_squares(weighted, data, WEIGHT, start, ITERATIONS, report=report)
