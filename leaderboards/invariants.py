"""What must hold of boards and credits at any time; ``manage.py check_invariants`` runs it."""

from __future__ import annotations

from collections.abc import Iterator

from modalities import physics

from .credits import CreditAccount
from .models import Board, Entry, Origin, ScoreTier
from .vocabulary import CHALLENGE_TIERS

SAME = 1e-9
# A source prints three decimals: four rounded figures leave this much between them.
PRINTED = 0.001 + SAME


def ledgers() -> Iterator[str]:
    """A balance is the sum of its ledger."""
    for account in CreditAccount.objects.unbalanced().select_related("user"):
        yield f"{account}: the ledger adds up to {account.total}."


def scores() -> Iterator[str]:
    """An entry's score follows from its tiers, and its tiers belong to its board."""
    for entry in Entry.objects.prefetch_related("tier_scores").iterator(500):
        tiers = {tier.tier: tier.score for tier in entry.tier_scores.all()}
        own = {ScoreTier.STANDARD} if entry.board == Board.STANDARD else set(CHALLENGE_TIERS)
        if strange := sorted(set(tiers) - own):
            yield f"{entry}: has a score on {', '.join(strange)}, which is not its board."
        if not _agree(entry, tiers):
            yield f"{entry}: its score is {entry.score}, which its tiers do not give."


def methods() -> Iterator[str]:
    """An entry's method is registered for its modality, so that the method's page shows it."""
    found = Entry.objects.select_related("method", "modality").prefetch_related(
        "method__modalities"
    )
    for entry in found.iterator(500):
        if entry.modality not in entry.method.modalities.all():
            yield f"{entry}: {entry.method} is not registered for {entry.modality}."


def _agree(entry: Entry, tiers: dict[str, float]) -> bool:
    if entry.board == Board.STANDARD:
        expected = tiers.get(ScoreTier.STANDARD)
    else:
        expected = physics.overall_score(*(tiers.get(tier) for tier in CHALLENGE_TIERS))
    if expected is None or entry.score is None:
        return expected is None and entry.score is None
    return abs(expected - entry.score) <= (PRINTED if entry.origin == Origin.REPORTED else SAME)
