"""Compute score against spec error: the public tier, solved with a spec that is wrong on purpose.

One parameter at a time is moved away from the truth; the others are true. Points outside the
tier's range are left out, because nobody can hand them in.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from django.db import IntegrityError, transaction

from leaderboards.models import ScoreTier, SpecCurve
from modalities import datasets, physics
from modalities.jobs import JobFailed
from modalities.models import Modality
from modalities.physics import Array, Report, Spec
from modalities.physics.progress import Part
from modalities.physics.versions import program_sha256

from .baselines import runnable
from .evidence import environment_sha256, inputs_of

# Parts of the tier's range. The inner ones show where the peak lies, the outer ones what is lost.
ERRORS = (-0.2, -0.1, -0.05, -0.025, 0.0, 0.025, 0.05, 0.1, 0.2)


def queue_missing(modality: Modality) -> list[SpecCurve]:
    """Queue every curve that was not computed from today's data and code, the best method first."""
    spec = modality.spec
    inputs = inputs_of(spec, ScoreTier.PUBLIC)
    methods = sorted(runnable(modality), key=lambda m: m.physics_name != spec.gallery_method)
    queued = []
    for method in methods:
        for mismatch in spec.mismatches:
            what = {
                "modality": modality,
                "method": method,
                "parameter": mismatch.name,
                "inputs": inputs,
            }
            if SpecCurve.objects.wanted(**what).exists():
                continue
            try:
                with transaction.atomic():
                    queued.append(SpecCurve.objects.enqueue(**what))
            except IntegrityError:
                continue  # another process queued it between our look and our write
    return queued


def compute(curve: SpecCurve, report: Report) -> Callable[[], None]:
    """Compute ``curve``; return what writes its result in the transaction that ends it."""
    spec = curve.modality.spec
    if curve.inputs != inputs_of(spec, ScoreTier.PUBLIC):
        raise JobFailed(
            "outdated",
            "The data or the code changed after this curve was queued. "
            "Run run_spec_curves again for the new ones.",
        )
    start = time.process_time()
    result = _measured(spec, curve.method.physics_name, curve.parameter, report)
    fields = {
        "result": result,
        "program_sha256": program_sha256(),
        "environment_sha256": environment_sha256(),
        "cpu_seconds": time.process_time() - start,
    }

    def save() -> None:
        SpecCurve.objects.filter(pk=curve.pk).update(**fields)

    return save


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
