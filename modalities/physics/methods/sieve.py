"""Richardson-Lucy with a sieve: the image is made of columns no narrower than a given width.

Snyder & Miller (1985), IEEE Transactions on Nuclear Science 32, 3864: x = S z with z ≥ 0 and S a
Gaussian, so that noise finer than an atomic column cannot be fitted.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..build import Forward
from ..operator import Array
from ..progress import Report
from .richardson_lucy import Step
from .stem_frames import column_transfer, counting_noise, microscope

# Å; just below the narrowest column of the class, so that it excludes no object.
WIDTH = 0.25
ITERATIONS = 150
# How much of the last change is added again, at most; and how far that may shrink a pixel at once,
# relative to itself and to the mean: a pixel that has reached zero never leaves it.
MOMENTUM, SHRINK, FLOOR = 0.8, 0.5, 0.01


def richardson_lucy_sieve(H: Forward, y: Array, report: Report) -> Array:
    """Find z by accelerated Richardson-Lucy through H·S and give S z."""
    instrument = microscope(H)
    step = Step(instrument.blurred(WIDTH), y, counting_noise(H))
    z = accelerated(step, ITERATIONS, report)
    sieve = column_transfer(instrument, WIDTH).astype(np.float32)
    return np.asarray(fft.irfft2(fft.rfft2(z) * sieve, s=H.in_shape))


def accelerated(step: Step, iterations: int, report: Report) -> Array:
    """Iterate with the vector extrapolation of Biggs & Andrews (1997), Applied Optics 36, 1766.

    Each update starts from the last image moved on along its last change, by as much as successive
    corrections agree.
    """
    z = step.start()
    predicted, correction = z, np.zeros_like(z)
    floor = np.float32(FLOOR * z.mean())
    for i in range(iterations):
        report("Richardson-Lucy with a sieve", i / iterations)
        new = step(predicted)
        last, correction = correction, new - predicted
        size = float(np.vdot(last, last))
        agreement = float(np.vdot(correction, last)) / size if size else 0.0
        momentum = np.float32(min(max(agreement, 0.0), MOMENTUM))
        lowest = np.maximum(np.float32(SHRINK) * new, floor)
        predicted, z = np.maximum(new + momentum * (new - z), lowest), new
    report("Richardson-Lucy with a sieve", 1.0)
    return z
