"""What a submission to a tier has to hold; both who takes files and who reads them ask here."""

from __future__ import annotations

from modalities import datasets, physics
from modalities.physics import Spec

from .intake.expectation import Expectation


def expectation(spec: Spec, tier: str) -> Expectation:
    """Say what a submission to ``tier`` has to hold."""
    return Expectation(
        samples=datasets.sample_names(spec),
        shape=spec.shape,
        ranges=datasets.ranges(spec, tier),
        is_complex=physics.forward(spec).in_dtype is complex,
    )
