"""All that is known of one entry: scores and their parts, evidence, decisions, history."""

from __future__ import annotations

from typing import Any

from modalities import physics

from .models import Board, Entry, ScoreTier, TierScore

MISSING = "–"
EVIDENCE = (
    ("Inputs", "inputs_sha256"),
    ("Program", "program_sha256"),
    ("Outputs", "outputs_sha256"),
    ("Environment", "environment_sha256"),
)


def of(entry: Entry) -> dict[str, Any]:
    """Gather what templates/leaderboards/entry.html prints."""
    place = {name: i for i, name in enumerate(physics.TIERS)}
    tiers = sorted(entry.tier_scores.all(), key=lambda tier: place.get(tier.tier, -1))
    return {
        "entry": entry,
        "board_label": Board(entry.board).label,
        "score": _text(entry.score, 3),
        "second": "" if entry.second_score is None else _text(entry.second_score, 3),
        "tiers": [_tier(t) for t in tiers],
        "evidence": [(label, getattr(entry, name)) for label, name in EVIDENCE],
        "history": _history(entry),
    }


def _tier(tier: TierScore) -> dict[str, Any]:
    return {
        "name": tier.get_tier_display(),
        "score": _text(tier.score, 3),
        "interval": _interval(tier.score_low, tier.score_high),
        "psnr": _text(tier.psnr, 2),
        "ssim": _text(tier.ssim, 3),
        "consistency": _text(tier.consistency, 3),
        "cpu": f"{tier.cpu_seconds:.1f} s" if tier.cpu_seconds is not None else MISSING,
        "memory": f"{tier.peak_memory_mb:.0f} MB" if tier.peak_memory_mb is not None else MISSING,
        "spec_error": _spec_error(tier),
        "metrics": tier.metrics_version or MISSING,
        "scored_at": tier.scored_at,
    }


def _spec_error(tier: TierScore) -> list[tuple[str, str]]:
    """Print spec errors of the public tier, as parts of the ranges.

    Elsewhere they are secret: those of the nominal spec and of the middle of the range give the
    true mismatch when they are put together.
    """
    if tier.tier != ScoreTier.PUBLIC:
        return []
    return [(name, f"{100 * value:.1f} %") for name, value in tier.spec_error.items()]


def _history(entry: Entry) -> list[dict[str, Any]]:
    """List what was recorded of the entry, the newest first: when, by whom, why, what changed."""
    records = list(entry.history.select_related("history_user")[:200])
    rows = []
    for i, record in enumerate(records):
        before = records[i + 1] if i + 1 < len(records) else None
        rows.append(
            {
                "at": record.history_date,
                "by": _who(record),
                "kind": record.get_history_type_display(),
                "reason": record.history_change_reason or "",
                "trust": record.get_trust_display(),
                "score": _text(record.score, 3),
                "moved": before is not None and before.trust != record.trust,
            }
        )
    return rows


def _who(record: Any) -> str:
    """Name whoever made a version; of an account that was deleted only the number is left."""
    if record.history_user:
        return str(record.history_user.get_username())
    return "a closed account" if record.history_user_id else "the site"


def _text(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}f}".replace("-", "−")


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{_text(low, 3)} to {_text(high, 3)}"
