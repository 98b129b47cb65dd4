"""The score formulas give the source pages' scores."""

import pytest

from modalities.physics import overall_score, standard_score, tier_score
from modalities.physics.scoring import implied_consistency, mean

from ..leaderboards.printed import OVERALL, STANDARD, TIER_BOARDS, rows

TIERS = {
    (key, tier, method): tuple(map(float, figures))
    for key, tier, method, *figures in rows(TIER_BOARDS)
}


@pytest.mark.parametrize("row", rows(STANDARD), ids=lambda row: f"{row[0]}-{row[1]}")
def test_standard_score_gives_each_printed_row(row: list[str]):
    score, psnr, ssim = map(float, row[2:5])
    assert standard_score(psnr, ssim) == pytest.approx(score, abs=5.0001e-4)


@pytest.mark.parametrize("row", TIERS, ids="-".join)
def test_tier_score_leaves_each_printed_row_a_consistency_within_zero_and_one(row):
    score, psnr, ssim = TIERS[row]
    assert 0 <= implied_consistency(score, psnr, ssim) <= 1


@pytest.mark.parametrize("row", rows(OVERALL), ids=lambda row: f"{row[0]}-{row[1]}")
def test_overall_score_is_the_mean_of_the_printed_tiers(row: list[str]):
    tiers = (TIERS[row[0], tier, row[1]][0] for tier in ("public", "dev", "hidden"))
    assert overall_score(*tiers) == pytest.approx(float(row[3]), abs=1.01e-3)


@pytest.mark.parametrize(
    ("psnr", "ssim", "score"),
    [(15, 0, 0), (45, 1, 1), (10, 0, 0), (60, 1, 1), (30, 0.5, 0.5)],
)
def test_standard_score_runs_from_fifteen_to_forty_five_decibels(psnr, ssim, score):
    assert standard_score(psnr, ssim) == pytest.approx(score)


@pytest.mark.parametrize(
    ("psnr", "ssim", "consistency", "score"),
    [(10, 0, 0, 0), (50, 1, 1, 1), (0, 0, 0, 0), (80, 1, 1, 1), (30, 0.5, 0.5, 0.5)],
)
def test_tier_score_runs_from_ten_to_fifty_decibels(psnr, ssim, consistency, score):
    assert tier_score(psnr, ssim, consistency) == pytest.approx(score)


def test_consistency_is_recovered_from_a_score():
    assert implied_consistency(tier_score(27.0, 0.8, 0.63), 27.0, 0.8) == pytest.approx(0.63)


@pytest.mark.parametrize("tiers", [(None, 0.5, 0.5), (0.5, None, 0.5), (0.5, 0.5, None)])
def test_overall_score_needs_all_three_tiers(tiers):
    assert overall_score(*tiers) is None


def test_zero_is_a_score():
    assert overall_score(0.0, 0.0, 0.0) == 0.0


def test_mean_over_no_scenes_is_refused():
    assert mean([1.0, 2.0]) == 1.5
    with pytest.raises(ValueError, match="at least one scene"):
        mean([])
