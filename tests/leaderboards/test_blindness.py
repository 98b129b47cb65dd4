"""A baseline sees what a participant sees: another truth in a tier's file changes scores alone."""

from __future__ import annotations

import numpy as np
import pytest

from leaderboards.models import Calibration, Variant
from leaderboards.scoring import baselines
from modalities import datasets, physics
from tests.challenge import open_challenge
from tests.needs import FULL

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stem(settings, tmp_path):
    return open_challenge(settings, tmp_path, catalogue=False)


def replace_truth(spec, tier: str) -> None:
    """Put noise in the place of the objects, and another mismatch in that of the true one."""
    truth = datasets.load_truth(spec, tier)
    other = np.random.default_rng(2).random(truth.x.shape).astype("f4")
    wrong = {name: -0.5 * value for name, value in truth.mismatch.items()}
    datasets._write_truth(spec, tier, datasets.Truth(other, wrong))


def test_baselines_give_the_same_to_the_bit_with_noise_for_truth(stem):
    blind = [
        attempt
        for attempt in baselines.queue_missing(stem)
        if attempt.method.physics_name == "wiener" and attempt.variant == Variant.GRADIENT
    ]
    assert {attempt.tier for attempt in blind} == set(physics.TIERS)
    for attempt in blind if FULL else blind[-1:]:
        first = baselines.run(attempt, physics.silent)
        replace_truth(stem.spec, attempt.tier)
        Calibration.objects.all().delete()
        second = baselines.run(attempt, physics.silent)
        assert second.corrected_spec == first.corrected_spec
        assert all(map(np.array_equal, first.x_hats, second.x_hats))
        assert second.tier.psnr < first.tier.psnr - 10
