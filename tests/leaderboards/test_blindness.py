"""A baseline sees what a participant sees: another truth in a tier's file changes scores alone."""

from __future__ import annotations

import numpy as np
import pytest
from leaderboards.submission import Variant

from leaderboards import evaluate
from leaderboards.models import Calibration
from modalities import datasets, physics
from tests.challenge import open_challenge

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stem(settings, tmp_path):
    return open_challenge(settings, tmp_path)


def replace_truth(spec, tier: str) -> None:
    """Put noise in the place of the objects, and another mismatch in that of the true one."""
    truth = datasets.load_truth(spec, tier)
    other = np.random.default_rng(2).random(truth.x.shape).astype("f4")
    wrong = {name: -0.5 * value for name, value in truth.mismatch.items()}
    datasets._write_truth(spec, tier, datasets.Truth(other, wrong))


def test_baselines_give_the_same_to_the_bit_with_noise_for_truth(stem):
    blind = [
        e
        for e in evaluate.queue_missing(stem)
        if e.method.physics_name == "wiener" and e.variant == Variant.GRADIENT
    ]
    assert {e.tier for e in blind} == set(physics.TIERS)
    for evaluation in blind:
        first = evaluate._tier(stem.spec, evaluation, physics.silent)
        replace_truth(stem.spec, evaluation.tier)
        Calibration.objects.all().delete()
        second = evaluate._tier(stem.spec, evaluation, physics.silent)
        assert second.used == first.used
        assert all(map(np.array_equal, first.x_hats, second.x_hats))
        assert second.result.psnr < first.result.psnr - 10
