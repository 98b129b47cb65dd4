"""What the page of an entry prints: scores, the attempts behind them, decisions, versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain
from typing import Any

from modalities import physics
from modalities.figures import fixed, interval, megabytes, percent, seconds
from modalities.models import TierName

from . import calibration_page, counting, tells
from .models import Attempt, Board, Entry, Kind, Origin, TierScore, Variant

EVIDENCE = (
    ("Inputs", "inputs_sha256"),
    ("Program", "program_sha256"),
    ("Outputs", "outputs_sha256"),
    ("Environment", "environment_sha256"),
)
MOST_EVENTS = 200


def of(entry: Entry) -> dict[str, Any]:
    """Gather what templates/leaderboards/entry.html prints."""
    place = {name: i for i, name in enumerate(physics.TIERS)}
    scores = entry.tier_scores.select_related("attempt__repeats", "attempt__started_by", "chosen")
    tiers = sorted(scores, key=lambda score: place.get(score.tier, -1))
    limits = calibration_page.bounds_of(entry.modality)
    certificates = {c.attempt_id: c for c in entry.certificates()}
    return {
        "entry": entry,
        "board_label": Board(entry.board).label,
        "score": fixed(entry.score, 3),
        "decision": entry.decision,
        "tiers": [_tier(entry, t, limits if tells.is_open(t.tier) else {}) for t in tiers],
        "has_groups": any(t.score_away is not None for t in tiers),
        "evidence": [
            _evidence(t, t.attempt, certificates.get(t.attempt.pk)) for t in tiers if t.attempt
        ],
        "history": history(entry),
        "is_rounded": any(t.attempt and not tells.is_open(t.tier) for t in tiers),
    }


def _tier(entry: Entry, row: TierScore, limits: Mapping[str, float]) -> dict[str, Any]:
    """Print what a tier tells; ``limits``: the Cramér-Rao bounds, as parts of the range."""
    return {
        "name": row.get_tier_display(),
        "score": fixed(row.score, 3),
        "home": fixed(row.score_home, 3),
        "away": fixed(row.score_away, 3),
        "interval": interval(row.score_low, row.score_high),
        "psnr": fixed(row.psnr, 2),
        "ssim": fixed(row.ssim, 3),
        "consistency": fixed(row.consistency, 3),
        "cpu": seconds(row.cpu_seconds),
        "memory": megabytes(row.peak_memory_mb),
        "spec_error": [
            (name, percent(value), percent(limits[name], 2) if name in limits else "")
            for name, value in row.spec_error.items()
        ],
        "counts": _counts(entry, row),
    }


def _counts(entry: Entry, row: TierScore) -> str:
    """Say why this result counts and not another."""
    if entry.origin == Origin.REPORTED:
        return ""
    if row.chosen_id and row.chosen_id == row.attempt_id:
        return "its owner chose it"
    if entry.variant != Variant.OWN:
        return "the newest run"
    return counting.WORDS[counting.rule(row.tier, entry.variant)]


def _evidence(row: TierScore, attempt: Attempt, certificate: Any) -> dict[str, Any]:
    return {
        "tier": row.get_tier_display(),
        "kind": _kind(attempt),
        "by": attempt.first.started_by.get_username() if attempt.first.started_by else "",
        "ended": _when(row.tier, attempt.finished_at),
        "hashes": [(label, getattr(attempt, name)) for label, name in EVIDENCE],
        "environment": ", ".join(f"{k} {v}" for k, v in attempt.environment.items()),
        "metrics": attempt.metrics_version,
        "second_ended": _when(row.tier, certificate.second.finished_at) if certificate else "",
    }


def _when(tier: str, at: datetime | None) -> str:
    return str(tells.when(tier, at)).replace("+00:00", " UTC") if at else ""


def _kind(attempt: Attempt) -> str:
    again = ", scored again by newer metrics" if attempt.kind == Kind.RERUN else ""
    return f"{Kind(attempt.first.kind).label}{again}"


def history(entry: Entry) -> list[dict[str, Any]]:
    """List what happened to an entry, the newest first: results that counted, and decisions."""
    events = chain(_decisions(entry), _results(entry))
    return sorted(events, key=lambda event: event["at"], reverse=True)[:MOST_EVENTS]


def _decisions(entry: Entry) -> Iterable[dict[str, Any]]:
    for decision in entry.decisions.select_related("by")[:MOST_EVENTS]:
        yield {
            "at": decision.at,
            "when": f"{decision.at:%Y-%m-%d %H:%M:%S} UTC",
            "what": decision.get_word_display(),
            "reason": decision.reason,
            "by": who(decision.by, decision.by_id),
        }


def _results(entry: Entry) -> Iterable[dict[str, Any]]:
    versions = TierScore.history.filter(entry_id=entry.pk).order_by("-history_id")[:MOST_EVENTS]
    names = dict(TierName.choices) | {"standard": "Standard"}
    for version in versions:
        yield {
            "at": version.history_date,
            "when": _when(version.tier, version.history_date),
            "what": f"{names[version.tier]}: a result of {fixed(version.score, 3)} counts",
            "reason": version.history_change_reason or "",
            "by": who(version.history_user, version.history_user_id),
        }


def who(person: Any, number: int | None) -> str:
    """Name a person; of an account that was deleted only the number is left."""
    if person:
        return str(person.get_username())
    return "a closed account" if number else "the site"
