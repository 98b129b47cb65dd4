"""What each tier's data follow from: seeds, true mismatch, and the names of samples.

Public data follow from the repository, so that anyone can make them again. Scenes, noise and true
mismatch of dev and hidden follow from the deployment's secret key, and all of them from the task
that the catalogue describes: a changed task shares nothing with the old one, whose truth may be
known. All scenes of a tier, at home and away, share one true mismatch. It is drawn anywhere in the
tier's ranges except near their middles, which guessers try first, and drawn again if it lies so
close to nominal that nobody need calibrate.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from modalities import physics
from modalities.physics import Spec

VERSION = 1
# How far a true value lies from the middle and from the ends of its range, as parts of the range.
MIDDLE, ENDS = 0.06, 0.04
# The smallest mismatch of a tier: root mean square over its parts, in perturbed values.
LEAST_MISMATCH = 0.6


@dataclass(frozen=True)
class Draw:
    """What a tier is made from: a seed of 256 bits and the true mismatch; a secret, so no repr.

    Each scene and each scene's noise has a seed of its own, which tells nothing of the others.
    """

    seed: int = field(repr=False)
    mismatch: dict[str, float] = field(repr=False)

    def of_scene(self, index: int) -> int:
        """Give the seed of the object of sample ``index``."""
        return _derived(self.seed, f"scene {index}")

    def of_noise(self, index: int) -> int:
        """Give the seed of the noise of sample ``index``."""
        return _derived(self.seed, f"noise {index}")


def sample_name(index: int) -> str:
    """Name one sample of a file, counted from 0."""
    return f"sample_{index:02d}"


def sample_names(spec: Spec, tier: str) -> tuple[str, ...]:
    """Name the samples of a tier's file: ``sample_00`` …, those at home, then those away."""
    return tuple(sample_name(i) for i in range(len(spec.samples(tier))))


def ranges(spec: Spec, tier: str) -> dict[str, tuple[float, float]]:
    """Return the range of each unknown in ``tier``, by name."""
    return {m.name: physics.tier_range(spec, m.name, tier) for m in spec.mismatches}


def version_of(spec: Spec, tier: str) -> str:
    """Name what a tier's data follow from: format, task and, for secret tiers, the key.

    A change of phantoms, noise or format that changes the data needs a new VERSION.
    """
    return f"{VERSION}-{_derived(_seed(spec, tier), 'name') >> 208:012x}"


def draw(spec: Spec, tier: str) -> Draw:
    """Draw the tier's seed and true mismatch.

    The seed is HMAC-SHA256 of the whole task under the key, so that a task with another
    perturbation, argument or scene shares neither scenes nor part of the range with this one.
    """
    seed = _seed(spec, tier)
    rng = np.random.default_rng(_derived(seed, "mismatch"))
    while True:
        found = {name: _between(rng, *ends) for name, ends in ranges(spec, tier).items()}
        parts = [(found[m.name] - m.nominal) / (m.perturbed - m.nominal) for m in spec.mismatches]
        if np.sqrt(np.mean(np.square(parts))) >= LEAST_MISMATCH:
            return Draw(seed, found)


def _seed(spec: Spec, tier: str) -> int:
    return _hmac(_key(tier), _task(spec, tier))


def _derived(seed: int, label: str) -> int:
    """Derive one of many independent seeds, each of 256 bits, as HKDF expands a key (RFC 5869)."""
    return _hmac(seed.to_bytes(32, "big"), label)


def _hmac(key: bytes, text: str) -> int:
    return int.from_bytes(hmac.new(key, text.encode(), "sha256").digest(), "big")


def _task(spec: Spec, tier: str) -> str:
    """Write down, in one way only, all of the catalogue that a tier's task consists of.

    Names and descriptions for readers are left out; correcting them keeps the data.
    """
    task = {
        "version": VERSION,
        "tier": tier,
        "modality": spec.key,
        "object": [spec.shape, spec.pixel, spec.unit],
        "chain": [(step.name, step.primitive, step.model, dict(step.args)) for step in spec.chain],
        "mismatch": [(m.name, m.acts_on, m.unit, m.nominal, m.perturbed) for m in spec.mismatches],
        "ranges": ranges(spec, tier),
        "scenes": [(scene.phantom, scene.is_away) for scene in spec.samples(tier)],
    }
    return json.dumps(task, sort_keys=True)


def _key(tier: str) -> bytes:
    if tier == "public":
        return b"pwm public"
    if not settings.DATA_KEY:
        raise ImproperlyConfigured(
            f"PWM_DATA_KEY is not set here, and the {tier} tier follows from it. Workers that "
            "score and build_datasets must have it, all with the same value; web servers do not."
        )
    return settings.DATA_KEY.encode()


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    part = rng.uniform(ENDS, 0.5 - MIDDLE) + rng.integers(2) * (0.5 + MIDDLE - ENDS)
    return float(round(low + part * (high - low), 6))


def spec_errors(
    spec: Spec, tier: str, estimate: Mapping[str, float], truth: Mapping[str, float]
) -> dict[str, float]:
    """Return |Δθ̂ − Δθ| of each unknown as a part of its range in the tier."""
    return {
        name: abs(estimate[name] - truth[name]) / (high - low)
        for name, (low, high) in ranges(spec, tier).items()
    }
