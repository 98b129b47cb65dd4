"""Run the site's own baselines: on every tier and on the standard benchmark.

A baseline is a method of the physics with an operator built from the nominal spec, from a blind
calibration ("+ gradient"), from the middle of the ranges, or from the truth (the oracle). The last
two, and the nominal run of the modality's best method, are rows to compare with: never ranked.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
from django.db import IntegrityError, transaction

from leaderboards.models import Entry, Method, Reference, ScoreTier, Trust
from leaderboards.record import record
from leaderboards.score import SceneScore, TierResult, score_tier, summary
from leaderboards.submission import Calibration, Evaluation, Variant, keep_arrays
from modalities import datasets, physics
from modalities.jobs import JobFailed
from modalities.models import Modality
from modalities.physics import Array, Report, Spec
from modalities.physics.progress import Part

SUFFIX = {
    Variant.NOMINAL: "",
    Variant.GRADIENT: " + gradient",
    Variant.MIDDLE: ", middle of the range",
    Variant.ORACLE: ", oracle",
}
REFERENCE = {
    Variant.NOMINAL: Reference.NOMINAL,
    Variant.MIDDLE: Reference.MIDDLE,
    Variant.ORACLE: Reference.ORACLE,
}


@lru_cache(maxsize=1)
def program_sha256() -> str:
    """Hash the physics code: the program that a baseline is."""
    folder = Path(physics.__file__).parent
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


@lru_cache(maxsize=1)
def environment_sha256() -> str:
    """Hash what the program runs in: Python, machine, and every installed package's version."""
    packages = sorted({f"{d.metadata['Name']}=={d.version}" for d in distributions()})
    text = json.dumps([platform.python_version(), platform.machine(), packages])
    return hashlib.sha256(text.encode()).hexdigest()


def inputs_of(spec: Spec, tier: str) -> str:
    """Name the data and the code of an evaluation."""
    data = "standard" if tier == ScoreTier.STANDARD else tier
    version = datasets.version_of(spec, "public" if data == "standard" else data)
    text = json.dumps([data, version, program_sha256(), physics.METRICS_VERSION])
    return hashlib.sha256(text.encode()).hexdigest()


def queue_missing(modality: Modality) -> list[Evaluation]:
    """Queue every evaluation of ``modality`` that has not run on today's data and code."""
    spec = modality.spec
    queued = []
    for method in runnable(modality):
        for tier, variant, is_reference in _plan(spec, method):
            what = {
                "modality": modality,
                "method": method,
                "tier": tier,
                "variant": variant,
                "inputs": inputs_of(spec, tier),
            }
            if Evaluation.objects.wanted(**what).exists():
                continue
            try:
                with transaction.atomic():
                    queued.append(Evaluation.objects.enqueue(**what, is_reference=is_reference))
            except IntegrityError:
                continue  # another process queued it between our look and our write
    return queued


def _plan(spec: Spec, method: Method) -> list[tuple[str, str, bool]]:
    """List (tier, variant, is_reference) of one method."""
    is_best = method.physics_name == spec.gallery_method
    plan = [(str(ScoreTier.STANDARD), str(Variant.NOMINAL), False)]
    for tier in physics.TIERS:
        plan.append((tier, str(Variant.NOMINAL), is_best))
        if spec.key in physics.CALIBRATE:
            plan.append((tier, str(Variant.GRADIENT), False))
        if is_best:
            plan += [(tier, str(Variant.MIDDLE), True), (tier, str(Variant.ORACLE), True)]
    return plan


def runnable(modality: Modality) -> list[Method]:
    """List the methods that the physics implements for ``modality`` and that can run here."""
    known = physics.METHODS[modality.key]
    rows = Method.objects.for_modality(modality).implemented().order_by("physics_name")
    return [m for m in rows if m.physics_name in known and known[m.physics_name].is_available()]


def compute(evaluation: Evaluation, report: Report) -> Callable[[], None]:
    """Run a baseline; return what writes its result."""
    spec = evaluation.modality.spec
    if evaluation.inputs != inputs_of(spec, evaluation.tier):
        raise JobFailed(
            "outdated",
            "The data or the code changed after this evaluation was queued. "
            "Run run_baselines again for the new ones.",
        )
    try:
        run = _standard if evaluation.tier == ScoreTier.STANDARD else _tier
        found = run(spec, evaluation, report)
    except FileNotFoundError:
        raise JobFailed(
            "no_truth",
            f"The data of the {evaluation.tier} tier are not on this machine. "
            "Run build_datasets here, then run_baselines again.",
        ) from None
    arrays = keep_arrays(evaluation, datasets.sample_names(spec), found.x_hats)
    return lambda: _save(evaluation, found, arrays)


@dataclass(frozen=True)
class Found:
    """What a baseline gave: its score, its reconstructions, the spec it used, its CPU time."""

    result: TierResult
    x_hats: list[Array]
    used: dict[str, float]
    cpu_seconds: float


