"""Richardson-Lucy: maximum likelihood for counts, x ← x·Hᵀ(y/Hx)/Hᵀ1, stopped in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from scipy import fft

from ..build import Forward
from ..noise import PoissonGaussian
from ..operator import Array, Operator
from ..progress import Part, Report
from .held_out import earliest, held_out, looks
from .stem_frames import counting_noise, microscope

LARGEST = 150  # iterations
# Without a sieve, noise grows fastest where least passes: frequencies count down to this gain.
LEAST_GAIN = 0.0015
# How much of the last change is added again, at most; and how far that may shrink a pixel at once,
# relative to itself and to the mean: a pixel that has reached zero never leaves it.
MOMENTUM, SHRINK, FLOOR = 0.8, 0.5, 0.01


def richardson_lucy(H: Forward, y: Array, report: Report) -> Array:
    """Iterate as long as held-out counts agree: the iteration semi-converges and would fit noise.

    Richardson (1972), Lucy (1974). Read noise enters as extra counts (Snyder et al. 1995).
    """
    noise, instrument = counting_noise(H), microscope(H)
    data = held_out(instrument, y, noise, LEAST_GAIN)
    tried = reported(updates(Step(H, data.y, data.noise)), LARGEST, Part(report, 0.0, 0.5))
    seen = looks(data, (fft.rfft2(x) for x in tried), LARGEST)
    stop = earliest(data, seen).count
    return last(updates(Step(H, y, noise)), stop, Part(report, 0.5, 1.0))


def updates(step: Step, momentum: float = MOMENTUM) -> Iterator[Array]:
    """Yield image after image, by the vector extrapolation of Biggs & Andrews (1997).

    Applied Optics 36, 1766: each update starts from the last image moved on along its last change,
    by as much as successive corrections agree, at most ``momentum``.
    """
    x = step.start()
    predicted, correction = x, np.zeros_like(x)
    floor = np.float32(FLOOR * x.mean())
    while True:
        new = step(predicted)
        before, correction = correction, new - predicted
        size = float(np.vdot(before, before))
        agreement = float(np.vdot(correction, before)) / size if size else 0.0
        onward = np.float32(min(max(agreement, 0.0), momentum))
        lowest = np.maximum(np.float32(SHRINK) * new, floor)
        predicted, x = np.maximum(new + onward * (new - x), lowest), new
        yield x


def reported(images: Iterable[Array], most: int, report: Report) -> Iterator[Array]:
    """Pass images on, reporting each as one of ``most``."""
    for i, image in enumerate(images):
        report("Richardson-Lucy", min(i / most, 1.0))
        yield image


def last(images: Iterable[Array], count: int, report: Report) -> Array:
    """Return the image after ``count`` iterations."""
    *_, x = islice(reported(images, count, report), count)
    report("Richardson-Lucy", 1.0)
    return x


class Step:
    """One multiplicative update for data with Poisson and read noise, in float32.

    A datum plus ρ = read_noise²/dose has, to second order, the statistics of counts of mean
    Hx + ρ; that is what makes the update a maximum-likelihood step for both noises.
    """

    def __init__(self, H: Operator, y: Array, noise: PoissonGaussian) -> None:
        self.H = H
        self.offset = np.float32(noise.read_noise**2 / noise.dose + noise.background)
        self.floor = max(self.offset, np.float32(1e-6)) / 4
        self.data = np.maximum(y.astype(np.float32) + self.offset, 0)
        sums = H.H(np.ones(H.out_shape, np.float32))
        self.sums = np.maximum(sums, sums.max() * np.float32(1e-3))
        self.inverse = 1 / self.sums

    def start(self) -> Array:
        """Return the flat image that explains the data's mean."""
        level = self.data.sum() / self.sums.sum()
        return np.full(self.H.in_shape, level, np.float32)

    def __call__(self, x: Array) -> Array:
        """Return the updated image."""
        mean = self.H(x)
        mean += self.offset
        np.maximum(mean, self.floor, out=mean)
        back = self.H.H(self.data / mean)
        np.maximum(back, 0, out=back)
        back *= x
        back *= self.inverse
        return back
