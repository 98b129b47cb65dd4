"""Put scores on the boards: one entry per method and name, and the standings of all of them."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from leaderboards.models import Board, Entry, Method, Origin, Reference, ScoreTier, TierScore, Trust
from leaderboards.score import TierResult
from leaderboards.uncertainty import interval, standings
from leaderboards.vocabulary import CHALLENGE_TIERS
from modalities.models import Modality

# By so much may an oracle be beaten: 0.05 dB of PSNR. A blind estimate is now and then that lucky,
# and beats the truth by what the operator itself lacks of the instrument.
LUCK = 0.0005


def record(
    modality: Modality,
    method: Method,
    tier: str,
    result: TierResult,
    *,
    name: str,
    trust: str = Trust.SCORED,
    reference: str = "",
    costs: dict[str, float] | None = None,
    **evidence: Any,
) -> Entry:
    """Write a tier's result into its entry, making the entry if need be, and rank the board again.

    A newer result of the same entry takes the older one's place; the history keeps both. Call it in
    the transaction that ends the job.
    """
    board = Board.STANDARD if tier == ScoreTier.STANDARD else Board.CHALLENGE
    with transaction.atomic():
        Modality.objects.select_for_update().get(pk=modality.pk)
        entry, is_new = Entry.objects.get_or_create(
            modality=modality,
            method=method,
            board=board,
            origin=Origin.MEASURED,
            name=name,
            defaults={
                "trust": trust,
                "reference": reference,
                "checkpoint": method.checkpoint,
                **evidence,
            },
        )
        if not is_new:
            entry.supersede(trust)
        if not is_new and evidence:
            for field, value in evidence.items():
                setattr(entry, field, value)
            entry.save(update_fields=list(evidence))
        TierScore.objects.update_or_create(
            entry=entry,
            tier=tier,
            defaults={
                "score": result.score,
                "score_low": result.score_low,
                "score_high": result.score_high,
                "psnr": result.psnr,
                "ssim": result.ssim,
                "consistency": result.consistency,
                "scenes": result.scene_rows(),
                "spec_error": result.spec_error,
                "metrics_version": result.metrics_version,
                **(costs or {}),
            },
        )
        refresh(modality, board)
    entry.refresh_from_db()
    return entry


def refresh(modality: Modality, board: str) -> None:
    """Compute score, interval and rank interval of every measured entry of a board again.

    Only complete entries that stand are ranked; references and incomplete ones have no rank.
    """
    tiers = (ScoreTier.STANDARD,) if board == Board.STANDARD else CHALLENGE_TIERS
    entries = list(
        Entry.objects.for_modality(modality).on(board).measured().prefetch_related("tier_scores")
    )
    strata = {entry: _strata(entry, tiers) for entry in entries}
    complete = {e: s for e, s in strata.items() if len(s) == len(tiers)}
    ranked = {
        e: s
        for e, s in complete.items()
        if not e.reference and not e.is_disqualified and _comparable(s)
    }
    ranks = standings(ranked)
    ceiling = _oracle(entries)
    for entry in entries:
        found = interval(complete[entry]) if entry in complete else None
        rank = ranks.get(entry)
        entry.score = found.mean if found else None
        entry.score_low = found.low if found else None
        entry.score_high = found.high if found else None
        entry.rank_low = rank.best if rank else None
        entry.rank_high = rank.worst if rank else None
        entry.is_above_oracle = not entry.reference and _public(entry) > ceiling + LUCK
        Entry.objects.filter(pk=entry.pk).update(
            **{name: getattr(entry, name) for name in _STANDING}
        )
    modality.touch()


_STANDING = ("score", "score_low", "score_high", "rank_low", "rank_high", "is_above_oracle")


def _strata(entry: Entry, tiers: tuple[str, ...]) -> list[list[float]]:
    by_tier = {score.tier: score for score in entry.tier_scores.all()}
    return [[s["score"] for s in by_tier[t].scenes] for t in tiers if t in by_tier]


def _comparable(strata: list[list[float]]) -> bool:
    return all(len(scores) >= 2 for scores in strata)


def _public(entry: Entry) -> float:
    scores = [s.score for s in entry.tier_scores.all() if s.tier == ScoreTier.PUBLIC]
    return scores[0] if scores else float("-inf")


def _oracle(entries: list[Entry]) -> float:
    """Give the best public score that a method reached with the true operator."""
    oracles = [_public(e) for e in entries if e.reference == Reference.ORACLE]
    return max(oracles, default=float("inf"))
