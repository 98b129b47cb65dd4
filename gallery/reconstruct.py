"""Compute a run: every scene in every scenario, as pictures, arrays and scores."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from modalities import physics
from modalities.jobs.files import Files
from modalities.jobs.usage import measured
from modalities.physics.progress import Part, Report
from modalities.physics.scenarios import Outcome

from . import images, snapshot
from .models import Run, SceneResult

# The mismatch that was found from the scenes of each group.
Calibrated = dict[str, dict[str, float]]
WHERE = {physics.HOME: "at home", physics.AWAY: "away"}
# What calibration takes of the time, about, where a modality has one.
CALIBRATION_SHARE = 0.4


def compute(run: Run, report: Report) -> Callable[[], None]:
    """Compute ``run`` from its own spec; return what writes its rows when the run still holds."""
    spec = snapshot.restore(run.spec)
    with Files(run) as files, measured() as usage:
        calibrated = _calibrate(spec, run.seed, Part(report, 0.0, CALIBRATION_SHARE))
        done = CALIBRATION_SHARE if calibrated else 0.0
        results = _results(run, spec, calibrated, files, Part(report, done, 1.0))
    return lambda: _save(run, calibrated, results, usage.cpu_seconds)


def _calibrate(spec: physics.Spec, seed: int, report: Report) -> Calibrated:
    """Find the mismatch blind, once from the scenes at home and once from those away."""
    groups = [group for group in physics.GROUPS if spec.group(group)]
    return {
        group: _calibrate_group(
            spec, seed, group, Part(report, i / len(groups), (i + 1) / len(groups))
        )
        for i, group in enumerate(groups)
    }


def _calibrate_group(spec: physics.Spec, seed: int, group: str, report: Report) -> dict[str, float]:
    report = _named(f"Calibrating from the scenes {WHERE[group]}", report)
    return physics.scenarios.calibrated(spec, seed, report, group).values


def _results(
    run: Run, spec: physics.Spec, calibrated: Calibrated, files: Files, report: Report
) -> list[SceneResult]:
    scenarios = [s for s in physics.scenarios.SCENARIOS if s != "IV" or calibrated]
    samples = spec.samples("public")
    count = len(samples)
    results: list[SceneResult] = []
    for index, sample in enumerate(samples):
        part = Part(report, index / count, (index + 1) / count)
        outcomes = {}
        for i, scenario in enumerate(scenarios):
            here = Part(part, i / len(scenarios), (i + 1) / len(scenarios))
            outcomes[scenario] = physics.scenarios.run(
                spec,
                run.method,
                index,
                scenario,
                run.seed,
                _named(f"Scene {index + 1} of {count}, scenario {scenario}", here),
                calibrated.get(sample.group),
            )
        results += _keep_scene(run, spec, index, outcomes, files)
    return results


def _keep_scene(
    run: Run, spec: physics.Spec, index: int, outcomes: dict[str, Outcome], files: Files
) -> list[SceneResult]:
    """Store what one scene gave; return its rows, not saved yet."""
    scene = f"scene_{index:02d}"
    nominal = outcomes["I"]
    scale = images.measurement_scale(nominal.y)
    truth = files.keep(f"{scene}_truth.webp", images.object_picture(nominal.x, spec.channels))
    arrays = files.keep(f"{scene}.npz", _arrays(outcomes))
    measured = {
        name: files.keep(f"{scene}_{name}.webp", images.measurement_picture(outcome.y, scale))
        for name, outcome in (("nominal", nominal), ("perturbed", outcomes["II"]))
    }
    rows = []
    for scenario, outcome in outcomes.items():
        pictures = {
            "reconstruction": images.object_picture(outcome.x_hat, spec.channels),
            "difference": images.error_picture(outcome.x, outcome.x_hat, spec.channels),
        }
        kept = {
            kind: files.keep(f"{scene}_{scenario}_{kind}.webp", picture)
            for kind, picture in pictures.items()
        }
        rows.append(
            SceneResult(
                run=run,
                scene=index,
                group=spec.samples("public")[index].group,
                scenario=scenario,
                psnr=outcome.psnr,
                ssim=outcome.ssim,
                consistency=outcome.consistency,
                cpu_seconds=outcome.cpu_seconds,
                spec_error=spec_error(spec, scenario, outcome.mismatch_used),
                truth=truth,
                measurement=measured["nominal" if scenario == "I" else "perturbed"],
                arrays=arrays,
                **kept,
            )
        )
    return rows


def _arrays(outcomes: dict[str, Outcome]) -> bytes:
    """Pack a scene's arrays as NumPy's .npz, float32 or complex64."""
    arrays = {
        "truth": outcomes["I"].x,
        "measurement_nominal": outcomes["I"].y,
        "measurement_perturbed": outcomes["II"].y,
    } | {f"reconstruction_{name}": outcome.x_hat for name, outcome in outcomes.items()}
    file = io.BytesIO()
    packed: dict[str, Any] = {k: physics.single(v) for k, v in arrays.items()}
    np.savez_compressed(file, **packed)
    return file.getvalue()


def spec_error(spec: physics.Spec, scenario: str, used: dict[str, float]) -> dict[str, float]:
    """Give |believed − true| over the width of the public range, for each mismatch."""
    true = spec.nominal if scenario == "I" else spec.perturbed
    errors = {}
    for name, value in used.items():
        low, high = physics.tier_range(spec, name, "public")
        errors[name] = abs(value - true[name]) / (high - low)
    return errors


def _named(prefix: str, report: Report) -> Report:
    return lambda phase, fraction: report(f"{prefix}: {phase}", fraction)


def _save(run: Run, calibrated: Calibrated, results: list[SceneResult], seconds: float) -> None:
    """Write the rows of a finished run; called inside the transaction that ends it."""
    by_scene: list[dict[str, float]] = [{} for _ in snapshot.samples(run.spec)]
    for result in results:
        by_scene[result.scene][result.scenario] = result.psnr
    SceneResult.objects.bulk_create(results)
    Run.objects.filter(pk=run.pk).update(
        physics_version=snapshot.physics_version(),
        calibrated=calibrated.get(physics.HOME, {}),
        calibrated_away=calibrated.get(physics.AWAY, {}),
        violations=physics.scenarios.violations(by_scene),
        cpu_seconds=seconds,
    )
