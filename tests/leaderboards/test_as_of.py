"""A board as of a date shows that day's results, ranks and decisions, and nothing of later ones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from leaderboards import as_of, boards, ranking
from leaderboards.models import Attempt, Board, Entry, Kind, Origin, TierScore, Trust, Variant
from tests.factories import make_attempt, make_entry, make_method, make_modality, make_user
from tests.site import reading

pytestmark = pytest.mark.django_db
URL = "/modalities/stem/boards/challenge/"


@pytest.fixture
def stem():
    return make_modality()


def today() -> date:
    return datetime.now(UTC).date()


def days_ago(count: int) -> date:
    return today() - timedelta(days=count)


def tiers(*scores: float) -> dict[str, tuple[float, float, float]]:
    return {t: (s, 25.0, 0.8) for t, s in zip(("public", "dev", "hidden"), scores, strict=False)}


def backdate(*rows: Entry | TierScore, days: int = 1) -> None:
    """Write the newest version of each row once more, as if it had been written days ago."""
    for row in rows:
        version = row.history.order_by("-history_id").first()
        fields = {f.attname: getattr(version, f.attname) for f in version._meta.concrete_fields}
        del fields["history_id"]
        fields["history_date"] = timezone.now() - timedelta(days=days)
        type(version).objects.create(**fields)


def make_old(stem, *scores: float, days: int = 1, **fields) -> Entry:
    """An entry with results that have been on the board for days."""
    entry = make_entry(stem, tiers=tiers(*scores), kind=Kind.BASELINE, **fields)
    backdate(entry, *entry.tier_scores.all(), days=days)
    return entry


def read(stem, days: int = 1, name: str = "challenge") -> list[tuple[str, int | None, str]]:
    rows = as_of.read(stem, name, days_ago(days))
    return [(row.method_slug, row.rank, row.score_text) for row in rows]


def test_today_is_the_present_board(stem):
    best = make_method(stem, physics_name=stem.spec.gallery_method)
    for variant, score in ((Variant.NOMINAL, 0.5), (Variant.MIDDLE, 0.4), (Variant.TRUE_SPEC, 0.7)):
        make_entry(stem, best, variant=variant, tiers=tiers(score, score, score))
    for scores in ((0.8, 0.6, 0.6), (0.6, 0.6, 0.6), (0.6, 0.6, 0.6), (0.5, 0.4)):
        make_entry(stem, tiers=tiers(*scores))
    off = make_entry(stem, tiers=tiers(0.9, 0.9, 0.9))
    off.disqualify(make_user(), "It read the truth.")
    make_entry(
        stem, board=Board.STANDARD, variant=Variant.NOMINAL, tiers={"standard": (0.5, 30, 0.8)}
    )
    ranking.rank_what_waits()
    assert len(boards.challenge(stem)) == 7
    for name, present in {
        "challenge": boards.challenge(stem),
        "standard": boards.standard(stem),
        "public": boards.tier(stem, "public"),
        "hidden": boards.tier(stem, "hidden"),
    }.items():
        assert as_of.read(stem, name, today()) == present


def test_yesterday_has_yesterdays_results_and_ranks(stem):
    first = make_old(stem, 0.5, 0.5, 0.5)
    second = make_old(stem, 0.4, 0.4, 0.4)
    for tier in ("public", "dev", "hidden"):
        make_attempt(stem, second.method, tier, (0.7, 30.0, 0.9), kind=Kind.BASELINE)
    names = first.method.slug, second.method.slug
    assert read(stem, 0) == [(names[1], 1, "0.700"), (names[0], 2, "0.500")]
    assert read(stem, 1) == [(names[0], 1, "0.500"), (names[1], 2, "0.400")]


def test_an_entry_that_came_later_is_not_there(stem):
    old = make_old(stem, 0.5, 0.5, 0.5)
    make_entry(stem, tiers=tiers(0.9, 0.9, 0.9))
    assert read(stem) == [(old.method.slug, 1, "0.500")]
    assert read(stem, 2) == []


def test_a_tier_that_came_later_leaves_the_entry_incomplete(stem):
    entry = make_old(stem, 0.5, 0.5)
    make_attempt(stem, entry.method, "hidden", (0.7, 30.0, 0.9))
    assert read(stem, 0) == [(entry.method.slug, 1, "0.567")]
    assert read(stem, 1) == [(entry.method.slug, None, "–")]


def test_an_entry_is_off_its_board_from_the_decision_on(stem):
    entry = make_old(stem, 0.5, 0.5, 0.5)
    entry.disqualify(make_user(), "It read the truth.")
    assert read(stem, 0) == []
    assert read(stem, 1) == [(entry.method.slug, 1, "0.500")]


def test_a_reinstated_entry_stays_off_the_days_between(stem):
    entry = make_old(stem, 0.5, 0.5, 0.5, days=3)
    entry.disqualify(make_user(), "It read the truth.")
    backdate(entry, days=2)
    entry.reinstate(make_user(), "It did not.")
    assert [len(read(stem, days)) for days in (3, 2, 1, 0)] == [1, 0, 0, 1]


def test_a_certificate_is_shown_from_its_day_on(stem):
    entry = make_old(stem, 0.5)
    first = Attempt.objects.get()
    second = make_attempt(
        stem, entry.method, "public", (0.5, 25.0, 0.8), kind=Kind.RERUN, repeats=first
    )
    entry.certify(make_user(), "The second run agrees.", second)
    trusts = [as_of.read(stem, "public", days_ago(days))[0].trust for days in (1, 0)]
    assert trusts == [Trust.RERUN, Trust.CERTIFIED]


def test_references_are_shown_without_a_rank(stem):
    method = make_method(stem)
    make_old(stem, 0.9, 0.9, 0.9, method=method, variant=Variant.TRUE_SPEC)
    make_old(stem, 0.5, 0.5, 0.5, method=method, variant=Variant.GRADIENT)
    assert [rank for _, rank, _ in read(stem)] == [None, 1]


def test_a_tier_has_its_own_order(stem):
    a = make_old(stem, 0.9, 0.3, 0.3)
    b = make_old(stem, 0.2, 0.8, 0.8)
    assert [slug for slug, *_ in read(stem, 1, "public")] == [a.method.slug, b.method.slug]
    assert [slug for slug, *_ in read(stem, 1, "challenge")] == [b.method.slug, a.method.slug]


def test_what_a_source_reported_is_left_out(stem):
    make_entry(stem, origin=Origin.REPORTED, tiers=tiers(0.9, 0.9, 0.9))
    assert read(stem, 0) == []


def test_days_of_change_are_named(stem):
    make_old(stem, 0.5, days=40)
    assert as_of.changes(stem, "public") == [today(), days_ago(40)]
    assert as_of.changes(stem, "standard") == []


def test_as_many_queries_for_many_entries_as_for_few(stem):
    counts = []
    for more in (2, 10):
        for _ in range(more):
            make_old(stem, 0.5, 0.5, 0.5)
        with CaptureQueriesContext(connection) as queries:
            assert read(stem)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 2


def test_page_shows_the_board_of_the_day(stem, client: Client):
    entry = make_old(stem, 0.5, 0.5, 0.5)
    make_attempt(stem, entry.method, "dev", (0.8, 30.0, 0.9), kind=Kind.BASELINE)
    page = client.get(URL, {"at": str(days_ago(1))}).content.decode()
    assert f'value="{days_ago(1)}"' in page
    (cells,) = [row for row in reading.rows(page) if entry.method.name in row[1]]
    assert cells[0] == "1"
    assert cells[2].startswith("0.500")
    now = client.get(URL).content.decode()
    assert "0.600" in reading.text(now)


@pytest.mark.parametrize("name", ["challenge", "standard", "public", "dev", "hidden"])
def test_every_board_has_a_page(stem, client: Client, name):
    make_old(stem, 0.5, 0.5, 0.5)
    assert client.get(f"/modalities/stem/boards/{name}/", {"at": str(today())}).status_code == 200


def test_empty_day_says_so(stem, client: Client):
    page = client.get(URL, {"at": "2001-02-03"}).content.decode()
    assert "Nothing was on this board" in reading.text(page)


@pytest.mark.parametrize("at", ["yesterday", "2026-02-30", "03/04/2026", "2999-01-01"])
def test_bad_date_is_explained_in_the_page(stem, client: Client, at):
    response = client.get(URL, {"at": at})
    assert response.status_code == 400
    words = reading.text(response.content.decode())
    assert "is not a date" in words or "is in the future" in words
    answer = client.get("/api/v1" + URL, {"at": at})
    assert answer.status_code == 400
    assert "at" in answer.json()


@pytest.mark.parametrize("url", ["/modalities/stem/boards/best/", "/modalities/ct/boards/dev/"])
def test_unknown_board_is_not_there(stem, client: Client, url):
    assert client.get(url).status_code == 404


def test_api_gives_the_rows_of_the_day(stem, client: Client):
    entry = make_old(stem, 0.5, 0.5, 0.5)
    make_attempt(stem, entry.method, "dev", (0.8, 30.0, 0.9), kind=Kind.BASELINE)
    url = "/api/v1" + URL
    scores = [
        client.get(url, {"at": str(days_ago(days))}).json()["results"][0]["score"]
        for days in (1, 0)
    ]
    assert scores == [0.5, 0.6]
    assert "0.5" in client.get(url, {"at": str(days_ago(1)), "format": "csv"}).content.decode()
    reported = client.get(url, {"at": str(today()), "origin": "reported"})
    assert reported.status_code == 400
