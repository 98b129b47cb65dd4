"""How sure a score and a rank are, given that a tier has only a few scenes.

The scenes of a tier are a small sample of all scenes like them, so a mean over them is uncertain.
A score is a weighted mean of strata (the scenes at home and those away, in each tier), each a mean
over its scenes; its variance is the sum of the strata's variances of the mean by the squares of
their weights, its degrees of freedom are Welch and Satterthwaite's (Biometrics 2, 110, 1946), and
its interval is Student's. Entries see the same scenes, so they are compared by the differences
scene by scene (paired), which removes what all find hard.

A percentile bootstrap was tried first; with four scenes it covers 80 to 85 % where it says 95
(docs/decisions/intervals.md). The interval here covers what it says, which a test simulates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy.special import stdtrit  # the t quantile; scipy.stats takes half a second to import

Strata = Sequence[Sequence[float]]
LEVEL = 0.95
# Differences below this are those of rounding, not of methods.
SAME = 1e-9


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its interval at LEVEL; the ends are infinite below two scenes."""

    mean: float
    low: float
    high: float


def by_group(scores: Sequence[float], groups: Sequence[str]) -> list[list[float]]:
    """Split a tier's scene scores into strata, one per group (home, away).

    They stay together where a group has only one scene, because its variance is unknown.
    """
    pairs = list(zip(scores, groups, strict=True))
    parts = [[score for score, own in pairs if own == group] for group in dict.fromkeys(groups)]
    return parts if all(len(part) > 1 for part in parts) else [list(scores)]


def weights_of(tiers: Sequence[Strata]) -> list[float]:
    """Weigh the strata of all tiers so that tiers count alike, and scenes alike within a tier."""
    return [len(part) / sum(map(len, strata)) / len(tiers) for strata in tiers for part in strata]


def interval(
    strata: Strata, weights: Sequence[float] | None = None, level: float = LEVEL
) -> Interval:
    """Give the weighted mean of the strata's means and its interval.

    ``strata`` holds one sequence of scene scores per stratum; without ``weights`` they count alike.
    Raise ValueError for an empty stratum.
    """
    if not strata or any(len(scores) == 0 for scores in strata):
        raise ValueError("An interval needs at least one scene in each stratum.")
    weights = weights or [1 / len(strata)] * len(strata)
    mean = sum(w * fmean(scores) for w, scores in zip(weights, strata, strict=True))
    if any(len(scores) < 2 for scores in strata):
        return Interval(mean, -math.inf, math.inf)
    # A handful of numbers: plain Python is ten times as fast here as arrays.
    parts = [w**2 * variance(s) / len(s) for w, s in zip(weights, strata, strict=True)]
    if (total := sum(parts)) == 0.0:
        return Interval(mean, mean, mean)
    terms = (part**2 / (len(s) - 1) for part, s in zip(parts, strata, strict=True))
    half = float(stdtrit(total**2 / sum(terms), 0.5 + level / 2)) * math.sqrt(total)
    return Interval(mean, mean - half, mean + half)


def variance(scores: Sequence[float]) -> float:
    """Give the unbiased variance of at least two numbers."""
    mean = fmean(scores)
    return sum((score - mean) ** 2 for score in scores) / (len(scores) - 1)


def rank_bounds(
    scores: Sequence[np.ndarray], weights: Sequence[float] | None = None, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Give the best and the worst rank that each of n entries may have.

    scores: one array (n, scenes) per stratum, the same scenes for all entries. Entry B may be ahead
    of A unless the interval of A's paired difference to B lies above zero, and is surely ahead
    where it lies below. The variances of all differences come from one product of matrices a
    stratum: var(a − b) = var a + var b − 2 cov(a, b).
    """
    count = len(scores[0])
    weights = weights or [1 / len(scores)] * len(scores)
    mean = np.sum([w * np.mean(s, axis=1) for w, s in zip(weights, scores, strict=True)], axis=0)
    gap = mean[:, None] - mean[None, :]
    variances, terms = np.zeros((count, count)), np.zeros((count, count))
    for weight, s in zip(weights, scores, strict=True):
        scenes = s.shape[1]
        centred = s - s.mean(axis=1, keepdims=True)
        own = np.einsum("ij,ij->i", centred, centred)
        squares = own[:, None] + own[None, :] - 2 * centred @ centred.T
        # What rounding leaves of two equal rows is no variance.
        squares[squares < 1e-12 * (own[:, None] + own[None, :])] = 0.0
        part = weight**2 * squares / ((scenes - 1) * scenes)
        variances += part
        terms += part**2 / (scenes - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = gap / np.sqrt(variances)
        freedom = variances**2 / terms
    # Without variance the sign of the gap decides: reach is then infinite, or not a number.
    reach[np.isnan(reach)] = 0.0
    # Student's quantile is dear, so it is computed only where the bounds of it do not decide.
    fewest = min(s.shape[1] for s in scores) - 1
    most = sum(s.shape[1] - 1 for s in scores)
    highest, lowest = (float(stdtrit(n, 0.5 + level / 2)) for n in (fewest, most))
    limit = np.full_like(reach, highest)
    open_ = (np.abs(reach) <= highest) & (np.abs(reach) >= lowest)
    limit[open_] = stdtrit(freedom[open_], 0.5 + level / 2)
    apart = np.abs(reach) > limit
    surely_ahead = apart & (gap < 0)
    maybe_ahead = ~(apart & (gap > 0))
    np.fill_diagonal(maybe_ahead, False)
    return 1 + surely_ahead.sum(axis=1), 1 + maybe_ahead.sum(axis=1)
