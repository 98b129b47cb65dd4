"""Check a bundle: that it is whole, and that its scores are those of its outputs.

Needs the truth of the tiers it scores: public and standard follow from the repository, the others
only from the deployment's key.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from leaderboards import bundle
from leaderboards.expected import scenes
from leaderboards.models import ScoreTier
from modalities import datasets, physics
from modalities.physics import Array

from .evidence import data_version, outputs_sha256
from .score import score_tier

AGREES = 1e-6


@dataclass(frozen=True)
class Finding:
    """What checking one tier gave; None where it could not be checked."""

    tier: str
    is_confirmed: bool | None
    message: str


def verify(content: bytes) -> list[Finding]:
    """Check every tier of a bundle. Raise BundleError when a byte was changed."""
    manifest, parts = bundle.read(content)
    spec = physics.load(manifest["modality"])
    return [_check(spec, tier, row, parts) for tier, row in manifest["tiers"].items()]


def _check(
    spec: physics.Spec, tier: str, row: Mapping[str, Any], parts: Mapping[str, bytes]
) -> Finding:
    outputs = parts.get(f"outputs/{tier}.npz")
    if outputs is None:
        return Finding(tier, None, "its outputs are not in the bundle, so it was not scored again.")
    with np.load(io.BytesIO(outputs), allow_pickle=False) as arrays:
        names = [datasets.sample_name(i) for i in range(len(scenes(spec, tier)))]
        x_hats = [physics.double(arrays[name]) for name in names]
    if outputs_sha256(x_hats) != row["hashes"]["outputs"]:
        return Finding(tier, False, "its outputs are not those that the manifest hashes.")
    if row["data_version"] != data_version(spec, tier):
        return Finding(tier, None, f"its data ({row['data_version']}) are not those of this site.")
    try:
        again = _score(spec, tier, x_hats, row)
    except FileNotFoundError:
        return Finding(tier, None, "the truth of this tier is not here; run build_datasets first.")
    agrees = abs(again - row["score"]) <= AGREES
    return Finding(tier, agrees, f"printed {row['score']:.6f}, computed again {again:.6f}.")


def _score(spec: physics.Spec, tier: str, x_hats: list[Array], row: Mapping[str, Any]) -> float:
    if tier != ScoreTier.STANDARD:
        return score_tier(spec, tier, x_hats, row["corrected_spec"]).score
    xs = [physics.scene(spec, i, row["seed"]) for i in range(len(spec.scenes))]
    scores = [
        physics.standard_score(physics.psnr(x, x_hat), physics.ssim(x, x_hat, spec.channels))
        for x, x_hat in zip(xs, x_hats, strict=True)
    ]
    return float(np.mean(scores))
