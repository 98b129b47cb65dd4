"""The ranks of a board: right, quick however many entries there are, and never in anybody's way."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leaderboards import boards, ranking
from leaderboards.models import Board, Entry, Kind, Ranking, Variant
from leaderboards.uncertainty import interval, rank_bounds
from tests.factories import make_attempt, make_entry, make_method, make_modality

pytestmark = pytest.mark.django_db


def tiers(*scores: float) -> dict[str, tuple[float, float, float]]:
    return {t: (s, 20.0, 0.8) for t, s in zip(("public", "dev", "hidden"), scores, strict=False)}


def pairwise_bounds(entries: list[list[list[float]]], weights: Any) -> list[tuple[int, int]]:
    """Compare every pair scene by scene, as slowly as the definition says."""
    found = []
    for a in entries:
        gaps = [
            interval([np.subtract(x, y).tolist() for x, y in zip(a, b, strict=True)], weights)
            for b in entries
            if b is not a
        ]
        best = 1 + sum(gap.high < 0 for gap in gaps)
        found.append((best, 1 + sum(gap.low <= 0 for gap in gaps)))
    return found


@pytest.mark.parametrize("shape", [(4,), (4, 4, 4), (8, 4, 2)])
@pytest.mark.parametrize("spread", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_matrices_give_what_comparing_all_pairs_gives(rng, shape, spread, weighted):
    entries = []
    for level in rng.uniform(0.3, 0.9, 30):
        entries.append([(level + spread * rng.normal(size=n)).tolist() for n in shape])
    entries += [list(entries[0]), list(entries[1])]  # exact ties
    arrays = [np.array([e[t] for e in entries]) for t in range(len(shape))]
    weights = [n / sum(shape) for n in shape] if weighted else None
    best, worst = rank_bounds(arrays, weights)
    expected = pairwise_bounds(entries, weights)
    assert list(zip(best.tolist(), worst.tolist(), strict=True)) == expected


def test_a_change_is_ranked_after_the_commit_and_said_until_then():
    modality = make_modality()
    method = make_method(modality)
    for tier in ("public", "dev", "hidden"):
        make_attempt(modality, method, tier, (0.6, 25.0, 0.8), kind=Kind.BASELINE)
    entry = Entry.objects.get()
    assert entry.score is None
    assert boards.being_ranked(modality) == {Board.CHALLENGE}
    assert ranking.rank_what_waits() == 1
    entry.refresh_from_db()
    assert (entry.score, entry.rank) == (0.6, 1)
    assert boards.being_ranked(modality) == set()
    assert ranking.rank_what_waits() == 0


def test_a_ranking_that_read_an_older_state_writes_nothing(monkeypatch):
    modality = make_modality()
    entry = make_entry(modality, tiers=tiers(0.5, 0.5, 0.5))
    Ranking.ask(modality, Board.CHALLENGE)
    read = ranking._read

    def meanwhile(*args):
        lines = read(*args)
        make_attempt(modality, entry.method, "public", (0.8, 30.0, 0.9))
        Ranking.objects.update(ranked=Ranking.objects.get().wanted)  # somebody else has ranked it
        return lines

    monkeypatch.setattr(ranking, "_read", meanwhile)
    assert not ranking.refresh(modality, Board.CHALLENGE)


def fill(modality, count: int, rng) -> None:
    for level in rng.uniform(0.3, 0.9, count):
        method = make_method(modality)
        scores = np.round(level + 0.02 * rng.normal(size=3), 3).tolist()
        for tier, score in zip(("public", "dev", "hidden"), scores, strict=True):
            make_attempt(modality, method, tier, (score, 25.0, 0.8), kind=Kind.BASELINE)


def test_as_many_queries_for_many_entries_as_for_few(rng):
    modality = make_modality()
    counts = []
    for more in (5, 45):
        fill(modality, more, rng)
        with CaptureQueriesContext(connection) as queries:
            ranking.rank_what_waits()
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12
    assert Entry.objects.filter(rank=1).count() >= 1


def test_a_thousand_entries_are_ranked_within_a_second_of_cpu_time(rng):
    """The arithmetic alone; the rows cost as much again (tests/bench/bench_scale.py)."""
    scores = [rng.uniform(0.3, 0.9, (1000, 1)) + 0.02 * rng.normal(size=(1000, 4)) for _ in "abc"]
    begun = time.process_time()
    best, worst = rank_bounds(scores)
    assert time.process_time() - begun < 3.0  # 0.3 on an idle core
    assert (best <= worst).all()


def test_a_changed_best_method_changes_who_is_a_reference(monkeypatch):
    modality = make_modality()
    best = make_method(modality, physics_name=modality.spec.gallery_method)
    make_entry(modality, best, variant=Variant.NOMINAL, tiers=tiers(0.7, 0.7, 0.7))
    other = make_method(modality, physics_name="wiener")
    make_entry(modality, other, variant=Variant.NOMINAL, tiers=tiers(0.6, 0.6, 0.6))
    assert [row.is_reference for row in boards.challenge(modality)] == [True, False]
    monkeypatch.setattr(type(modality), "best_method", "wiener")
    Ranking.ask(modality, Board.CHALLENGE)
    ranking.rank_what_waits()
    assert [row.is_reference for row in boards.challenge(modality)] == [False, True]
    assert list(Entry.objects.order_by("-score").values_list("rank", flat=True)) == [1, None]
