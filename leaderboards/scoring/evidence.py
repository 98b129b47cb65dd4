"""The evidence of an attempt: hashes of what went in, what ran, what came out, and where."""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import distributions, version
from typing import Any

import numpy as np

from leaderboards.models import Attempt, ScoreTier
from modalities import datasets, physics
from modalities.physics import Array, Spec
from modalities.physics.versions import program_sha256

from .score import Intervals, TierResult

# Those that the figures depend on.
PACKAGES = ("numpy", "scipy", "numba", "scikit-image", "h5py")


@dataclass(frozen=True)
class Result:
    """What an attempt gave: its score, its reconstructions, and the spec of each sample.

    spec_intervals: the 95 % interval of each parameter, per sample; None for a parameter that was
    abstained from, and for a sample without any. program_sha256 is empty where nobody's program ran
    here. cpu_seconds is the method's own. environment and its hash: of what a person's program ran
    in; None where it was this process.
    """

    tier: TierResult
    x_hats: Sequence[Array]
    corrected_spec: list[dict[str, float]]
    inputs_sha256: str
    program_sha256: str = ""
    cpu_seconds: float | None = None
    peak_memory_mb: float | None = None
    spec_intervals: Sequence[Intervals | None] = ()
    environment: Mapping[str, str] | None = None
    environment_sha256: str = ""


@lru_cache(maxsize=1)
def environment() -> dict[str, str]:
    """Name Python, the machine and the packages that the figures depend on."""
    packages = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "machine": platform.machine(), **packages}


@lru_cache(maxsize=1)
def environment_sha256() -> str:
    """Hash what a program runs in: Python, machine, and every installed package's version."""
    packages = sorted({f"{d.metadata['Name']}=={d.version}" for d in distributions()})
    return _hash_json([platform.python_version(), platform.machine(), packages])


def data_version(spec: Spec, tier: str) -> str:
    """Name the data of a tier's scores; the standard board's are the gallery's."""
    return datasets.version_of(spec, "public" if tier == ScoreTier.STANDARD else tier)


def inputs_of(spec: Spec, tier: str) -> str:
    """Name data and code of a baseline: the same inputs give the same result."""
    version = data_version(spec, tier)
    return inputs_from(tier, version, program_sha256(), physics.METRICS_VERSION)


def inputs_of_file(spec: Spec, tier: str, sha256: str) -> str:
    """Name what the score of a file follows from: its bytes, the data, and the metrics."""
    return inputs_from(tier, data_version(spec, tier), sha256, physics.METRICS_VERSION)


def inputs_from(tier: str, version: str, what: str, metrics: str) -> str:
    """Hash all that a score follows from; ``what``: the SHA-256 of the program or of the file."""
    return _hash_json([tier, version, what, metrics])


def outputs_sha256(x_hats: Sequence[Array]) -> str:
    """Hash reconstructions, as float32 or complex64."""
    total = hashlib.sha256()
    for x_hat in x_hats:
        stored = physics.single(x_hat)
        total.update(stored.astype(stored.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


def packed(x_hats: Sequence[Array]) -> bytes:
    """Pack reconstructions as .npz (float32 or complex64), by sample."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {
        datasets.sample_name(i): physics.single(x_hat) for i, x_hat in enumerate(x_hats)
    }
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def fields_of(attempt: Attempt, result: Result) -> dict[str, Any]:
    """Give all that an attempt keeps of its result, to be written in one UPDATE."""
    return {
        "result": result.tier.as_json(),
        "score": result.tier.score,
        "corrected_spec": result.corrected_spec,
        "spec_intervals": list(result.spec_intervals),
        "metrics_version": result.tier.metrics_version,
        "data_version": data_version(attempt.modality.spec, attempt.tier),
        "inputs_sha256": result.inputs_sha256,
        "program_sha256": result.program_sha256,
        "outputs_sha256": outputs_sha256(result.x_hats),
        "environment_sha256": result.environment_sha256 or environment_sha256(),
        "environment": environment() if result.environment is None else dict(result.environment),
        "cpu_seconds": result.cpu_seconds,
        "peak_memory_mb": result.peak_memory_mb,
    }


def _hash_json(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
