"""The error of an image against an object nobody knows, estimated from the data.

Stein (1981) showed how: an image x̂(y) agrees with the noise n of its data by E⟨x̂, n⟩ = tr(Σ ∂x̂/∂y),
and what is left of its agreement with the data is agreement with the object. Behind a blur this
holds for the frequencies that pass (Eldar 2009, IEEE Trans. Signal Process. 57, 471). The trace
follows from one more reconstruction, of data with a little more noise b: the image answers with
J b, and E⟨J b, b⟩ is the trace (Ramani, Blu & Unser 2008, IEEE Trans. Image Process. 17, 1540).
J b shows as well how much noise the image holds at frequencies that do not pass. Its signal there
is extrapolated: it falls short of the object's by the same Gaussian exp(−2π²v k²) as in the band.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from ..noise import PoissonGaussian
from ..operator import Array
from ..primitives.stem import ScannedProbe
from .stem_frames import frequencies, straightened

# Frequencies that pass less than this, squared and summed over frames, are extrapolated.
LEAST_GAIN = 0.0005
# Shells of |k| to 1/Å, over which sums are taken.
SHELLS = 50
# v in Å², and the largest factor by which it may raise a spectrum.
VARIANCES = np.linspace(-0.025, 0.1, 251)
LARGEST_FACTOR = 1e4
# The noise that is added, relative to that of the data, and its seed: runs repeat to the bit.
ADDED, SEED = 0.2, 20


@dataclass(frozen=True)
class UnbiasedRisk:
    """Frames ``y`` with a little more noise, ``perturbed``, and what tells an image's risk.

    On rfft2 frequencies: ``shell`` numbers |k|; ``heard`` and ``hidden`` weigh what passes and what
    does not; ``deconvolved`` is Σ h*Y over Σ h², as heard, and ``noise`` that of the added noise b.
    """

    perturbed: Array
    shell: Array
    heard: Array
    hidden: Array
    deconvolved: Array
    noise: Array

    def risk(self, image: Array, other: Array) -> float:
        """Return the squared distance of ``image`` from the object, up to a constant.

        ``other`` is the image of the ``perturbed`` data.
        """
        found = fft.rfft2(image)
        answer = fft.rfft2((other - image) / np.float32(ADDED))  # J b
        power = _power(found)
        signal = power - _power(answer)
        own = np.maximum(self._sums(self.heard * signal), 0)
        fitted = self._sums(_inner(self.deconvolved, found) - _inner(self.noise, answer))
        k2 = ((np.arange(len(own)) + 0.5) / SHELLS) ** 2
        raised = np.exp(2 * np.pi**2 * np.multiply.outer(VARIANCES, k2))
        np.minimum(raised, LARGEST_FACTOR, out=raised)
        raise_by = raised[np.argmin(raised**2 @ own - 2 * raised @ fitted)]
        agreement = fitted + raise_by * self._sums(self.hidden * signal)
        return float(((self.heard + self.hidden) * power).sum() - 2 * agreement.sum())

    def _sums(self, values: Array) -> Array:
        return np.bincount(self.shell, values.ravel())


def unbiased_risk(instrument: ScannedProbe, y: Array, noise: PoissonGaussian) -> UnbiasedRisk:
    """Prepare the risk of images of the frames ``y`` (frame, y, x)."""
    mean = np.maximum(ndimage.gaussian_filter(y, (0, 1, 1)), -noise.background)
    spread = np.sqrt(noise.variance(mean))
    b = spread * np.random.default_rng(SEED).standard_normal(y.shape)
    h, k = instrument.transfer, frequencies(instrument)
    gain = (h**2).sum(axis=0)
    twice = np.full(k.shape, 2.0)
    twice[:, 0] = twice[:, -1] = 1.0  # the half plane's borders are in the whole one once
    heard = twice * (gain / (gain + LEAST_GAIN)) ** 2
    deconvolved, added = (
        twice
        * gain
        / (gain + LEAST_GAIN) ** 2
        * (h * fft.rfft2(straightened(instrument.scan, part))).sum(axis=0)
        for part in (y, b)
    )
    return UnbiasedRisk(
        perturbed=y + ADDED * b,
        shell=(k * SHELLS).astype(np.int32).ravel(),
        heard=heard.astype(np.float32),
        hidden=(twice - heard).astype(np.float32),
        deconvolved=deconvolved.astype(np.complex64),
        noise=added.astype(np.complex64),
    )


def _power(spectrum: Array) -> Array:
    return np.asarray(spectrum.real**2 + spectrum.imag**2)


def _inner(one: Array, other: Array) -> Array:
    return np.asarray(one.real * other.real + one.imag * other.imag)
