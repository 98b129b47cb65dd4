"""What a tier tells: all of an open one, little of a secret one, by one rule."""

from __future__ import annotations

import pytest

from leaderboards import tells
from leaderboards.models import TierScore
from tests.factories import make_attempt

RESULT = {
    "score": 0.61234567,
    "score_home": 0.71234567,
    "score_away": 0.51234567,
    "score_low": 0.60123456,
    "score_high": 0.62345678,
    "psnr": 29.75999614212475,
    "ssim": 0.87654321,
    "consistency": 0.91234567,
    "ceiling": 0.95123456,
    "spec_error": {"probe_size": 0.0712345},
    "scenes": [{"score": 0.6}, {"score": 0.62}],
    "calibration": {"covered": {"probe_size": 1.0}, "abstained": {"probe_size": 0.0}},
    "metrics_version": "0123456789ab",
}


@pytest.mark.parametrize("tier", ["standard", "public"])
def test_an_open_tier_tells_everything(tier):
    told = tells.to_everybody(tier, RESULT, cpu_seconds=12.345)
    assert told["psnr"] == 29.75999614212475
    assert told["spec_error"] == RESULT["spec_error"]
    assert told["cpu_seconds"] == 12.345
    assert tells.to_owner(tier, RESULT) == RESULT


@pytest.mark.parametrize("tier", ["dev", "hidden"])
def test_a_secret_tier_tells_rounded_means_and_no_spec_error(tier):
    told = tells.to_everybody(tier, RESULT, cpu_seconds=12.345, peak_memory_mb=431.2)
    assert told == {
        "score": 0.612,
        "score_home": 0.712,
        "score_away": 0.512,
        "score_low": 0.601,
        "score_high": 0.623,
        "psnr": 29.76,
        "ssim": 0.877,
        "consistency": 0.912,
        "ceiling": 0.951,
        "spec_error": {},
        "calibration": {},
        "cpu_seconds": 10.0,
        "peak_memory_mb": 400.0,
    }


def test_the_owner_of_a_dev_result_gets_its_spec_error_in_coarse_steps():
    told = tells.to_owner("dev", RESULT)
    assert told["spec_error"] == {"probe_size": "within 10 %"}
    assert told["psnr"] == 29.76
    assert "scenes" not in told


def test_the_owner_of_a_hidden_result_gets_no_spec_error():
    assert tells.to_owner("hidden", RESULT)["spec_error"] == {}


@pytest.mark.parametrize(
    ("error", "words"), [(0.1, "within 10 %"), (0.2, "within 25 %"), (0.3, "more than 25 %")]
)
def test_steps_are_coarse(error, words):
    assert tells.coarse(error) == words


@pytest.mark.django_db
def test_the_row_of_a_secret_tier_holds_no_more_than_is_told():
    make_attempt(tier="dev", figures=(0.61234567, 29.75999614212475, 0.87654321, 0.912345))
    row = TierScore.objects.get()
    assert (row.score, row.psnr, row.ssim, row.consistency) == (0.612, 29.76, 0.877, 0.912)
    assert row.attempt.result["psnr"] == 29.75999614212475
    version = TierScore.history.get()
    assert (version.psnr, version.spec_error) == (29.76, {})
