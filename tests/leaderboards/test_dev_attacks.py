"""Two accounts and a month of answers, put to the dev tier by somebody who wants its truth.

The attackers ask the site's own functions: ``tells.to_owner`` answers, ``Left.after`` counts. They
know how each score falls with the error of the spec, because the public tier shows it, and have no
other source: from the measurements alone anybody may calibrate. docs/decisions/what-dev-tells.md
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import ndimage, optimize

from leaderboards import tells
from leaderboards.models import Left
from modalities import draws, physics
from modalities.models import Modality
from modalities.physics.spec import TIER_SPAN
from tests.needs import FULL

ACCOUNTS, DAYS, TRUTHS = 2, 31, 150
# How much a squared error of each parameter, in parts of its range, adds to the mean squared error,
# and the PSNR at home and away without any. STEM: Richardson-Lucy, three truths, four scenes at
# home (PSNR falls from 34 to 25 dB over 0.9 of the range of the distortion). Tomography: so that
# the perturbed spec costs 2.5 dB.
COST = {"stem": (4.2e-3, 2e-5, 4.0e-3), "electron_tomography": (3.5e-3, 3.5e-3, 2e-4)}
PSNR = {"stem": (34.0, 32.0), "electron_tomography": (30.0, 28.0)}
SSIM_PER_ERROR = 37.0
# The truth lies in 0.04 to 0.44 or 0.56 to 0.96 of a range: four cells of twice CALIBRATED.
CENTRES = (0.14, 0.34, 0.66, 0.86)
Answer = dict[str, Any]
Ask = Callable[[np.ndarray], Answer]


def answers_in_a_month(are_calibrated: bool) -> int:
    """Count what one account gets that sends as soon as it may, all of it calibrated or none."""
    modality, start = Modality(), datetime(2026, 3, 1, tzinfo=UTC)
    sent: list[datetime] = []
    for hour in range(24 * DAYS):
        now = start + timedelta(hours=hour)
        recent = [at for at in sent if at > now - timedelta(days=30)]
        while not Left.after(modality, recent, [] if are_calibrated else recent, now).next_at:
            recent.append(now)
            sent.append(now)
    return len(sent)


def truths(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw true values as the site does, in parts of the dev tier's ranges."""
    found: list[np.ndarray] = []
    low, high = TIER_SPAN["dev"]
    while len(found) < count:
        u = np.array([draws._between(rng, 0.0, 1.0) for _ in range(3)])
        if np.sqrt(np.mean((low + u * (high - low)) ** 2)) >= draws.LEAST_MISMATCH:
            found.append(u)
    return np.array(found)


