"""Boards rank what they should, show what they rank, and cost the same at any length."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from leaderboards import board_rows, boards, ranking
from leaderboards.board_rows import Row
from leaderboards.models import (
    Board,
    Checkpoint,
    Entry,
    Origin,
    Variant,
)
from modalities import physics
from modalities.models import Modality
from tests.factories import (
    make_attempt,
    make_entries,
    make_entry,
    make_method,
    make_modality,
    make_result,
    make_user,
)

pytestmark = pytest.mark.django_db
REPORTED = {"origin": Origin.REPORTED}


@pytest.fixture
def stem() -> Modality:
    return make_modality("stem")


def tiers(public: float, dev: float, hidden: float) -> dict[str, tuple[float, float, float]]:
    return {"public": (public, 25.0, 0.8), "dev": (dev, 25.0, 0.8), "hidden": (hidden, 25.0, 0.8)}


def enter(modality: Modality, name: str, score: float, **fields: Any) -> Entry:
    """An entry of a method called ``name`` that scores the same on every tier."""
    how = {"tiers": tiers(score, score, score)} | fields
    return make_entry(modality, make_method(modality, name=name), **how)


def ranks(rows: list[Row]) -> list[tuple[str, int | None]]:
    return [(row.name, row.rank) for row in rows]


def test_challenge_shows_three_tiers_under_each_score(stem: Modality) -> None:
    enter(stem, "A", 0.6, tiers=tiers(0.9, 0.6, 0.3))
    (row,) = boards.challenge(stem)
    assert row.score_text == "0.600"
    assert [(c.tier, c.score_text, c.psnr_text, c.ssim_text) for c in row.cells] == [
        ("public", "0.900", "25.00", "0.800"),
        ("dev", "0.600", "25.00", "0.800"),
        ("hidden", "0.300", "25.00", "0.800"),
    ]


def test_best_comes_first_and_ties_share_a_rank(stem: Modality) -> None:
    for name, score in (("C", 0.5), ("A", 0.7), ("B", 0.5 + 1e-12), ("D", 0.2)):
        enter(stem, name, score)
    assert ranks(boards.challenge(stem)) == [("A", 1), ("B", 2), ("C", 2), ("D", 4)]


def test_incomplete_entry_comes_last_and_has_no_rank(stem: Modality) -> None:
    enter(stem, "Half", 0.99, tiers={"public": (0.99, 40.0, 0.99)})
    enter(stem, "Whole", 0.1)
    rows = boards.challenge(stem)
    assert ranks(rows) == [("Whole", 1), ("Half", None)]
    assert (rows[1].rank_text, rows[1].score_text, rows[1].cells[1].score_text) == ("–", "–", "–")
    assert not rows[1].is_complete


def test_reference_stands_at_its_score_without_a_rank(stem: Modality) -> None:
    enter(stem, "Good", 0.6)
    enter(stem, "Best", 0.8, variant=Variant.TRUE_SPEC)
    assert ranks(boards.challenge(stem)) == [("Best, true spec", None), ("Good", 1)]


def test_disqualified_entry_leaves_the_board(stem: Modality) -> None:
    cheat, honest = enter(stem, "Cheat", 0.6), enter(stem, "Honest", 0.5)
    cheat.disqualify(make_user(), "It has seen the truth.")
    ranking.rank_what_waits()
    assert ranks(boards.challenge(stem)) == [("Honest", 1)]
    honest.refresh_from_db()
    assert (honest.rank, honest.rank_high) == (1, 1)


def test_reported_and_measured_rows_are_never_mixed(stem: Modality) -> None:
    enter(stem, "Ours", 0.4)
    enter(stem, "Theirs", 0.9, **REPORTED)
    assert ranks(boards.challenge(stem, Origin.MEASURED)) == [("Ours", 1)]
    assert ranks(boards.challenge(stem, Origin.REPORTED)) == [("Theirs", 1)]


def test_tier_board_has_its_own_order_and_only_those_who_have_a_score(stem: Modality) -> None:
    for name, results in (
        ("A", tiers(0.9, 0.6, 0.3)),
        ("B", {"public": (0.2, 20.0, 0.5), "hidden": (0.5, 20.0, 0.5)}),
        ("C", {"public": (0.0, 1.0, 0.0)}),
    ):
        enter(stem, name, 0, tiers=results)
    assert ranks(boards.tier(stem, "hidden")) == [("B", 1), ("A", 2)]
    assert ranks(boards.tier(stem, "public")) == [("A", 1), ("B", 2), ("C", 3)]
    assert boards.best(boards.tier(stem, "dev")).name == "A"


def test_board_that_is_empty_has_no_leader(stem: Modality) -> None:
    assert boards.best(boards.challenge(stem)) is None


def test_reported_medals_follow_the_rank(stem: Modality) -> None:
    for name, score in (("A", 0.9), ("B", 0.8), ("C", 0.7), ("D", 0.6)):
        enter(stem, name, score, **REPORTED)
    medals = [row.medal for row in boards.challenge(stem, Origin.REPORTED)]
    assert medals == ["gold", "silver", "bronze", ""]


def test_measured_medal_needs_a_rank_that_nobody_below_may_hold(stem: Modality) -> None:
    for name, score in (("Clear", 0.9), ("Close", 0.7), ("Behind", 0.699)):
        method = make_method(stem, name=name)
        for tier in physics.TIERS:
            make_attempt(stem, method, tier, (score, 25.0, 0.8), result=uncertain(name, score))
    ranking.rank_what_waits()
    rows = boards.challenge(stem)
    assert [row.medal for row in rows] == ["gold", "", "bronze"]
    assert [row.rank_interval_text for row in rows] == ["1–1", "2–3", "2–3"]


def uncertain(name: str, score: float) -> dict[str, Any]:
    """A result whose two scenes lie far apart; which is the better one depends on the name."""
    spread = 0.01 * (-1) ** len(name)
    result = make_result(score, 25.0, 0.8)
    for scene, step in zip(result["scenes"], (-spread, spread), strict=True):
        scene["score"] = score + step
    return result


def test_row_shows_home_and_away_beside_the_score(stem: Modality) -> None:
    make_entry(stem, make_method(stem, name="A"), tiers=tiers(0.9, 0.6, 0.3))
    (row,) = boards.challenge(stem)
    assert (row.score_text, row.home_text, row.away_text) == ("0.600", "0.601", "0.599")
    (row,) = boards.tier(stem, "dev")
    assert (row.score_home, row.score_away) == (0.601, 0.599)
    assert board_rows.has_groups([row])


def test_row_without_every_tier_has_no_overall_score_at_home(stem: Modality) -> None:
    make_entry(stem, tiers={"public": (0.9, 30.0, 0.9)})
    (row,) = boards.challenge(stem)
    assert (row.score_home, row.home_text) == (None, "–")
    assert row.cells[0].score_home == pytest.approx(0.901)


def test_reported_rows_have_no_scores_at_home_and_away(stem: Modality) -> None:
    enter(stem, "A", 0.9, **REPORTED)
    assert not board_rows.has_groups(boards.challenge(stem, Origin.REPORTED))


def test_reported_psnr_keeps_the_digits_of_its_source(stem: Modality) -> None:
    make_entry(stem, board=Board.STANDARD, tiers={"standard": (0.772, 33.4, 0.93)}, **REPORTED)
    make_entry(stem, board=Board.STANDARD, tiers={"standard": (0.772, 33.4, 0.93)})
    assert boards.standard(stem, Origin.REPORTED)[0].psnr_text == "33.4"
    assert boards.standard(stem, Origin.MEASURED)[0].psnr_text == "33.40"


def test_row_says_whose_label_and_which_checkpoint(stem: Modality) -> None:
    make_entry(
        stem,
        make_method(stem, checkpoint=Checkpoint.UNAVAILABLE),
        source="Liang et al., ICCVW 2021",
        source_label="Certified",
        tiers=tiers(0.5, 0.5, 0.5),
        **REPORTED,
    )
    (row,) = boards.challenge(stem, Origin.REPORTED)
    assert (row.trust_label, row.source, row.source_label, row.checkpoint_label) == (
        "Reported",
        "Liang et al., ICCVW 2021",
        "Certified",
        "Checkpoint unavailable",
    )


def test_method_has_its_rank_on_every_board(stem: Modality) -> None:
    method = make_method(stem)
    make_entry(stem, method, tiers=tiers(0.4, 0.4, 0.4))
    enter(stem, "Other", 0.8)
    standard = {"standard": (0.9, 30.0, 0.9)}
    make_entry(stem, method, board=Board.STANDARD, tiers=standard, **REPORTED)
    standings = boards.of_method(method)
    assert [(s.board, s.origin, s.row.rank, s.of) for s in standings] == [
        ("standard", "reported", 1, 1),
        ("challenge", "measured", 2, 2),
    ]


def test_measured_leader_goes_before_a_reported_one(stem: Modality) -> None:
    def leading() -> dict[str, Any]:
        return boards.with_leaders(Modality.objects.all()).get().leading

    enter(stem, "Theirs", 0.9, source_name="Theirs + magic", source_rank=1, **REPORTED)
    enter(stem, "Best", 0.8, variant=Variant.TRUE_SPEC)
    assert (leading()["source_name"], leading()["origin"]) == ("Theirs + magic", "reported")
    enter(stem, "Ours", 0.5)
    enter(stem, "Behind", 0.4)
    assert (leading()["method"], leading()["score"]) == ("Ours", 0.5)
    assert leading()["origin"] == "measured"


def test_modality_that_nobody_entered_has_no_leader(stem: Modality) -> None:
    assert boards.with_leaders(Modality.objects.all()).get().leading is None


def test_boards_cost_the_same_number_of_queries_at_any_length(
    stem: Modality, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    method = make_method(stem)
    make_entry(stem, method, tiers=tiers(0.5, 0.5, 0.5))
    for more in (50, 950):
        make_entries(stem, more)
        with django_assert_num_queries(2):
            found = boards.load(stem)
            (
                found.standard(),
                found.challenge(),
                [found.tier(t) for t in ("public", "dev", "hidden")],
            )
        with django_assert_num_queries(2):
            assert boards.challenge(stem)[0].rank == 1
        with django_assert_num_queries(3):
            boards.of_method(method)


def test_entry_above_the_true_spec_row_is_marked_unless_luck_explains_it(stem: Modality) -> None:
    reference = {"public": (0.8, 32.0, 0.9)}
    enter(stem, "Best", 0.8, variant=Variant.TRUE_SPEC, tiers=reference)
    for name, score in (("below", 0.79), ("lucky", 0.8004), ("knows more", 0.8006)):
        enter(stem, name, 0.5, tiers=tiers(score, 0.5, 0.5))
    marked = {row.name for row in boards.challenge(stem) if row.is_above_true_spec}
    assert marked == {"knows more"}