def _standard(spec: Spec, evaluation: Evaluation, report: Report) -> Found:
    """Reconstruct the gallery's scenes in scenario I: the forward model is known exactly."""
    count = len(spec.scenes)
    scenes, x_hats, start = [], [], time.process_time()
    for i in range(count):
        part = Part(report, i / count, (i + 1) / count)
        done = physics.scenarios.run(spec, evaluation.method.physics_name, i, "I", 0, part)
        score = physics.standard_score(done.psnr, done.ssim)
        scenes.append(
            SceneScore(done.psnr, done.ssim, done.consistency, done.consistency, score, {})
        )
        x_hats.append(done.x_hat)
    return Found(summary(scenes), x_hats, spec.nominal, time.process_time() - start)


def _tier(spec: Spec, evaluation: Evaluation, report: Report) -> Found:
    """Reconstruct a tier's measurements with the variant's operator, and score them."""
    tier, count = evaluation.tier, len(spec.scenes)
    ys = datasets.load_measurements(spec, tier)
    start = time.process_time()
    used, spent = _operator_spec(spec, evaluation, ys, Part(report, 0.0, 0.5))
    H = physics.forward(spec, **used)
    x_hats = []
    for i, y in enumerate(ys):
        part = Part(report, 0.5 + 0.4 * i / count, 0.5 + 0.4 * (i + 1) / count)
        x_hats.append(physics.reconstruct(evaluation.method.physics_name, H, y, part))
    seconds = time.process_time() - start + spent
    result = score_tier(spec, tier, x_hats, [used] * count, Part(report, 0.9, 1.0))
    return Found(result, x_hats, used, seconds)


def _operator_spec(
    spec: Spec, evaluation: Evaluation, ys: list[Array], report: Report
) -> tuple[dict[str, float], float]:
    """Give the mismatch that the operator is built with, and CPU seconds spent on it elsewhere."""
    ranges = datasets.ranges(spec, evaluation.tier)
    if evaluation.variant == Variant.MIDDLE:
        return {name: (low + high) / 2 for name, (low, high) in ranges.items()}, 0.0
    if evaluation.variant == Variant.ORACLE:
        return datasets.load_truth(spec, evaluation.tier).mismatch, 0.0
    if evaluation.variant == Variant.GRADIENT:
        return _calibrated(spec, evaluation, ys, report)
    return spec.nominal, 0.0


def _calibrated(
    spec: Spec, evaluation: Evaluation, ys: list[Array], report: Report
) -> tuple[dict[str, float], float]:
    """Calibrate blind: from the measurements and the ranges. Computed once for all methods."""
    what = {
        "modality": evaluation.modality,
        "tier": evaluation.tier,
        "inputs": evaluation.inputs,
    }
    if known := Calibration.objects.filter(**what).first():
        return dict(known.values), known.cpu_seconds
    start = time.process_time()
    ranges = datasets.ranges(spec, evaluation.tier)
    values = physics.calibrate(spec, ys, ranges, seed=0, report=report)
    seconds = time.process_time() - start
    Calibration.objects.get_or_create(**what, defaults={"values": values, "cpu_seconds": seconds})
    return values, 0.0


def _hash(x_hats: list[Array]) -> str:
    total = hashlib.sha256()
    for x_hat in x_hats:
        total.update(np.ascontiguousarray(x_hat, "<f4").tobytes())
    return total.hexdigest()


def _save(evaluation: Evaluation, found: Found, arrays: str) -> None:
    variant = Variant(evaluation.variant)
    name = evaluation.method.name + SUFFIX[variant]
    entry: Entry = record(
        evaluation.modality,
        evaluation.method,
        evaluation.tier,
        found.result,
        name=f"{name}, nominal spec" if _is_plain(evaluation) else name,
        trust=Trust.RERUN,
        reference=REFERENCE[variant] if evaluation.is_reference else "",
        costs={"cpu_seconds": found.cpu_seconds},
        inputs_sha256=evaluation.inputs,
        program_sha256=program_sha256(),
        outputs_sha256=_hash(found.x_hats),
        environment_sha256=environment_sha256(),
    )
    # An oracle's spec is the truth, which stays in its file.
    is_secret = variant == Variant.ORACLE and evaluation.tier != ScoreTier.PUBLIC
    Evaluation.objects.filter(pk=evaluation.pk).update(
        result=found.result.as_json(),
        corrected_spec=[] if is_secret else [found.used] * len(found.x_hats),
        arrays=arrays,
        entry=entry,
    )


def _is_plain(evaluation: Evaluation) -> bool:
    """Tell a nominal run on a challenge tier, which its name must not hide."""
    return evaluation.variant == Variant.NOMINAL and evaluation.tier != ScoreTier.STANDARD
