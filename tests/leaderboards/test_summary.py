"""A tier's score is the mean over all its scenes; home and away are shown beside it."""

from __future__ import annotations

import pytest

from leaderboards.scoring.score import SceneScore, summary


def scene(score: float, group: str) -> SceneScore:
    return SceneScore(25.0, 0.8, 0.9, 0.95, score, {"tilt": score / 10}, group)


def test_all_scenes_count_alike_and_the_groups_are_shown_beside():
    found = summary([scene(0.8, "home"), scene(0.6, "home"), scene(0.1, "away")])
    assert found.score == pytest.approx(0.5)
    assert (found.score_home, found.score_away) == (pytest.approx(0.7), pytest.approx(0.1))
    assert found.spec_error == {"tilt": pytest.approx(0.05)}
    assert [s["group"] for s in found.as_json()["scenes"]] == ["home", "home", "away"]


def test_a_tier_without_scenes_away_has_no_score_there():
    found = summary([scene(0.8, "home"), scene(0.6, "home")])
    assert (found.score, found.score_away) == (found.score_home, None)


def test_what_differs_between_the_groups_does_not_widen_the_interval():
    home, away = (
        [scene(level + d, group) for d in (-0.01, 0, 0.01)]
        for level, group in ((0.8, "home"), (0.4, "away"))
    )
    together = summary([*home, *away])
    assert together.score_high - together.score_low < 0.1
