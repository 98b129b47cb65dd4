"""The evidence of an entry in one file, which anyone can take away and check.

A bundle is a ZIP: ``manifest.json`` (each tier's score, hashes, corrected specs, versions, seeds),
``log.txt`` (what happened to the jobs), and ``outputs/<tier>.npz`` (reconstructions) for the tiers
whose truth they would not reveal. The archive's comment is the SHA-256 of everything before it:
one changed byte is found. ``leaderboards.scoring.verify`` scores the outputs again.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from leaderboards import tells
from leaderboards.models import Attempt, Entry, ScoreTier
from modalities import datasets, physics

FORMAT = 2
LARGEST = 512 << 20
FIGURES = ("score", "psnr", "ssim", "consistency")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BundleError(ValueError):
    """The file is not a whole bundle; the message says what is wrong with it."""


def write(entry: Entry) -> bytes:
    """Pack the evidence of a measured entry; outputs of open tiers go along."""
    scores = entry.tier_scores.select_related("attempt__repeats", "attempt__modality")
    attempts = {score.tier: score.attempt for score in scores if score.attempt}
    parts: dict[str, bytes] = {"log.txt": _log(attempts).encode()}
    for tier, attempt in attempts.items():
        if tells.is_open(tier) and attempt.arrays:
            with attempt.arrays.open("rb") as file:
                parts[f"outputs/{tier}.npz"] = file.read()
    manifest = _manifest(entry, attempts, parts)
    parts["manifest.json"] = json.dumps(manifest, indent=1, sort_keys=True).encode()
    return _sealed(parts)


def read(content: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Give manifest and parts of a bundle; raise BundleError when a byte was changed."""
    parts = _opened(content)
    manifest = json.loads(parts["manifest.json"])
    for name, sha256 in manifest["files"].items():
        if hashlib.sha256(parts.get(name, b"")).hexdigest() != sha256:
            raise BundleError(f"{name} is not the file that the manifest lists.")
    return manifest, parts


def _manifest(
    entry: Entry, attempts: Mapping[str, Attempt], parts: Mapping[str, bytes]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "entry": str(entry.pk),
        "name": entry.name,
        "method": entry.method.slug,
        "variant": entry.variant,
        "modality": entry.modality.key,
        "board": entry.board,
        "trust": entry.trust,
        "score": entry.score,
        "tiers": {tier: _tier(entry, tier, attempt) for tier, attempt in attempts.items()},
        "certificates": [
            {
                "attempt": str(certificate.attempt_id),
                "second": str(certificate.second_id),
                "second_outputs": certificate.second_outputs_sha256,
            }
            for certificate in entry.certificates()
        ],
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()},
    }


def _tier(entry: Entry, tier: str, attempt: Attempt) -> dict[str, Any]:
    """Describe what counts on a tier, as the tier tells it, with the attempt's own evidence.

    A secret tier keeps its specs to itself: one of the variants is the truth.
    """
    is_open, is_standard = tells.is_open(tier), tier == ScoreTier.STANDARD
    told = tells.to_everybody(tier, attempt.result)
    return {
        **{name: told[name] for name in FIGURES},
        "attempt": str(attempt.pk),
        "kind": attempt.first.kind,
        "hashes": {
            "inputs": attempt.inputs_sha256,
            "program": attempt.program_sha256,
            "outputs": attempt.outputs_sha256,
            "environment": attempt.environment_sha256,
        },
        "environment": attempt.environment,
        "metrics_version": attempt.metrics_version,
        "corrected_spec": attempt.corrected_spec if is_open and not is_standard else [],
        "data_version": attempt.data_version,
        "seed": _seed(entry.modality.spec, tier),
    }


def _seed(spec: physics.Spec, tier: str) -> int | None:
    """Give the seed of scenes and noise where it is no secret."""
    if tier == ScoreTier.STANDARD:
        return 0
    return datasets.draw(spec, tier).seed if tells.is_open(tier) else None


def _log(attempts: Mapping[str, Attempt]) -> str:
    lines = []
    for tier, attempt in attempts.items():
        lines += [f"{tier}: {event}" for event in attempt.events.all()]
    return "\n".join(lines) + "\n"


def _sealed(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(parts):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), parts[name])
    body = file.getvalue()
    comment = f"sha256:{hashlib.sha256(body).hexdigest()}".encode()
    return body[:-2] + len(comment).to_bytes(2, "little") + comment


def _opened(content: bytes) -> dict[str, bytes]:
    at = content.rfind(b"sha256:")
    if at < 0 or len(content) != at + 7 + 64:
        raise BundleError(
            "The file does not end in its checksum: it is not a bundle, or it is cut off."
        )
    body = content[: at - 2] + b"\0\0"
    if hashlib.sha256(body).hexdigest().encode() != content[at + 7 :]:
        raise BundleError("The file is not the one that was written: its checksum differs.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(info.file_size for info in archive.infolist()) > LARGEST:
            raise BundleError("The file unpacks to more than a bundle may hold.")
        return {name: archive.read(name) for name in archive.namelist()}
