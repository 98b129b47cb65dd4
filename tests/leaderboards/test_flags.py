"""Flags say what a curator should look at, and only that."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from leaderboards import flags
from leaderboards.models import Board, Entry, Kind, Variant
from modalities import datasets
from tests.factories import make_attempt, make_entry, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db
USUAL = {"public": (0.5, 25.0, 0.8), "dev": (0.5, 25.0, 0.8), "hidden": (0.5, 25.0, 0.8)}


@pytest.fixture
def stem():
    return make_modality()


@pytest.fixture
def mine(stem):
    return make_method(stem, owner=make_user(username="ada"))


def of(method) -> dict[str, str]:
    entry = Entry.objects.get(method=method)
    found = flags.of(Entry.objects.all()).get(entry.pk, [])
    return {flag.word: flag.text for flag in found}


def make_true_spec_row(stem, score: float) -> None:
    tiers = {"public": (score, 32.0, 0.9)}
    make_entry(stem, make_method(stem), variant=Variant.TRUE_SPEC, tiers=tiers)


def spec_with(stem, **values: float) -> list[dict[str, float]]:
    return [stem.spec.nominal, stem.spec.nominal | values]


def sha(letter: str) -> str:
    return letter * 64


def test_an_ordinary_result_has_none(stem, mine):
    make_true_spec_row(stem, 0.8)
    make_attempt(stem, mine, outputs_sha256=sha("a"), corrected_spec=spec_with(stem))
    make_attempt(stem, mine, "dev", outputs_sha256=sha("b"), corrected_spec=spec_with(stem))
    assert of(mine) == {}


def test_above_the_true_spec_row(stem, mine):
    make_true_spec_row(stem, 0.7)
    make_entry(stem, mine, tiers={"public": (0.71, 32.1, 0.9)})
    assert "knew the truth" in of(mine)["above the true-spec row"]


@pytest.mark.parametrize("tier", ["public", "dev"])
@pytest.mark.parametrize(
    ("part", "word"),
    [
        (-0.1, "outside its range"),
        (1.1, "outside its range"),
        (0.0, "at the border"),
        (1.0, "at the border"),
        (0.01, None),
        (0.99, None),
    ],
)
def test_a_spec_outside_or_at_the_border_of_its_range(stem, mine, tier, part, word):
    name, (low, high) = next(iter(datasets.ranges(stem.spec, tier).items()))
    spec = spec_with(stem, **{name: low + part * (high - low)})
    make_attempt(stem, mine, tier, outputs_sha256=sha("a"), corrected_spec=spec)
    found = of(mine)
    assert list(found) == ([word] if word else [])
    if word:
        assert name in found[word]
        assert tier in found[word].lower()


def test_outputs_of_a_baseline(stem, mine):
    baseline = make_method(stem, name="Sharpen")
    make_attempt(stem, baseline, kind=Kind.BASELINE, variant=Variant.GRADIENT)
    make_attempt(stem, mine)
    assert "the baseline “Sharpen + gradient”, which came earlier" in of(mine)["same outputs"]
    assert of(baseline) == {}


def test_outputs_of_somebody_else(stem, mine):
    theirs = make_method(stem, owner=make_user(username="eve"), name="Lent")
    make_attempt(stem, mine, queued_at=timezone.now() - timedelta(days=1))
    make_attempt(stem, theirs)
    assert "“Lent” by eve, which came later" in of(mine)["same outputs"]
    assert "by ada, which came earlier" in of(theirs)["same outputs"]


def test_ones_own_outputs_and_second_runs_are_nobody_elses(stem, mine):
    other = make_method(stem, owner=mine.owner)
    first = make_attempt(stem, mine)
    make_attempt(stem, other)
    make_attempt(stem, mine, kind=Kind.RERUN, repeats=first, started_by=make_user())
    assert of(mine) == of(other) == {}


@pytest.mark.parametrize(
    ("before", "after", "by"),
    [
        ((0.5, 25.0, 0.8), (0.54, 28.5, 0.8), "3.5 dB"),
        ((0.5, 25.0, 0.8), (0.65, 26.0, 0.99), "0.150 of score"),
        ((0.5, 25.0, 0.8), (0.52, 27.5, 0.8), None),
    ],
)
def test_a_sudden_jump(stem, mine, before, after, by):
    make_attempt(stem, mine, "public", before, outputs_sha256=sha("a"))
    make_attempt(stem, mine, "public", after, outputs_sha256=sha("b"))
    assert of(mine).get("sudden jump", "").startswith(f"Public: {by} better" if by else "")
    assert bool(by) == ("sudden jump" in of(mine))


def test_far_ahead_of_everything_on_the_board(stem, mine):
    make_entry(stem, tiers={"public": (0.5, 25.0, 0.8)})
    make_attempt(stem, mine, "public", (0.55, 28.2, 0.8), outputs_sha256=sha("a"))
    assert of(mine)["far ahead"].startswith("Public: 3.2 dB better than everything else")


def test_nobody_is_far_ahead_of_an_empty_board(stem, mine):
    make_attempt(stem, mine, "public", (0.9, 45.0, 0.99))
    assert of(mine) == {}


def test_public_that_is_much_better_than_dev(stem, mine):
    make_attempt(stem, mine, "public", (0.55, 29.0, 0.8), outputs_sha256=sha("a"))
    make_attempt(stem, mine, "dev", (0.5, 25.0, 0.8), outputs_sha256=sha("b"))
    assert of(mine)["better on public"].startswith("Public is 4.0 dB better than dev, and 0.0 dB")


def test_a_dev_tier_that_is_harder_for_everybody(stem, mine):
    make_entry(stem, tiers={"public": (0.55, 29.0, 0.8), "dev": (0.5, 25.0, 0.8)})
    make_attempt(stem, mine, "public", (0.55, 29.0, 0.8), outputs_sha256=sha("a"))
    make_attempt(stem, mine, "dev", (0.5, 25.0, 0.8), outputs_sha256=sha("b"))
    assert of(mine) == {}


def test_a_standard_result_is_not_held_against_tiers(stem):
    make_entry(
        stem, board=Board.STANDARD, variant=Variant.NOMINAL, tiers={"standard": (0.5, 25, 0.8)}
    )
    assert flags.of(Entry.objects.all()) == {}


def test_as_many_queries_for_many_entries_as_for_few(stem):
    counts = []
    for more in (3, 12):
        for _ in range(more):
            make_entry(stem, make_method(stem, owner=make_user()), tiers=USUAL)
        with CaptureQueriesContext(connection) as queries:
            assert flags.of(Entry.objects.all())
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 4
