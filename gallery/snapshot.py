"""A spec as a run keeps it: JSON that says exactly what was computed, and a hash to compare by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from modalities import physics
from modalities.physics.versions import program_sha256


def take(spec: physics.Spec) -> dict[str, Any]:
    """Write ``spec`` as JSON data; ``restore`` gives it back."""
    data: dict[str, Any] = json.loads(json.dumps(asdict(spec)))
    return data


def restore(data: dict[str, Any]) -> physics.Spec:
    """Read a spec back from what ``take`` wrote."""
    parts = {
        "shape": tuple(data["shape"]),
        "axes": tuple(data["axes"]),
        "chain": tuple(physics.Step(**step) for step in data["chain"]),
        "mismatches": tuple(physics.Mismatch(**row) for row in data["mismatches"]),
        "scenes": _scenes(data["scenes"]),
        "away": _scenes(data["away"]),
    }
    return physics.Spec(**(data | parts))


def samples(data: dict[str, Any]) -> tuple[physics.Scene, ...]:
    """List the scenes that a run shows: the public tier's, those at home first."""
    return restore(data).samples("public")


def _scenes(rows: list[dict[str, Any]]) -> tuple[physics.Scene, ...]:
    return tuple(physics.Scene(**(row | {"tiers": tuple(row["tiers"])})) for row in rows)


def digest(data: dict[str, Any]) -> str:
    """Hash what ``take`` wrote: SHA-256 of its canonical JSON, in hexadecimal."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def current_digest(key: str) -> str:
    """Hash the spec that the catalogue has for ``key`` now."""
    return digest(take(physics.load(key)))


def physics_version() -> str:
    """Name the physics code that this process runs."""
    return program_sha256()[:12]
