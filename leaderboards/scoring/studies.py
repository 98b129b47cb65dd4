"""Compute what the public tier tells of specs: score against spec error, and Cramér-Rao bounds.

A curve is the public tier solved with a spec that is wrong on purpose. One parameter at a time is
moved away from the truth; the others are true. Points outside the tier's range are left out,
because nobody can hand them in.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction

from leaderboards.models import Bound, ScoreTier, SpecCurve
from leaderboards.models.study import Study
from modalities import datasets, physics
from modalities.jobs import JobFailed
from modalities.models import Modality
from modalities.physics import Array, Report, Spec, bounds
from modalities.physics.progress import Part
from modalities.physics.versions import program_sha256

from .baselines import runnable
from .evidence import environment_sha256, inputs_of

# Parts of the tier's range. The inner ones show where the peak lies, the outer ones what is lost.
ERRORS = (-0.15, -0.06, -0.03, 0.0, 0.03, 0.06, 0.15)
# Steps of conjugate gradients for the bound with an unknown object; fewer give a lower bound.
STEPS = 40


def queue_missing(modality: Modality) -> list[Study]:
    """Queue the bounds and every curve that today's data and code lack, the best method first."""
    spec = modality.spec
    what = {"modality": modality, "inputs": inputs_of(spec, ScoreTier.PUBLIC)}
    wanted: list[tuple[type[Bound | SpecCurve], dict[str, Any]]] = [(Bound, what)]
    for method in sorted(runnable(modality), key=lambda m: m.physics_name != spec.gallery_method):
        for m in spec.mismatches:
            wanted.append((SpecCurve, what | {"method": method, "parameter": m.name}))
    return [study for kind, fields in wanted if (study := _queued(kind, fields))]


def _queued(kind: type[Bound | SpecCurve], what: dict[str, Any]) -> Study | None:
    if kind.objects.wanted(**what).exists():
        return None
    try:
        with transaction.atomic():
            queued: Study = kind.objects.enqueue(**what)
            return queued
    except IntegrityError:
        return None  # another process queued it between our look and our write


def curve(study: SpecCurve, report: Report) -> Callable[[], None]:
    """Compute a curve; return what writes its result in the transaction that ends it."""
    name = study.method.physics_name
    return _computed(study, lambda spec: _measured(spec, name, study.parameter, report))


def bound(study: Bound, report: Report) -> Callable[[], None]:
    """Compute the bounds; return what writes them in the transaction that ends the job."""
    return _computed(study, lambda spec: _bounds(spec, report))


def _computed(study: Study, compute: Callable[[Spec], dict[str, Any]]) -> Callable[[], None]:
    spec = study.modality.spec
    if study.inputs != inputs_of(spec, ScoreTier.PUBLIC):
        raise JobFailed(
            "outdated",
            "The data or the code changed after this was queued. "
            "Run run_spec_studies again for the new ones.",
        )
    start = time.process_time()
    fields = {
        "result": compute(spec),
        "program_sha256": program_sha256(),
        "environment_sha256": environment_sha256(),
        "cpu_seconds": time.process_time() - start,
    }

    def save() -> None:
        type(study)._default_manager.filter(pk=study.pk).update(**fields)

    return save


def _bounds(spec: Spec, report: Report) -> dict[str, dict[str, float | None]]:
    truth = datasets.load_truth(spec, "public")
    found: dict[str, dict[str, float | None]] = {}
    for is_known, name in ((True, "known"), (False, "unknown")):
        total = np.zeros((len(spec.mismatches),) * 2)
        for i, x in enumerate(truth.x):
            report(f"object {name}, scene {i + 1} of {len(truth.x)}", i / len(truth.x))
            total += bounds.fisher_information(
                spec, truth.mismatch, physics.double(x), is_known, iterations=STEPS
            )
        values = bounds.standard_deviations(spec, total)
        found[name] = {key: v if math.isfinite(v) else None for key, v in values.items()}
    return found


def _measured(spec: Spec, method: str, parameter: str, report: Report) -> dict[str, list[float]]:
    truth = datasets.load_truth(spec, "public")
    ys = datasets.load_measurements(spec, "public")
    low, high = datasets.ranges(spec, "public")[parameter]
    true = truth.mismatch[parameter]
    errors = [e for e in ERRORS if low <= true + e * (high - low) <= high]
    is_away = np.array([scene.is_away for scene in spec.samples("public")])
    rows = []
    for i, error in enumerate(errors):
        part = Part(report, i / len(errors), (i + 1) / len(errors))
        used = truth.mismatch | {parameter: true + error * (high - low)}
        rows.append(_scores(spec, method, truth.x, ys, used, part))
    table = np.array(rows)  # (error, scene, score or PSNR)
    found = {"errors": errors}
    for place, which in (("", slice(None)), ("_home", ~is_away), ("_away", is_away)):
        here = table[:, which]
        if here.shape[1]:
            found[f"score{place}"] = here[:, :, 0].mean(axis=1).tolist()
            found[f"psnr{place}"] = here[:, :, 1].mean(axis=1).tolist()
    return found


def _scores(
    spec: Spec, method: str, xs: Array, ys: list[Array], used: dict[str, float], report: Report
) -> list[tuple[float, float]]:
    """Reconstruct each scene with the spec ``used``; return its tier score and its PSNR."""
    H = physics.forward(spec, **used)
    scores = []
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        report(f"scene {i + 1} of {len(ys)}", i / len(ys))
        x_hat = physics.reconstruct(method, H, y, Part(report, i / len(ys), (i + 1) / len(ys)))
        psnr, ssim = physics.psnr(x, x_hat), physics.ssim(x, x_hat, spec.channels)
        score = physics.tier_score(psnr, ssim, physics.consistency(y, H, x_hat))
        scores.append((score, psnr))
    return scores
