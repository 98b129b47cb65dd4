"""What a tier tells of a result: the one rule, applied where rows are made.

A score falls as the spec moves away from the truth, so scores of a few wrong specs give a secret
truth away, however they are rounded (docs/decisions/what-dev-tells.md). A secret tier therefore
tells a score only of a *calibrated* result, whose spec is near the truth already; of any other it
tells that it is not calibrated. The exact result stays with its attempt, which only the scorer and
the ranking read; ``TierScore`` and every page, file and answer hold what this module tells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from .models import Attempt, AttemptEvent
from .models.words import CALIBRATED, OPEN_TIERS, ScoreTier, is_calibrated

__all__ = [
    "CALIBRATED",
    "costs",
    "has_score",
    "history",
    "is_calibrated",
    "is_open",
    "moment",
    "overall",
    "rounded",
    "shown",
    "to_everybody",
    "to_owner",
    "when",
]

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
# A person's program chooses what it takes: on the hidden tier costs go up in these steps.
STEPS = (1, 2, 5)


def is_open(tier: str) -> bool:
    """Tell whether everything about a tier may be told, because its truth is public."""
    return tier in OPEN_TIERS


def has_score(tier: str, result: Mapping[str, Any]) -> bool:
    """Tell whether a tier tells the score of what a person sent."""
    return is_open(tier) or is_calibrated(result)


def rounded(name: str, value: float | None, tier: str) -> float | None:
    """Round one figure as its tier tells it; costs to one digit: time can carry a secret."""
    if value is None or is_open(tier):
        return value
    if name in COST:
        return step(value) if tier == ScoreTier.HIDDEN else float(f"{value:.1g}")
    return round(value, DIGITS[name])


def step(value: float) -> float:
    """Round a cost up to 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 0.0
    power = math.floor(math.log10(value))
    return next(
        found
        for found in (float(f"{digit}e{power + up}") for up in (0, 1) for digit in STEPS)
        if found >= value
    )


def costs(attempt: Attempt) -> dict[str, float | None]:
    """Give CPU time (s) and memory (MiB) of an attempt as its tier tells them."""
    return {name: rounded(name, getattr(attempt, name), attempt.tier) for name in COST}


def moment(tier: str, at: datetime | None) -> datetime | None:
    """Give a time of an attempt as its tier tells it: of the hidden one the full ten minutes.

    How long a program ran is something that it can say what it likes with.
    """
    if at is None or tier != ScoreTier.HIDDEN:
        return at
    return at.replace(minute=at.minute // 10 * 10, second=0, microsecond=0)


def history(attempt: Attempt) -> list[AttemptEvent]:
    """List what happened to an attempt, each event with the time that its tier tells."""
    events = list(attempt.events.all())
    for event in events:
        event.at = moment(attempt.tier, event.at) or event.at
    return events


def shown(attempt: Attempt) -> Attempt:
    """Give the attempt as its owner's pages may print it, and never save it.

    Of a hidden run no progress, and times in coarse steps: the program chooses both.
    """
    if attempt.tier == ScoreTier.HIDDEN:
        attempt.phase, attempt.percent = "", 0
        attempt.started_at = moment(attempt.tier, attempt.started_at)
        attempt.finished_at = moment(attempt.tier, attempt.finished_at)
    return attempt


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

    On an open tier all of it, scene by scene. On a secret one the means of a calibrated result, and
    of any other only that it is not calibrated.
    """
    if not result or is_open(tier):
        return dict(result)
    told = to_everybody(tier, result) if has_score(tier, result) else {}
    return told | {
        "is_calibrated": is_calibrated(result),
        "metrics_version": result["metrics_version"],
    }


def when(tier: str, at: datetime) -> date:
    """Give a time from the life of a job, in UTC: to the second, on a secret tier the day alone.

    Two times of a job are its cost, and so are the ends of two jobs that one process ran in turn.
    """
    at = at.astimezone(UTC).replace(microsecond=0)
    return at if is_open(tier) else at.date()


def overall(scores: list[float]) -> float:
    """Give a challenge score from the told scores of its tiers, with as many digits."""
    return round(sum(scores) / len(scores), DIGITS["score"])
