"""The evidence of an entry in one file, which anyone can take away and check.

A bundle is a ZIP: ``manifest.json`` (scores, corrected specs, hashes, versions, seeds),
``log.txt`` (what happened to the jobs), and ``outputs/<tier>.npz`` (reconstructions) for the tiers
whose truth they would not give away. The archive's comment is the SHA-256 of everything before it:
one changed byte is found. ``verify`` scores the outputs again.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from leaderboards.models import Entry
from leaderboards.score import TierResult, score_tier
from leaderboards.submission import Evaluation, Submission
from leaderboards.vocabulary import ScoreTier
from modalities import datasets, physics
from modalities.jobs import State

FORMAT = 1
PACKAGES = ("numpy", "scipy", "numba", "scikit-image", "h5py", "django")
LARGEST = 512 << 20
AGREES = 1e-6
# Reconstructions of these tiers come near a truth that nobody may have.
OPEN_TIERS = (ScoreTier.STANDARD, ScoreTier.PUBLIC)
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BundleError(ValueError):
    """The file is not a whole bundle; the message says what is wrong with it."""


@dataclass(frozen=True)
class Finding:
    """What checking one tier gave."""

    tier: str
    is_confirmed: bool | None
    told: str


def write(entry: Entry, tiers: Collection[str] = OPEN_TIERS) -> bytes:
    """Pack the evidence of a measured entry; ``tiers`` are those whose outputs go along."""
    jobs = _jobs(entry)
    parts: dict[str, bytes] = {"log.txt": _log(jobs).encode()}
    for tier, job in jobs.items():
        if tier in tiers:
            with job.arrays.open("rb") as file:
                parts[f"outputs/{tier}.npz"] = file.read()
    manifest = _manifest(entry, jobs, parts)
    parts["manifest.json"] = json.dumps(manifest, indent=1, sort_keys=True).encode()
    return _sealed(parts)


def verify(content: bytes) -> list[Finding]:
    """Check a bundle: whole, and its scores those of its outputs.

    Needs the truth of the tiers it scores: public and standard follow from the repository, the
    others only from the deployment's key. Raise BundleError when a byte was changed.
    """
    parts = _opened(content)
    manifest = json.loads(parts["manifest.json"])
    for name, sha256 in manifest["files"].items():
        if hashlib.sha256(parts.get(name, b"")).hexdigest() != sha256:
            raise BundleError(f"{name} is not the file that the manifest lists.")
    return [_check(manifest, tier, row, parts) for tier, row in manifest["tiers"].items()]


def _jobs(entry: Entry) -> dict[str, Submission | Evaluation]:
    """Find the newest job behind each tier's score."""
    found: dict[str, Submission | Evaluation] = {}
    for jobs in (entry.submissions, entry.evaluations):
        for job in jobs.filter(state=State.SUCCEEDED).order_by("finished_at"):
            found[job.tier] = job
    return found


def _manifest(entry: Entry, jobs: dict[str, Any], parts: dict[str, bytes]) -> dict[str, Any]:
    spec = entry.modality.spec
    return {
        "format": FORMAT,
        "entry": str(entry.pk),
        "name": entry.name,
        "method": entry.method.slug,
        "modality": entry.modality.key,
        "board": entry.board,
        "trust": entry.trust,
        "score": entry.score,
        "hashes": {
            "inputs": entry.inputs_sha256,
            "program": entry.program_sha256,
            "outputs": entry.outputs_sha256,
            "environment": entry.environment_sha256,
        },
        "versions": {name: version(name) for name in PACKAGES},
        "tiers": {tier: _tier_row(spec, tier, job, parts) for tier, job in jobs.items()},
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()},
    }


def _tier_row(
    spec: physics.Spec, tier: str, job: Submission | Evaluation, parts: dict[str, bytes]
) -> dict[str, Any]:
    """Describe a tier. Without its outputs it keeps its spec to itself, for an oracle's is the
    truth, and tells its scores as the boards print them.
    """
    is_open, is_standard = f"outputs/{tier}.npz" in parts, tier == ScoreTier.STANDARD
    means = {name: job.result[name] for name in ("score", "psnr", "ssim", "consistency")}
    return {
        **(means if is_open else {name: round(value, 3) for name, value in means.items()}),
        "metrics_version": job.result["metrics_version"],
        "corrected_spec": job.corrected_spec if is_open and not is_standard else [],
        "data_version": "gallery" if is_standard else job.modality.datasets.get(tier=tier).version,
        "seed": 0 if is_standard else datasets.draw(spec, tier).seed if tier == "public" else None,
        "job": str(job.pk),
    }


def _log(jobs: dict[str, Any]) -> str:
    lines = []
    for tier, job in jobs.items():
        lines += [f"{tier}: {event}" for event in job.events.all()]
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
        raise BundleError("The file does not end in its checksum: it is no bundle, or cut off.")
    body = content[: at - 2] + b"\0\0"
    if hashlib.sha256(body).hexdigest().encode() != content[at + 7 :]:
        raise BundleError("The file is not the one that was written: its checksum differs.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(info.file_size for info in archive.infolist()) > LARGEST:
            raise BundleError("The file unpacks to more than a bundle may hold.")
        return {name: archive.read(name) for name in archive.namelist()}


def _check(
    manifest: dict[str, Any], tier: str, row: dict[str, Any], parts: dict[str, bytes]
) -> Finding:
    outputs = parts.get(f"outputs/{tier}.npz")
    if outputs is None:
        return Finding(tier, None, "its outputs are not in the bundle, so it was not scored again.")
    spec = physics.load(manifest["modality"])
    with np.load(io.BytesIO(outputs), allow_pickle=False) as arrays:
        x_hats = [arrays[name].astype(float) for name in datasets.sample_names(spec)]
    if tier != ScoreTier.STANDARD and row["data_version"] != datasets.version_of(spec, tier):
        return Finding(tier, None, f"its data ({row['data_version']}) are not those of this site.")
    try:
        again = _score(spec, tier, x_hats, row)
    except FileNotFoundError:
        return Finding(tier, None, "the truth of this tier is not here; run build_datasets first.")
    agrees = abs(again - row["score"]) <= AGREES
    told = f"printed {row['score']:.6f}, computed again {again:.6f}."
    return Finding(tier, agrees, told)


def _score(spec: physics.Spec, tier: str, x_hats: list[Any], row: dict[str, Any]) -> float:
    if tier != ScoreTier.STANDARD:
        result: TierResult = score_tier(spec, tier, x_hats, row["corrected_spec"])
        return result.score
    xs = [physics.scene(spec, i, row["seed"]) for i in range(len(spec.scenes))]
    scores = [
        physics.standard_score(physics.psnr(x, x_hat), physics.ssim(x, x_hat))
        for x, x_hat in zip(xs, x_hats, strict=True)
    ]
    return float(np.mean(scores))
