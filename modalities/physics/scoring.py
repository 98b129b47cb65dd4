"""Score formulas, all of them. Every page, board and scorer calls these.

The standard board knows the forward model. The challenge does not, so that it also pays for data
consistency. The source pages leave the challenge's PSNR normalisation undefined; (PSNR − 10)/40
leaves each of their 39 tier rows a consistency between 0.75 and 0.95, see
docs/decisions/psnr-norm.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

# The formulas below as pages print them.
STANDARD_FORMULA = "0.5 × clip((PSNR − 15) / 30, 0, 1) + 0.5 × SSIM"
TIER_FORMULA = "0.4 × clip((PSNR − 10) / 40, 0, 1) + 0.4 × SSIM + 0.2 × consistency"


def standard_score(psnr: float, ssim: float) -> float:
    """Return ½·clip((PSNR − 15)/30, 0, 1) + ½·SSIM."""
    return 0.5 * _clip((psnr - 15.0) / 30.0) + 0.5 * ssim


def tier_score(psnr: float, ssim: float, consistency: float) -> float:
    """Return 0.4·clip((PSNR − 10)/40, 0, 1) + 0.4·SSIM + 0.2·consistency."""
    return 0.4 * _clip((psnr - 10.0) / 40.0) + 0.4 * ssim + 0.2 * consistency


def overall_score(public: float | None, dev: float | None, hidden: float | None) -> float | None:
    """Return the mean of the three tiers, or None while one is missing."""
    tiers = [t for t in (public, dev, hidden) if t is not None]
    return math.fsum(tiers) / 3.0 if len(tiers) == 3 else None


def implied_consistency(score: float, psnr: float, ssim: float) -> float:
    """Solve the tier score for the consistency that a reported row does not print."""
    return (score - tier_score(psnr, ssim, 0.0)) / 0.2


def mean(values: Sequence[float]) -> float:
    """Return the mean over a tier's scenes; raise ValueError where there is none."""
    if not values:
        raise ValueError("A mean over scenes needs at least one scene.")
    return math.fsum(values) / len(values)


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))
