"""Richardson-Lucy: maximum likelihood for counts, x ← x·Hᵀ(y/Hx)/Hᵀ1, stopped in time."""

from __future__ import annotations

import numpy as np

from ..build import Forward
from ..noise import PoissonGaussian
from ..operator import Array, Operator
from ..progress import Report
from .stem_frames import counting_noise

LARGEST, SMALLEST = 120, 20
# Every so many iterations χ² is looked at; the end is where an iteration lowers it, per datum, by
# less than the gain: what follows fits noise.
LOOK, GAIN = 4, 2.5e-4


def richardson_lucy(H: Forward, y: Array, report: Report) -> Array:
    """Iterate until the fit hardly improves: the iteration semi-converges and would fit noise.

    Richardson (1972), Lucy (1974). Read noise enters as extra counts (Snyder et al. 1995).
    """
    step = Step(H, y, counting_noise(H))
    x, before = step.start(), np.inf
    for i in range(LARGEST):
        report("Richardson-Lucy", i / LARGEST)
        x = step(x)
        if i % LOOK == 0:
            chi2 = step.chi2()
            if i >= SMALLEST and before - chi2 < LOOK * GAIN:
                break
            before = chi2
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
        self.dose = noise.dose
        self.data = np.maximum(y.astype(np.float32) + self.offset, 0)
        sums = H.H(np.ones(H.out_shape, np.float32))
        self.mean = np.zeros(H.out_shape, np.float32)
        self.sums = np.maximum(sums, sums.max() * np.float32(1e-3))
        self.inverse = 1 / self.sums

    def start(self) -> Array:
        """Return the flat image that explains the data's mean."""
        level = self.data.sum() / self.sums.sum()
        return np.full(self.H.in_shape, level, np.float32)

    def __call__(self, x: Array) -> Array:
        """Return the updated image."""
        self.mean = self.H(x)
        self.mean += self.offset
        np.maximum(self.mean, self.floor, out=self.mean)
        back = self.H.H(self.data / self.mean)
        np.maximum(back, 0, out=back)
        back *= x
        back *= self.inverse
        return back

    def chi2(self) -> float:
        """Return χ² per datum of the image that the last update started from."""
        misfit = self.data - self.mean
        return float(self.dose * np.vdot(misfit / self.mean, misfit) / misfit.size)
