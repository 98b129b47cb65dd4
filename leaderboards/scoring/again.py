"""Run a baseline again from what its bundle records, and compare the outputs.

The recorded program is that of this copy or it is not: its SHA-256 covers all code of the physics.
Where a method is deterministic and the environment the same, the outputs must be the same bytes.
Elsewhere they must agree within a tolerance, and the rows say which promise was held.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from django.core.exceptions import ImproperlyConfigured

from leaderboards import tells
from leaderboards.bundle import Manifest
from leaderboards.models import Attempt, Kind, Method
from leaderboards.models.decisions import TOLERANCE
from modalities import physics
from modalities.jobs import JobFailed
from modalities.models import Modality
from modalities.physics import Array, Report, Spec
from modalities.physics.progress import Part
from modalities.physics.versions import HERE, hash_of, program_sha256

from . import baselines
from .evidence import Result, data_version, environment_sha256, inputs_of, outputs_sha256
from .verify import Row, Verdict, outputs_of, spec_of

# Root mean square difference of two runs of one deterministic program in two environments: 60 dB
# below the data range of 1, and 20 dB below the error of a reconstruction of 40 dB.
OUTPUTS_TOLERANCE = 1e-3
NOT_HERE = (
    "its data follow from the site's secret key: only the site can run it again, where "
    "PWM_DATA_KEY is set and build_datasets has run."
)


def rerun(
    manifest: Manifest,
    parts: Mapping[str, bytes],
    report: Report = physics.silent,
    *,
    any_code: bool = False,
) -> list[Row]:
    """Run every tier of a bundle again; give rows that begin with ``rerun.<tier>``.

    any_code: run it although the physics here is not the recorded one, and compare scores alone.
    """
    spec, tiers = spec_of(manifest), manifest["claimed"]["tiers"]
    rows = []
    for i, tier in enumerate(tiers):
        part = Part(report, i / len(tiers), (i + 1) / len(tiers))
        rows += _tier(spec, manifest, tier, outputs_of(tier, parts), part, any_code)
    return rows


def _tier(
    spec: Spec,
    manifest: Manifest,
    tier: str,
    x_hats: Sequence[Array] | None,
    report: Report,
    any_code: bool,
) -> list[Row]:
    recorded = manifest["computed"]["tiers"][tier] | manifest["claimed"]["tiers"][tier]
    program, here = recorded["program"], program_sha256()

    def unchecked(why: str) -> list[Row]:
        return [Row(f"rerun.{tier}", recorded["outputs"], None, Verdict.UNCHECKED, why)]

    if recorded["kind"] == Kind.PROGRAM:
        return unchecked("somebody's program gave these outputs, and the site alone has it.")
    if recorded["kind"] != Kind.BASELINE:
        return unchecked("somebody sent these outputs; the site has no program to run.")
    if program != here and not any_code:
        return unchecked(
            f"it ran physics {program[:12]}, and this copy has {here[:12]}: {where_is(program)} "
            "Or give --any-code to compare the scores of this code with its."
        )
    try:
        if recorded["data_version"] != data_version(spec, tier):
            other = f"its data, {recorded['data_version']}, are not those of this copy."
            return unchecked(other if tells.is_open(tier) else NOT_HERE)
        done = _run(spec, manifest["claimed"], tier, report)
    except (FileNotFoundError, ImproperlyConfigured):
        return unchecked("run build_datasets first." if tells.is_open(tier) else NOT_HERE)
    except (JobFailed, LookupError, physics.CatalogueError) as error:
        return unchecked(f"it cannot be run here: {error}")
    return _compared(spec, manifest, tier, x_hats, done)


def _run(spec: Spec, claimed: Manifest, tier: str, report: Report) -> Result:
    """Run a baseline as an attempt that no database knows of."""
    attempt = Attempt(
        kind=Kind.BASELINE,
        modality=Modality(key=spec.key),
        method=Method(physics_name=claimed["method"]["physics_name"]),
        tier=tier,
        variant=claimed["variant"],
        inputs=inputs_of(spec, tier),
    )
    return baselines.run(attempt, report, from_nothing=True)


def _compared(
    spec: Spec, manifest: Manifest, tier: str, x_hats: Sequence[Array] | None, done: Result
) -> list[Row]:
    """Compare program, specs, outputs and score: by bytes where promised, else by tolerances."""
    claimed = manifest["claimed"]["tiers"][tier]
    recorded = manifest["computed"]["tiers"][tier] | claimed
    promise = _promise(spec, manifest["claimed"]["method"]["physics_name"], recorded)
    outputs = outputs_sha256(done.x_hats)
    rows = [
        _row(tier, "program", recorded["program"], program_sha256(), promise),
        _outputs(tier, recorded["outputs"], outputs, promise, x_hats, done.x_hats),
        _score(tier, recorded["figures"]["score"], done, promise),
    ]
    for field in ("corrected_spec", "spec_intervals"):
        if claimed[field]:
            again = json.loads(json.dumps(getattr(done, field)))
            rows.append(_row(tier, field, claimed[field], again, promise))
    return rows


class Promise(StrEnum):
    """What two runs of a baseline have to have in common."""

    BYTES = "method, code and environment promise the same bytes"
    CLOSE = "in another environment outputs are promised to be close"
    SCORE = "the method draws at random: two runs promise the same score alone"
    NOTHING = "other code ran here, as asked: nothing was promised"


def _promise(spec: Spec, method: str, recorded: Mapping[str, Any]) -> Promise:
    if recorded["program"] != program_sha256():
        return Promise.NOTHING
    if not physics.METHODS[spec.key][method].is_deterministic:
        return Promise.SCORE
    same = recorded["environment_sha256"] == environment_sha256()
    return Promise.BYTES if same else Promise.CLOSE


def _row(tier: str, field: str, recorded: Any, again: Any, promise: Promise) -> Row:
    """Compare exactly; where that was not promised, another value is no finding."""
    field = f"rerun.{tier}.{field}"
    if recorded == again:
        return Row(field, recorded, again, Verdict.CONFIRMED)
    verdict = Verdict.DIFFERS if promise == Promise.BYTES else Verdict.UNCHECKED
    return Row(field, recorded, again, verdict, promise)


def _outputs(
    tier: str,
    recorded: str,
    again: str,
    promise: Promise,
    x_hats: Sequence[Array] | None,
    others: Sequence[Array],
) -> Row:
    if recorded == again or promise != Promise.CLOSE or x_hats is None:
        return _row(tier, "outputs", recorded, again, promise)
    rms = _rms(x_hats, others)
    verdict = Verdict.CONFIRMED if rms <= OUTPUTS_TOLERANCE else Verdict.DIFFERS
    why = f"{promise}: RMS difference {rms:.1e}, tolerance {OUTPUTS_TOLERANCE:.0e}"
    return Row(f"rerun.{tier}.outputs", recorded, again, verdict, why)


def _score(tier: str, told: float, done: Result, promise: Promise) -> Row:
    again = tells.to_everybody(tier, done.tier.as_json())["score"]
    why = f"within {TOLERANCE}, as two runs of a certificate must be"
    verdict = Verdict.CONFIRMED
    if not _is_within(tier, done, told):
        why = f"not {why}"
        verdict = Verdict.UNCHECKED if promise == Promise.NOTHING else Verdict.DIFFERS
    return Row(f"rerun.{tier}.score", told, again, verdict, why)


def _is_within(tier: str, done: Result, told: float) -> bool:
    """Tell whether a score within the tolerance of ours would be told as ``told``."""
    result = done.tier.as_json()
    low, high = (
        tells.to_everybody(tier, result | {"score": result["score"] + d})["score"]
        for d in (-TOLERANCE, TOLERANCE)
    )
    return bool(low <= told <= high)


def _rms(x_hats: Sequence[Array], others: Sequence[Array]) -> float:
    pairs = zip(x_hats, others, strict=True)
    return float(np.sqrt(np.mean([np.mean(np.abs(x - other) ** 2) for x, other in pairs])))


def where_is(program: str) -> str:
    """Say which commit has the physics with this SHA-256, as far as the history here tells."""
    commit = commit_of(program)
    if commit:
        return f"check out commit {commit} and verify there."
    return "no commit in the history of this copy has it; ask the site for it."


def commit_of(program: str) -> str | None:
    """Find the newest commit whose physics has this SHA-256; None without git or such a commit."""
    try:
        commits = _git("log", "--format=%H", "HEAD", "--", ".").decode().split()
        return next((commit for commit in commits if _program_at(commit) == program), None)
    except (OSError, subprocess.CalledProcessError):
        return None


def _program_at(commit: str) -> str:
    """Hash the physics of a commit as ``program_sha256`` does its files."""
    listed = _git("ls-tree", "-r", "-z", "--format=%(objectname) %(path)", commit, ".").decode()
    pairs = [line.split(" ", 1) for line in listed.split("\0") if line.endswith(".py")]
    names = "".join(f"{name}\n" for name, _ in pairs).encode()
    contents = _batch(_git("cat-file", "--batch", asked=names))
    return hash_of(
        (Path(path), content) for (_, path), content in zip(pairs, contents, strict=True)
    )


def _batch(answer: bytes) -> list[bytes]:
    """Split what ``git cat-file --batch`` says: a line with the size, the content, a newline."""
    contents, at = [], 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        size = int(answer[at:end].rpartition(b" ")[2])
        contents.append(answer[end + 1 : end + 1 + size])
        at = end + size + 2
    return contents


def _git(*arguments: str, asked: bytes | None = None) -> bytes:
    done = subprocess.run(
        ["git", *arguments], cwd=HERE, input=asked, capture_output=True, check=True
    )
    return done.stdout
