"""Reported results say what their sources printed, and agree with the formulas where they can."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from modalities.physics.scoring import implied_consistency, overall_score, standard_score

from .printed import OVERALL, STANDARD, TIER_BOARDS, rows

FOLDER = Path(__file__).parents[2] / "leaderboards" / "published"
PUBLISHED = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.toml")}
TIERS = ("public", "dev", "hidden")
MEDALS = {1: "gold", 2: "silver", 3: "bronze"}

Row = dict[str, Any]
EVERY_STANDARD = [(key, row) for key, data in PUBLISHED.items() for row in data["standard"]]
EVERY_CHALLENGE = [(key, row) for key, data in PUBLISHED.items() for row in data["challenge"]]


def name(value: object) -> str:
    return str(value["method"]) if isinstance(value, dict) else str(value)


def test_both_pages_are_there_with_thirteen_rows_on_each_board() -> None:
    assert set(PUBLISHED) == {"stem", "electron_tomography"}
    assert len(EVERY_STANDARD) == len(EVERY_CHALLENGE) == 13


def test_standard_rows_are_those_that_were_printed() -> None:
    method = {m["slug"]: m for data in PUBLISHED.values() for m in data["method"]}
    printed = [
        (key, slug, float(score), float(psnr), float(ssim), checkpoint, source)
        for key, slug, score, psnr, ssim, checkpoint, source in rows(STANDARD)
    ]
    recorded = [
        (
            key,
            row["method"],
            row["score"],
            row["psnr"],
            row["ssim"],
            method[row["method"]]["checkpoint"],
            row["source"],
        )
        for key, row in EVERY_STANDARD
    ]
    assert sorted(recorded) == sorted(printed)


def test_challenge_rows_are_those_that_were_printed() -> None:
    printed = [(k, slug, n, float(score), source) for k, slug, n, score, source in rows(OVERALL)]
    recorded = [
        (key, r["method"], r["name"], r["score"], r["source"]) for key, r in EVERY_CHALLENGE
    ]
    assert sorted(recorded) == sorted(printed)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("key", sorted(PUBLISHED))
def test_tier_board_sorted_by_score_is_the_board_that_was_printed(key: str, tier: str) -> None:
    printed = [
        (slug, float(score), float(psnr), float(ssim))
        for k, t, slug, score, psnr, ssim in rows(TIER_BOARDS)
        if (k, t) == (key, tier)
    ]
    recorded = [
        (row["method"], row[tier]["score"], row[tier]["psnr"], row[tier]["ssim"])
        for row in PUBLISHED[key]["challenge"]
    ]
    assert sorted(recorded, key=lambda row: -row[1]) == printed


@pytest.mark.parametrize(("key", "row"), EVERY_STANDARD, ids=name)
def test_standard_score_follows_from_psnr_and_ssim_to_the_third_decimal(key: str, row: Row) -> None:
    """PSNR is printed to 0.1 dB, which moves the score by less than 0.001 either way."""
    assert round(standard_score(row["psnr"], row["ssim"]), 3) == pytest.approx(row["score"])


@pytest.mark.parametrize(("key", "row"), EVERY_CHALLENGE, ids=name)
def test_overall_score_is_the_mean_of_the_tiers_within_rounding(key: str, row: Row) -> None:
    """Four figures rounded to three decimals leave at most 0.0005 + 0.0005 between them."""
    overall = overall_score(*(row[tier]["score"] for tier in TIERS))
    assert overall == pytest.approx(row["score"], abs=0.001)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(("key", "row"), EVERY_CHALLENGE, ids=name)
def test_tier_score_leaves_a_consistency_between_zero_and_one(
    key: str, row: Row, tier: str
) -> None:
    cell = row[tier]
    assert 0.0 <= implied_consistency(cell["score"], cell["psnr"], cell["ssim"]) <= 1.0


def whole_hundredths(start: float, width: float) -> list[float]:
    """List the consistencies that PSNR_norm = (PSNR − start)/width implies, where they are whole.

    Whole means within 0.0026 of a multiple of 0.01: the score is printed to ±0.0005, and a fifth of
    it is the consistency.
    """
    implied = [
        (cell["score"] - 0.4 * min(1, max(0, (cell["psnr"] - start) / width)) - 0.4 * cell["ssim"])
        / 0.2
        for _, row in EVERY_CHALLENGE
        for cell in (row[tier] for tier in TIERS)
    ]
    return [c for c in implied if abs(c - round(c, 2)) < 0.0026]


def test_only_a_width_of_40_db_makes_every_implied_consistency_whole_hundredths() -> None:
    """See docs/decisions/psnr-norm.md: the width follows from the figures, the start does not."""
    assert len(whole_hundredths(10, 40)) == 39
    others = [w for w in range(20, 61) if w != 40]
    assert max(len(whole_hundredths(a, w)) for a in range(21) for w in others) <= 29


@pytest.mark.parametrize(("start", "fits"), [(0, True), (10, True), (12, False), (15, False)])
def test_start_of_the_norm_may_be_10_db_but_not_12(start: float, fits: bool) -> None:
    implied = whole_hundredths(start, 40)
    assert (max(implied) <= 1.0) == fits
    assert min(implied) >= 0.0


@pytest.mark.parametrize("board", ["standard", "challenge"])
@pytest.mark.parametrize("key", sorted(PUBLISHED))
def test_ranks_and_medals_follow_the_scores(key: str, board: str) -> None:
    listed = PUBLISHED[key][board]
    scores = [row["score"] for row in listed]
    assert scores == sorted(scores, reverse=True)
    assert [row["rank"] for row in listed] == list(range(1, len(listed) + 1))
    assert [row.get("medal") for row in listed] == [MEDALS.get(row["rank"]) for row in listed]


@pytest.mark.parametrize("key", sorted(PUBLISHED))
def test_every_method_has_one_row_on_each_board_and_counts_in_the_dataset_note(key: str) -> None:
    data = PUBLISHED[key]
    slugs = sorted(m["slug"] for m in data["method"])
    assert sorted(row["method"] for row in data["standard"]) == slugs
    assert sorted(row["method"] for row in data["challenge"]) == slugs
    assert data["key"] == key
    assert data["dataset"] == f"PWM Benchmark ({len(slugs)} algorithms)"


def test_the_source_calls_every_row_certified() -> None:
    assert {row["label"] for _, row in EVERY_STANDARD + EVERY_CHALLENGE} == {"Certified"}
