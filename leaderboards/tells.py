"""What a tier tells of a result: the one rule, applied where rows are made.

Exact figures of a tier whose truth is secret would reveal that truth after a few submissions
(docs/decisions/what-dev-tells.md). So the exact result stays with its attempt, which only the
scorer and the ranking read; ``TierScore`` and every page, file and answer hold what this module
tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .models.words import OPEN_TIERS, ScoreTier

# Decimals of each figure on the dev and hidden tiers.
DIGITS = {
    "score": 3,
    "score_home": 3,
    "score_away": 3,
    "score_low": 3,
    "score_high": 3,
    "psnr": 2,
    "ssim": 3,
    "consistency": 3,
    "ceiling": 3,
}
COST = ("cpu_seconds", "peak_memory_mb")
# On the dev tier a spec error is reported as within one of these shares of the range.
STEPS = (0.1, 0.25)


def is_open(tier: str) -> bool:
    """Tell whether everything about a tier may be told, because its truth is public."""
    return tier in OPEN_TIERS


def rounded(name: str, value: float | None, tier: str) -> float | None:
    """Round one figure as its tier tells it; costs to one digit: time can carry a secret."""
    if value is None or is_open(tier):
        return value
    if name in COST:
        return float(f"{value:.1g}")
    return round(value, DIGITS[name])


def to_everybody(tier: str, result: Mapping[str, Any], **costs: float | None) -> dict[str, Any]:
    """Give what everybody may know of a result: its means, interval and costs."""
    told: dict[str, Any] = {name: rounded(name, result.get(name), tier) for name in DIGITS}
    told |= {name: rounded(name, value, tier) for name, value in costs.items()}
    # Whether an interval holds the truth is a question about the truth: no blind tier answers it.
    for name in ("spec_error", "calibration"):
        told[name] = result.get(name, {}) if is_open(tier) else {}
    return told


def to_owner(tier: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the person who sent a result may know of it; empty before it is scored.

    On an open tier all of it, scene by scene. On dev the means and the spec error in coarse steps,
    on hidden the means alone.
    """
    if not result or is_open(tier):
        return dict(result)
    told = to_everybody(tier, result)
    if tier == ScoreTier.DEV:
        told["spec_error"] = {name: coarse(value) for name, value in result["spec_error"].items()}
    return told | {"metrics_version": result["metrics_version"]}


def overall(scores: list[float]) -> float:
    """Give a challenge score from the told scores of its tiers, with as many digits."""
    return round(sum(scores) / len(scores), DIGITS["score"])


def coarse(error: float) -> str:
    """Say how far an estimate is off on the dev tier, in parts of the parameter's range."""
    for step in STEPS:
        if error <= step:
            return f"within {100 * step:.0f} %"
    return f"more than {100 * STEPS[-1]:.0f} %"
