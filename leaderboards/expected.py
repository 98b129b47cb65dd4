"""What a submission to a tier has to hold; both who takes files and who reads them ask here."""

from __future__ import annotations

from modalities import datasets, physics
from modalities.physics import Scene, Spec

from .intake.expectation import Expectation
from .models.words import ScoreTier


def scenes(spec: Spec, tier: str) -> tuple[Scene, ...]:
    """List the scenes that a tier's score is a mean of; the standard board has those at home."""
    return spec.scenes if tier == ScoreTier.STANDARD else spec.samples(tier)


def expectation(spec: Spec, tier: str) -> Expectation:
    """Say what a submission to ``tier`` has to hold."""
    return Expectation(
        samples=datasets.sample_names(spec, tier),
        shape=spec.shape,
        ranges=datasets.ranges(spec, tier),
        is_complex=physics.forward(spec).in_dtype is complex,
    )
