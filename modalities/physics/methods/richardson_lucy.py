"""Richardson-Lucy: maximum likelihood for counts, x ← x·Hᵀ(y/Hx)/Hᵀ1, stopped in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np

from ..build import Forward
from ..noise import PoissonGaussian
from ..operator import Array, Operator
from ..primitives.stem import ScannedProbe
from ..progress import Part, Report
from .stem_frames import counting_noise, microscope
from .unbiased_risk import unbiased_risk

# One image or several of the same iteration.
Images = TypeVar("Images")

LARGEST = 150  # iterations
# The first EVERY images are judged and then every LOOK-th; after PATIENCE of them without a smaller
# error, the best one has been seen.
EVERY, LOOK, PATIENCE = 12, 2, 3
SEED = 21  # of simulated data: runs repeat to the bit
# How much of the last change is added again, at most; and how far that may shrink a pixel at once,
# relative to itself and to the mean: a pixel that has reached zero never leaves it.
MOMENTUM, SHRINK, FLOOR = 0.8, 0.5, 0.01


def richardson_lucy(H: Forward, y: Array, report: Report) -> Array:
    """Iterate until more iterations would fit more noise than object: it semi-converges.

    Richardson (1972), Lucy (1974). Read noise enters as extra counts (Snyder et al. 1995).
    """
    noise, instrument = counting_noise(H), microscope(H)
    data = unbiased_risk(instrument, y, noise)
    pairs = zip(iterates(H, y, noise), iterates(H, data.perturbed, noise), strict=True)
    images: list[Array] = []

    def risks() -> Iterator[float]:
        for image, other in reported(pairs, LARGEST, Part(report, 0.0, 0.7)):
            images.append(image)
            yield data.risk(image, other)

    least = best(risks())
    stop = simulated_stop(instrument, images[least], noise, least + 1, Part(report, 0.7, 1.0))
    report("Richardson-Lucy", 1.0)
    return images[stop]


def simulated_stop(
    instrument: ScannedProbe, x: Array, noise: PoissonGaussian, most: int, report: Report
) -> int:
    """Return which of the first ``most`` images comes nearest to ``x``, on data simulated from it.

    The risk is least at the best stop, or later where much hangs on what passes least. This puts it
    right (a parametric bootstrap: Efron & Tibshirani 1993, ch. 6). The simulated scan is straight,
    which halves the cost.
    """
    straight = instrument.straight()
    y = noise.sample(straight(x), np.random.default_rng(SEED))
    images = reported(islice(iterates(straight, y, noise), most), most, report)
    return best(float(np.square(image - x).sum()) for image in images)


def iterates(H: Operator, y: Array, noise: PoissonGaussian) -> Iterator[Array]:
    """Yield the images that are judged: each of the first few, then every other one."""
    for count, image in enumerate(islice(updates(Step(H, y, noise)), LARGEST), start=1):
        if count <= EVERY or count % LOOK == 0:
            yield image


def best(errors: Iterable[float]) -> int:
    """Return the index of the least error, once it has not been undercut for a while."""
    seen: list[float] = []
    for error in errors:
        seen.append(error)
        if len(seen) > PATIENCE and min(seen[-PATIENCE:]) > min(seen):
            break
    return int(np.argmin(seen))


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


def reported(images: Iterable[Images], most: int, report: Report) -> Iterator[Images]:
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