def result_of(key: str, guess: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> Answer:
    """What the scorer writes of reconstructions with ``guess``; specimens differ a little."""
    added = float((guess - truth) ** 2 @ np.array(COST[key]))
    scenes = []
    for base in np.repeat(PSNR[key], 4) + rng.normal(0, 0.3, 8):
        psnr = -10 * np.log10(10 ** (-base / 10) + added)
        ssim = 0.97 - SSIM_PER_ERROR * added
        scenes.append((psnr, ssim, physics.tier_score(psnr, ssim, 0.79)))
    psnr, ssim, score = np.mean(scenes, axis=0)
    spread = 2.36 * np.std([s for *_, s in scenes], ddof=1) / np.sqrt(8)
    errors = dict(zip("abc", np.abs(guess - truth), strict=True))
    return {
        "score": score,
        "score_low": score - spread,
        "score_high": score + spread,
        "psnr": psnr,
        "ssim": ssim,
        "consistency": 0.79,
        "ceiling": 0.8,
        "spec_error": errors,
        "metrics_version": "",
        "scenes": [],
    }


CELLS = np.array(list(product(CENTRES, repeat=3)))


def attack(
    key: str, ask: Ask, budget: int, prior: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Find the truth from answers; give the estimate, and whether any answer told a score.

    Each answer tests the likeliest cell of the ranges that is left. Mean squared errors are a
    paraboloid of known curvature around the truth, so a few scores give its vertex. ``prior``: what
    the truth may be; ``inside``: in which cells each of them lies.
    """
    left, scores = np.ones(len(prior), bool), []
    for _ in range(budget):
        cell = inside[left].sum(0).argmax()
        told = ask(CELLS[cell])
        if "psnr" in told:
            scores.append((CELLS[cell], 10 ** (-told["psnr"] / 10)))
        left &= inside[:, cell] if told["is_calibrated"] else ~inside[:, cell]
    found = np.median(prior[left], axis=0)
    if len(scores) < 6:
        return found, bool(scores)
    return _vertex(scores, np.array(COST[key]), found), True


def _vertex(
    scores: Sequence[tuple[np.ndarray, float]], cost: np.ndarray, found: np.ndarray
) -> np.ndarray:
    """Fit m = m₀ + Σ cⱼ (gⱼ − tⱼ)², which is linear in t; keep what the scores say nothing of."""
    g = np.array([guess for guess, _ in scores])
    m = np.array([error for _, error in scores])
    told = cost > 0.1 * cost.max()
    design = np.hstack([np.ones((len(g), 1)), -2 * (cost * g)[:, told]])
    solved = np.linalg.lstsq(design, m - g**2 @ cost, rcond=None)[0]
    vertex = found.copy()
    vertex[told] = np.clip(solved[1:], 0, 1)
    return vertex


def errors_left(key: str, are_calibrated: bool) -> tuple[np.ndarray, np.ndarray]:
    """Attack many truths; give the error of each parameter, and whether a score was told.

    ``are_calibrated``: whether the attackers have the answers of those whose files are calibrated.
    """
    rng = np.random.default_rng(5)
    prior, budget = truths(1500, rng), ACCOUNTS * answers_in_a_month(are_calibrated)
    inside = (np.abs(prior[:, None] - CELLS) <= tells.CALIBRATED).all(2)
    errors, hits = [], []
    for truth in truths(TRUTHS, rng):
        specimens = int(rng.integers(2**32))

        def ask(guess: np.ndarray, truth: Any = truth, specimens: int = specimens) -> Answer:
            result = result_of(key, guess, truth, np.random.default_rng(specimens))
            return tells.to_owner("dev", result)

        found, hit = attack(key, ask, budget, prior, inside)
        errors.append(np.abs(found - truth))
        hits.append(hit)
    return np.array(errors), np.array(hits)


def test_a_month_has_as_many_answers_as_the_quota_says():
    assert answers_in_a_month(True) == 6 + 2, "six in 30 days, and two more on the 31st"
    assert answers_in_a_month(False) == 1 + 1, "a miss is the last one for 30 days"


@pytest.mark.parametrize("key", physics.keys())
def test_a_month_of_answers_leaves_the_truth_open(key):
    errors, hits = errors_left(key, are_calibrated=False)
    errors[hits] = 0  # as if the first score that is told gave everything away
    assert min(errors.mean(0)) > 0.2, "of the range, in every parameter; a blind guess has 0.25"
    assert hits.mean() < 0.15, "found by luck alone: 4 of 64 cells, the likeliest first"


@pytest.mark.parametrize("key", physics.keys())
def test_rounded_scores_of_any_spec_would_give_the_truth_away(key, monkeypatch):
    """The rule before: it shows that the attack works, and why the score waits for calibration."""
    monkeypatch.setattr(tells, "has_score", lambda tier, result: True)
    errors, _ = errors_left(key, are_calibrated=True)
    assert sorted(errors.mean(0))[1] < 0.1, "the two parameters that the score depends on"


def test_a_spec_for_each_sample_asks_no_wider_question():
    """The mean error over samples is convex: no choice of guesses is calibrated more widely."""
    rng, grid = np.random.default_rng(0), np.linspace(-1, 2, 601)
    for spread in (0.0, 0.05, 0.1, 0.3):
        guesses = 0.5 + spread * rng.uniform(-1, 1, 8)
        results = [{"spec_error": {"a": np.abs(guesses - t).mean()}} for t in grid]
        calibrated = [t for t, r in zip(grid, results, strict=True) if tells.is_calibrated(r)]
        assert not calibrated or np.ptp(calibrated) <= 2 * tells.CALIBRATED + 1e-9


def mean_psnr(xs: list, stacks: list, weights: np.ndarray) -> float:
    """Give the PSNR of weighted sums, in the mean over the scenes."""
    pairs = zip(xs, stacks, strict=True)
    return float(np.mean([physics.psnr(x, np.tensordot(weights, s, 1)) for x, s in pairs]))


# Reconstructing volumes takes a minute.
MIXED = [("stem", "wiener"), ("electron_tomography", "wbp")][: 1 + FULL]


@pytest.mark.parametrize(("key", "method"), MIXED)
def test_mixing_reconstructions_by_answers_gains_little(key, method):
    """Endless answers gain little for a mixture that was tuned on public scenes."""
    spec = physics.load(key)
    public, dev = ([_variants(spec, method, i, seed) for i in range(4)] for seed in (100, 200))
    alone = np.array([1.0, 0, 0, 0])
    tuned = _climb(alone, public, 120)
    assert _mean_psnr(tuned, public) > _mean_psnr(alone, public)
    assert _mean_psnr(_climb(tuned, dev, 120), dev) - _mean_psnr(tuned, dev) < 0.5


def _variants(spec: physics.Spec, method: str, index: int, seed: int) -> Any:
    """Give a scene, and its reconstruction beside three smoother ones."""
    H = physics.forward(spec, **spec.perturbed)
    x = physics.scene(spec, index, seed=seed)
    y = physics.measure(H, x, np.random.default_rng([seed, index]))
    x_hat = physics.reconstruct(method, H, y)
    return x, np.array([x_hat] + [ndimage.gaussian_filter(x_hat, s) for s in (0.7, 1.2, 2.0)])


def _mean_psnr(weights: np.ndarray, scenes: Any) -> float:
    return float(np.mean([physics.psnr(x, np.tensordot(weights, v, 1)) for x, v in scenes]))


def _climb(weights: np.ndarray, scenes: Any, answers: int) -> np.ndarray:
    options = {"maxfev": answers}
    found = optimize.minimize(
        lambda w: -_mean_psnr(w, scenes), weights, method="Nelder-Mead", options=options
    )
    return np.array(found.x)


def test_adding_up_random_changes_by_answers_gains_little():
    """Keep each random change that is told to help (Blum & Hardt 2015, algorithm 3)."""
    rng = np.random.default_rng(4)
    x, error = rng.random((64, 64)), rng.normal(0, 0.05, (64, 64))

    def told(x_hat: np.ndarray) -> float:
        result = {"psnr": physics.psnr(x, x_hat), "spec_error": {}, "metrics_version": ""}
        return float(tells.to_owner("dev", result)["psnr"])

    start = best = np.clip(x + error, 0, 1)
    for _ in range(ACCOUNTS * answers_in_a_month(True)):
        tried = np.clip(best + rng.choice([-0.02, 0.02], x.shape), 0, 1)
        best = tried if told(tried) > told(best) else best
    assert physics.psnr(x, best) - physics.psnr(x, start) < 0.5
