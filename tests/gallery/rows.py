"""Runs for tests: real rows, cheap to compute or not computed at all."""

from __future__ import annotations

from itertools import count
from typing import Any

from gallery.models import Run, SceneResult
from gallery.snapshot import digest, samples, take
from modalities import physics
from modalities.models import Modality
from tests.factories import CATALOGUED, make_modality

_numbers = count(1)


def make_run(modality: Modality | None = None, **fields: Any) -> Run:
    """A queued run, of a modality of its own unless one is named."""
    modality = modality or make_modality(f"modality_{next(_numbers)}")
    key = modality.key if modality.key in CATALOGUED else "stem"
    spec = take(physics.load(key))
    values = {"method": "wiener", "spec": spec, "spec_hash": digest(spec)}
    return Run.objects.enqueue(modality=modality, **(values | fields))


def make_results(run: Run, psnr: float = 30.0) -> None:
    """Rows as a finished run has them: scenario II 4 dB below I, III 1 dB below."""
    SceneResult.objects.bulk_create(
        _result(run, scene, scenario, psnr)
        for scene in range(len(samples(run.spec)))
        for scenario in run.scenarios
    )


def _result(run: Run, scene: int, scenario: str, psnr: float) -> SceneResult:
    loss = {"I": 0.0, "II": 4.0, "III": 1.0, "IV": 1.5}[scenario]
    return SceneResult(
        run=run,
        scene=scene,
        group=samples(run.spec)[scene].group,
        scenario=scenario,
        psnr=psnr - loss + scene,
        ssim=0.9 - loss / 40,
        consistency=0.75,
        cpu_seconds=0.1,
        spec_error={"probe_size": 0.0 if scenario == "III" else 0.333},
        truth=run.path(f"scene_{scene:02d}_truth.webp"),
        measurement=run.path(f"scene_{scene:02d}_perturbed.webp"),
        reconstruction=run.path(f"scene_{scene:02d}_{scenario}_reconstruction.webp"),
        difference=run.path(f"scene_{scene:02d}_{scenario}_difference.webp"),
        arrays=run.path(f"scene_{scene:02d}.npz"),
    )


def make_finished_run(modality: Modality | None = None, **fields: Any) -> Run:
    """A run that succeeded, with its rows; it has no files."""
    run = make_run(modality, **fields)
    run.claim("worker-1")
    run.succeed(lambda: make_results(run))
    run.refresh_from_db()
    return run
