"""Make the noise of counts the same everywhere, and undo it."""

from __future__ import annotations

import numpy as np

from ..operator import Array


def stabilised(counts: Array, read_noise: float) -> Array:
    """Return 2·sqrt(counts + 3/8 + σ²), whose noise has a standard deviation of one.

    Anscombe (1948), with Gaussian noise of standard deviation σ beside that of the counts.
    """
    return np.asarray(2 * np.sqrt(np.maximum(counts + 3 / 8 + read_noise**2, 0)))


def expected_counts(values: Array, read_noise: float) -> Array:
    """Return the mean of counts from a denoised, stabilised value: the unbiased inverse.

    The closed form of Mäkitalo & Foi (2013), IEEE Trans. Image Process. 22, 91; squaring alone
    would be a quarter count too low and worse for few counts.
    """
    d = np.maximum(values, 2 * np.sqrt(3 / 8))
    root = np.sqrt(3 / 2)
    counts = d**2 / 4 + root / (4 * d) - 11 / (8 * d**2) + 5 * root / (8 * d**3) - 1 / 8
    return np.asarray(counts - read_noise**2)
