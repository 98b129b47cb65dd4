"""Run the site's own baselines: on every tier and on the standard benchmark.

A baseline is a method of the physics with an operator built from the nominal spec, from a blind
calibration ("+ gradient"), from the middle of the ranges, or from the truth ("true spec"). The last
two, and the nominal run of the modality's best method, are rows to compare with: never ranked.
"""

from __future__ import annotations

import time

from django.db import IntegrityError, transaction

from leaderboards.models import QUEUES, Attempt, Kind, Method, ScoreTier, Variant
from modalities import datasets, physics
from modalities.jobs import JobFailed
from modalities.models import Modality
from modalities.physics import Report, Spec
from modalities.physics.progress import Part
from modalities.physics.versions import program_sha256

from .calibrations import belief
from .evidence import Result, inputs_of
from .score import SceneScore, score_tier, summary


def queue_missing(modality: Modality) -> list[Attempt]:
    """Queue every baseline of ``modality`` that has not run on today's data and code."""
    spec = modality.spec
    queued = []
    for method in runnable(modality):
        for tier, variant in _plan(spec, method):
            what = {
                "kind": Kind.BASELINE,
                "modality": modality,
                "method": method,
                "tier": tier,
                "variant": variant,
                "inputs": inputs_of(spec, tier),
            }
            if Attempt.objects.wanted(**what).exists():
                continue
            try:
                with transaction.atomic():
                    queued.append(Attempt.objects.enqueue(queue=QUEUES[Kind.BASELINE], **what))
            except IntegrityError:
                continue  # another process queued it between our look and our write
    return queued


def _plan(spec: Spec, method: Method) -> list[tuple[str, str]]:
    """List (tier, variant) of one method."""
    plan = [(str(ScoreTier.STANDARD), str(Variant.NOMINAL))]
    for tier in physics.TIERS:
        plan += [(tier, str(Variant.NOMINAL)), (tier, str(Variant.GRADIENT))]
        if method.physics_name == spec.gallery_method:
            plan += [(tier, str(Variant.MIDDLE)), (tier, str(Variant.TRUE_SPEC))]
    return plan


def runnable(modality: Modality) -> list[Method]:
    """List the methods that the physics implements for ``modality`` and that can run here."""
    known = physics.METHODS[modality.key]
    rows = Method.objects.for_modality(modality).implemented().order_by("physics_name")
    return [m for m in rows if m.physics_name in known and known[m.physics_name].is_available()]


def run(attempt: Attempt, report: Report, *, from_nothing: bool = False) -> Result:
    """Run a baseline; ``from_nothing``: compute its calibration too, even if one is stored."""
    spec = attempt.modality.spec
    if attempt.inputs != inputs_of(spec, attempt.tier):
        raise JobFailed(
            "outdated",
            "The data or the code changed after this baseline was queued. "
            "Run run_baselines again for the new ones.",
        )
    if attempt.tier == ScoreTier.STANDARD:
        return _standard(spec, attempt, report)
    return _tier(spec, attempt, report, from_nothing)


def _standard(spec: Spec, attempt: Attempt, report: Report) -> Result:
    """Reconstruct the gallery's scenes in scenario I: the forward model is known exactly."""
    count = len(spec.scenes)
    H = physics.forward(spec)
    scenes, x_hats, start = [], [], time.process_time()
    for i in range(count):
        part = Part(report, i / count, (i + 1) / count)
        done = physics.scenarios.run(spec, attempt.method.physics_name, i, "I", 0, part)
        score = physics.standard_score(done.psnr, done.ssim)
        ceiling = physics.consistency(done.y, H, done.x)
        scenes.append(SceneScore(done.psnr, done.ssim, done.consistency, ceiling, score, {}))
        x_hats.append(done.x_hat)
    return Result(
        tier=summary(scenes),
        x_hats=x_hats,
        corrected_spec=[spec.nominal] * count,
        inputs_sha256=attempt.inputs,
        program_sha256=program_sha256(),
        cpu_seconds=time.process_time() - start,
    )


def _tier(spec: Spec, attempt: Attempt, report: Report, from_nothing: bool) -> Result:
    """Reconstruct a tier's measurements with the variant's operator, and score them."""
    tier = attempt.tier
    ys = datasets.load_measurements(spec, tier)
    count = len(ys)
    start = time.process_time()
    believed = belief(spec, attempt, ys, Part(report, 0.0, 0.5), from_nothing)
    used = believed.values
    H = physics.forward(spec, **used)
    x_hats = []
    for i, y in enumerate(ys):
        part = Part(report, 0.5 + 0.4 * i / count, 0.5 + 0.4 * (i + 1) / count)
        x_hats.append(physics.reconstruct(attempt.method.physics_name, H, y, part))
    seconds = time.process_time() - start + believed.seconds
    # The true spec of a secret tier stays in its file.
    is_secret = attempt.variant == Variant.TRUE_SPEC and tier != ScoreTier.PUBLIC
    intervals = [believed.intervals] * count if believed.intervals else []
    return Result(
        tier=score_tier(spec, tier, x_hats, [used] * count, intervals, Part(report, 0.9, 1.0)),
        x_hats=x_hats,
        corrected_spec=[] if is_secret else [used] * count,
        spec_intervals=intervals,
        inputs_sha256=attempt.inputs,
        program_sha256=program_sha256(),
        cpu_seconds=seconds,
    )
