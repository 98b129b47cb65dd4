"""Held-out counts: part of the electrons reconstructs, the rest judges the reconstruction.

Counts split into two sets whose means are shares of the whole and whose noise is uncorrelated, by
adding noise to one and taking it from the other (data thinning: Neufeld et al. 2024, J. Mach.
Learn. Res. 25, 57; for Poisson counts, binomial thinning in its first two moments; it holds for
read noise too). What fits the noise of the one set misses the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from scipy import fft, ndimage

from ..noise import PoissonGaussian
from ..operator import Array
from ..primitives.stem import ScannedProbe
from .stem_frames import frequencies, straightened

# The part of the counts that reconstructs; the seed of the split, so that runs repeat to the bit.
SHARE, SEED = 0.8, 20
# Frequencies that pass less than this, squared and summed over frames, hardly count.
LEAST_GAIN = 0.005
# Shells of |k| to 1/Å, over which the judge sums.
SHELLS = 50
# The judge looks at the first EVERY iterations and then at every LOOK-th; after PATIENCE looks
# without a smaller risk, it has seen enough.
LOOK, PATIENCE, EVERY = 2, 5, 12
NOTHING = np.zeros(1)


@dataclass(frozen=True)
class HeldOut:
    """Frames ``y`` of the first share with their ``noise``, and what the rest says.

    On rfft2 frequencies: ``shell`` numbers |k|; ``matched`` is Σ h*Y of the rest, ``fitted`` that
    of the first share, both as weighted in the risk; ``weight`` is the risk's own; ``noisy`` is the
    variance that the rest's noise gives to ``matched``.
    """

    y: Array
    noise: PoissonGaussian
    shell: Array
    weight: Array
    matched: Array
    fitted: Array
    constant: float

    def risk(self, spectrum: Array) -> float:
        """Return how far an object of this rfft2 ``spectrum`` is from the held-out counts.

        The squared distance between objects, up to a constant: the residual is deconvolved as far
        as noise permits, because it is the object that must be right, not the blurred frames.
        """
        return self.sharpened(spectrum, NOTHING)[0]

    def sharpened(self, spectrum: Array, variances: Array) -> tuple[float, float]:
        """Take one of the ``variances`` off, in Å²; return the risk after it, and that variance.

        Taking v off divides the spectrum by that of a Gaussian of variance v. Which v: held-out
        counts alone ask for too little, because part of the spectrum is noise that they do not
        have; the counts that it was fitted to share that noise and ask for too much. Their mean
        decides. All is summed over shells of equal |k| once.
        """
        real, imaginary = spectrum.real, spectrum.imag
        own = np.bincount(self.shell, (self.weight * (real**2 + imaginary**2)).ravel())
        rest, fitted = (
            np.bincount(self.shell, (m.real * real + m.imag * imaginary).ravel())
            for m in (self.matched, self.fitted)
        )
        k2 = ((np.arange(len(own)) + 0.5) / SHELLS) ** 2
        factor = np.exp(2 * np.pi**2 * np.multiply.outer(variances, k2))
        size = factor**2 @ own
        best = int(np.argmin(size - factor @ (rest + fitted)))
        risk = size[best] - 2 * factor[best] @ rest + self.constant
        return float(risk), float(variances[best])


def held_out(instrument: ScannedProbe, y: Array, noise: PoissonGaussian) -> HeldOut:
    """Split frames ``y`` (frame, y, x) into those that reconstruct and those that judge."""
    counts = noise.dose * (y + noise.background)
    mean = np.maximum(ndimage.gaussian_filter(counts, (0, 1, 1)), 0)
    spread = np.sqrt(SHARE * (1 - SHARE) * (mean + noise.read_noise**2))
    first = SHARE * counts + spread * np.random.default_rng(SEED).standard_normal(y.shape)
    one = first / (SHARE * noise.dose) - noise.background
    other = (counts - first) / ((1 - SHARE) * noise.dose) - noise.background
    h, k = instrument.transfer, frequencies(instrument)
    gain = (h**2).sum(axis=0)
    twice = np.full(k.shape, 2.0)
    twice[:, 0] = twice[:, -1] = 1.0  # the half plane's borders are in the whole one once
    weight = twice / (gain + LEAST_GAIN) ** 2
    matched, fitted = (
        (h * fft.rfft2(straightened(instrument.scan, part))).sum(axis=0) for part in (other, one)
    )
    return HeldOut(
        y=one,
        noise=replace(
            noise, dose=SHARE * noise.dose, read_noise=float(np.sqrt(SHARE)) * noise.read_noise
        ),
        shell=(k * SHELLS).astype(np.int32).ravel(),
        weight=(weight * gain**2).astype(np.float32),
        matched=(weight * gain * matched).astype(np.complex64),
        fitted=(weight * gain * fitted).astype(np.complex64),
        constant=float((weight * np.abs(matched) ** 2).sum()),
    )


@dataclass(frozen=True)
class Look:
    """What the judge saw after ``count`` iterations: its risk with the variance ``off`` off."""

    count: int
    risk: float
    off: float


def looks(
    data: HeldOut, spectra: Iterable[Array], most: int, variances: Array, beat: float
) -> list[Look]:
    """Judge the ``spectra`` of an iteration, at most so many, until their risk rises for a while.

    Each is judged with the best of ``variances`` taken off. It ends early too where going on at
    the present pace would not beat a risk of ``beat``.
    """
    seen: list[Look] = []
    for count, spectrum in enumerate(islice(spectra, most), start=1):
        if count % LOOK and count > EVERY:
            continue
        risk, off = data.sharpened(spectrum, variances)
        seen.append(Look(count, risk, off))
        if len(seen) > PATIENCE:
            before = seen[-1 - PATIENCE]
            pace = (before.risk - risk) / (count - before.count)
            if risk - pace * (most - count) > beat or before is least(seen):
                break
    return seen


def least(seen: Sequence[Look]) -> Look:
    """Return the look of least risk."""
    return min(seen, key=lambda look: look.risk)
