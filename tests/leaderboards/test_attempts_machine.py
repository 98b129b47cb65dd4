"""Attempts arrive, end, are scored again, chosen, disqualified and renamed in any order: what
counts, its evidence and its history always agree."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from leaderboards import counting, invariants, ranking
from leaderboards.models import Attempt, Entry, Kind, Method, TierScore, Trust, Variant
from modalities import physics
from modalities.jobs import State
from tests.factories import make_attempt, make_method, make_modality, make_user
from tests.needs import FULL

pytestmark = pytest.mark.django_db
TIERS = strategies.sampled_from(["public", "dev"])
SCORES = strategies.sampled_from([0.305, 0.3051, 0.505, 0.705])
MINUTES = strategies.integers(1, 50)


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        # A clock of its own: what is drawn must not depend on how fast the machine is.
        self._began = timezone.now()
        self._asked = 0

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._example.__exit__(None, None, None)

    @initialize()
    def people(self) -> None:
        self.modality = make_modality()
        self.method = make_method(self.modality, owner=make_user(), physics_name="wiener")
        self.curator = make_user()

    @rule(tier=TIERS, score=SCORES, minutes=MINUTES, metrics=strategies.booleans())
    def a_file_is_scored(self, tier: str, score: float, minutes: int, metrics: bool) -> None:
        """Files end in any order, whenever they were sent, by today's metrics or older ones."""
        self._ends(tier, score, minutes, metrics, kind=Kind.FILE, started_by=self.method.owner)

    @rule(tier=TIERS, score=SCORES, minutes=MINUTES)
    def a_baseline_ends(self, tier: str, score: float, minutes: int) -> None:
        self._ends(tier, score, minutes, True, kind=Kind.BASELINE, variant=Variant.GRADIENT)

    def _ends(self, tier: str, score: float, minutes: int, metrics: bool, **fields) -> None:
        make_attempt(
            self.modality,
            self.method,
            tier,
            (score, 25.0, 0.8),
            queued_at=self._asked_for(minutes),
            metrics_version=physics.METRICS_VERSION if metrics else "older",
            **fields,
        )

    def _asked_for(self, minutes: int = 0) -> datetime:
        """Give a moment that no other attempt was asked for at."""
        self._asked += 1
        return self._began + timedelta(minutes=-minutes, microseconds=self._asked)

    @precondition(lambda self: Attempt.objects.exists())
    @rule(data=strategies.data(), score=SCORES)
    def an_attempt_is_run_again(self, data, score: float) -> None:
        first = self._one_of(data, Attempt.objects.exclude(kind=Kind.RERUN), by="queued_at")
        if first.second_runs.live().exists():
            return
        fields = {"kind": Kind.RERUN, "repeats": first, "variant": first.variant}
        fields |= {"outputs_sha256": first.outputs_sha256, "queued_at": self._asked_for()}
        make_attempt(self.modality, self.method, first.tier, (score, 25.0, 0.8), **fields)

    @precondition(lambda self: TierScore.objects.exists())
    @rule(data=strategies.data(), wanted=strategies.booleans())
    def the_owner_chooses(self, data, wanted: bool) -> None:
        row = self._one_of(data, TierScore.objects.all(), by="pk")
        found = counting.results(row.entry, row.tier)
        attempt = self._one_of(data, found, by="queued_at") if wanted else None
        counting.choose(row.entry, row.tier, attempt, by=self.method.owner)

    @precondition(lambda self: Entry.objects.exists())
    @rule(data=strategies.data(), what=strategies.sampled_from(["disqualify", "send_back"]))
    def a_curator_takes_it_off(self, data, what: str) -> None:
        entry = self._one_of(data, Entry.objects.all(), by="variant")
        if entry.is_listed:
            getattr(entry, what)(self.curator, "Something is wrong.")

    @precondition(lambda self: Entry.objects.exists())
    @rule(data=strategies.data())
    def a_curator_puts_it_back(self, data) -> None:
        entry = self._one_of(data, Entry.objects.all(), by="variant")
        if not entry.is_listed:
            entry.reinstate(self.curator, "Nothing was wrong.")

    @precondition(lambda self: Entry.objects.exists())
    @rule(data=strategies.data())
    def a_curator_certifies(self, data) -> None:
        entry = self._one_of(data, Entry.objects.all(), by="variant")
        seconds = [
            Attempt.objects.filter(repeats=row.attempt, state=State.SUCCEEDED)
            .order_by("queued_at")
            .last()
            for row in entry.tier_scores.all()
        ]
        if all(seconds) and entry.trust != Trust.CERTIFIED and entry.is_listed:
            agree = all(abs(s.score - s.repeats.score) <= 0.001 for s in seconds)
            try:
                entry.certify(self.curator, "The same.", *seconds)
            except Exception:
                assert not agree
            else:
                assert agree

    @rule(name=strategies.sampled_from(["Ada", "Bob"]))
    def the_method_is_renamed(self, name: str) -> None:
        Method.objects.filter(pk=self.method.pk).update(name=name)

    @rule()
    def the_board_is_ranked(self) -> None:
        ranking.rank_what_waits()

    def _one_of(self, data, rows, by: str):
        """Draw a row. ``by`` orders them the same way each time; keys that are UUIDs do not."""
        return data.draw(strategies.sampled_from(list(rows.order_by(by))))

    @invariant()
    def all_agrees(self) -> None:
        wrong = [*invariants.scores(), *invariants.attempts(), *invariants.certificates()]
        assert wrong == []

    @invariant()
    def the_rule_holds_as_people_read_it(self) -> None:
        """Told in plain Python: the chosen one, else the best on public and the newest on dev."""
        for row in TierScore.objects.select_related("entry"):
            same = {"tier": row.tier, "variant": row.entry.variant}
            found = [a for a in Attempt.objects.filter(**same) if self._may_count(a)]
            today = [a for a in found if a.metrics_version == physics.METRICS_VERSION] or found
            if row.chosen_id:
                assert row.attempt_id == row.chosen_id
            elif row.tier == "public" and row.entry.variant == Variant.OWN:
                assert row.score == max(a.score for a in today)
            else:
                assert row.attempt.first.queued_at == max(a.first.queued_at for a in today)

    @staticmethod
    def _may_count(attempt: Attempt) -> bool:
        again = attempt.repeats
        return again is None or again.metrics_version != attempt.metrics_version

    @invariant()
    def one_entry_a_variant_and_one_row_a_tier(self) -> None:
        entries = Entry.objects.values_list("variant", flat=True)
        assert len(set(entries)) == len(entries)

    @invariant()
    def history_ends_with_what_counts(self) -> None:
        for row in TierScore.objects.all():
            version = TierScore.history.filter(id=row.pk).latest("history_id")
            assert (version.attempt_id, version.score) == (row.attempt_id, row.score)

    @invariant()
    def no_version_is_there_twice(self) -> None:
        for row in TierScore.objects.all():
            versions = TierScore.history.filter(id=row.pk).order_by("history_id")
            shown = list(versions.values_list("attempt_id", flat=True))
            assert all(a != b for a, b in pairwise(shown))


def test_what_counts_its_evidence_and_its_history_always_agree():
    run_machine(
        Machine,
        settings=settings(
            max_examples=100 if FULL else 8,
            # Newcomers search where it is known to hold; .ci/run searches on.
            derandomize=not FULL,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
