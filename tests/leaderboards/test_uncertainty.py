"""Intervals cover what they say, ranks tie and separate as they should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from leaderboards.uncertainty import by_group, interval, rank_bounds, weights_of


@pytest.mark.parametrize("tiers", [1, 3])
def test_an_interval_covers_the_true_mean_as_often_as_it_says(tiers):
    rng = np.random.default_rng(7)
    draws = 2000
    spread = (0.02, 0.05, 0.03)[:tiers]
    hits = 0
    for _ in range(draws):
        found = interval([rng.normal(0.7, s, 4).tolist() for s in spread])
        hits += found.low <= 0.7 <= found.high
    assert 0.93 <= hits / draws <= 0.985


@pytest.mark.parametrize("tiers", [1, 3])
def test_an_interval_over_home_and_away_covers_the_mean_of_both(tiers):
    rng = np.random.default_rng(8)
    draws, hits, narrower = 2000, 0, 0
    spread = (0.02, 0.05, 0.03)[:tiers]
    for _ in range(draws):
        home = [rng.normal(0.8, s, 4).tolist() for s in spread]
        away = [rng.normal(0.6, 2 * s, 4).tolist() for s in spread]
        both = [list(pair) for pair in zip(home, away, strict=True)]
        found = interval([part for parts in both for part in parts], weights_of(both))
        hits += found.low <= 0.7 <= found.high
        whole = interval([[*h, *a] for h, a in zip(home, away, strict=True)])
        narrower += found.high - found.low < whole.high - whole.low
    assert 0.93 <= hits / draws <= 0.985
    assert narrower > 0.5 * draws


def test_every_scene_of_a_tier_counts_alike_and_so_does_every_tier():
    public = by_group([0.9, 0.7, 0.5, 0.3, 0.1, 0.2], ["home"] * 4 + ["away"] * 2)
    assert public == [[0.9, 0.7, 0.5, 0.3], [0.1, 0.2]]
    dev = [[0.4, 0.6]]
    found = interval([*public, *dev], weights_of([public, dev]))
    assert found.mean == pytest.approx((2.7 / 6 + 0.5) / 2)


def test_a_group_with_one_scene_has_no_variance_of_its_own():
    assert by_group([0.9, 0.7, 0.1], ["home", "home", "away"]) == [[0.9, 0.7, 0.1]]


def bounds(*entries: np.ndarray) -> list[tuple[int, int]]:
    """Give the best and the worst rank of each entry; an entry is an array (tiers, scenes)."""
    best, worst = rank_bounds([np.array(scores) for scores in zip(*entries, strict=True)])
    return list(zip(best.tolist(), worst.tolist(), strict=True))


def test_a_paired_difference_is_sharper_than_the_two_intervals():
    rng = np.random.default_rng(1)
    hard = rng.normal(0.6, 0.1, (3, 4))
    better, worse = hard + 0.02, hard
    assert interval(better.tolist()).low < interval(worse.tolist()).high
    assert bounds(better, worse) == [(1, 1), (2, 2)]


def test_equal_entries_may_each_be_ahead_of_the_other():
    same, lower = np.array([[0.5, 0.6, 0.7, 0.8]]), np.array([[0.4, 0.5, 0.6, 0.7]])
    assert bounds(same, same, lower) == [(1, 2), (1, 2), (3, 3)]


def test_a_clear_leader_is_separated_and_a_narrow_one_is_not():
    rng = np.random.default_rng(3)
    base = rng.normal(0.6, 0.05, (3, 4))
    clear = base + 0.1 + rng.normal(0, 0.005, (3, 4))
    narrow = base + 0.001 + rng.normal(0, 0.02, (3, 4))
    assert bounds(clear, narrow, base) == [(1, 1), (2, 3), (2, 3)]


def test_one_scene_gives_a_mean_and_no_ends():
    found = interval([[0.5]])
    assert (found.mean, found.low, found.high) == (0.5, -math.inf, math.inf)


def test_no_scene_is_an_error():
    with pytest.raises(ValueError, match="at least one scene"):
        interval([[]])
