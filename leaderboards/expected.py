"""What a submission to a tier has to hold; both who takes files and who reads them ask here."""

from __future__ import annotations

from modalities import datasets
from modalities.physics import Spec

from .intake.expectation import Expectation


def expectation(spec: Spec, tier: str) -> Expectation:
    """Say what a submission to ``tier`` has to hold."""
    return Expectation(datasets.sample_names(spec), spec.shape, datasets.ranges(spec, tier))
