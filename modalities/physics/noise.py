"""Noise: what the detector makes of the expected signal.

A noise model works in the unit of the data ``y``, which is that of the signal ``H(x)``, so that
``E[y] = H(x)``. ``dose`` is counts per unit of signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .operator import Array, Chain, Operator


class Noise(Protocol):
    """Draw data around an expected signal, and say how far they scatter."""

    def sample(self, signal: Array, rng: np.random.Generator) -> Array:
        """Draw one measurement with mean ``signal``."""
        ...

    def variance(self, signal: Array) -> Array:
        """Return the variance of each datum at ``signal``: real, E|y − signal|²."""
        ...


@dataclass(frozen=True)
class PoissonGaussian:
    """Counting noise over a background, then read noise.

    counts = Poisson(dose·(background + signal)) + N(0, read_noise²), with ``read_noise`` in counts;
    y = counts/dose − background. Where the mean is negative nothing is counted. A complex signal is
    a TypeError: what is counted is an intensity.
    """

    dose: float
    read_noise: float = 0.0
    background: float = 0.0

    def sample(self, signal: Array, rng: np.random.Generator) -> Array:
        mean = self.dose * self._mean(signal)
        counts = rng.poisson(mean) + self.read_noise * rng.standard_normal(mean.shape)
        return np.asarray(counts / self.dose - self.background)

    def variance(self, signal: Array) -> Array:
        return np.asarray(self._mean(signal) / self.dose + (self.read_noise / self.dose) ** 2)

    def _mean(self, signal: Array) -> Array:
        if np.iscomplexobj(signal):
            raise TypeError("Counts need a real signal, an intensity; got a complex one.")
        return np.asarray(np.maximum(self.background + np.asarray(signal), 0.0))


@dataclass(frozen=True)
class Gaussian:
    """Additive noise of standard deviation ``sigma``.

    Complex data get it in both parts, independently, as a receiver with quadrature detection has
    it (Gudbjartsson & Patz 1995): circular, with E|y − signal|² = 2·sigma².
    """

    sigma: float

    def sample(self, signal: Array, rng: np.random.Generator) -> Array:
        signal = np.asarray(signal)
        noise = rng.standard_normal(signal.shape)
        if np.iscomplexobj(signal):
            return np.asarray(signal + self.sigma * (noise + 1j * rng.standard_normal(noise.shape)))
        return np.asarray(signal + self.sigma * noise)

    def variance(self, signal: Array) -> Array:
        parts = 2 if np.iscomplexobj(signal) else 1
        return np.full(np.shape(signal), parts * self.sigma**2)


def noise_of(H: Operator) -> Noise:
    """Find the noise model of the last step; raise TypeError where the chain ends in none."""
    last = H.steps[-1] if isinstance(H, Chain) else H
    noise: Noise | None = getattr(last, "noise", None)
    if noise is None:
        raise TypeError(
            f"{type(last).__name__} has no noise model; end the chain with a 'detect' step."
        )
    return noise


def measure(H: Operator, x: Array, rng: np.random.Generator) -> Array:
    """Make the data of object ``x``: ``H.out_shape``, float64 or complex128.

    The expected signal comes from ``H.truth()``, which is finer than ``H`` where ``H`` discretises,
    so that a reconstruction does not invert the very operator that made its data. Raise TypeError
    for a complex object that ``H`` takes as real.
    """
    x = np.asarray(x)
    if H.in_dtype is float and np.iscomplexobj(x):
        raise TypeError(f"{type(H).__name__} takes a real object, got {x.dtype}.")
    signal = H.truth()(x)
    if H.out_dtype is complex and not np.iscomplexobj(signal):
        signal = signal.astype(complex)
    return noise_of(H).sample(signal, rng)
