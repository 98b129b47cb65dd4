"""Calibrate a measured series from its views alone, and set the package's alignment beside it.

The package's alignment is read after ours is found, and only compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gallery.images import webp
from modalities import physics
from modalities.jobs.files import Files
from modalities.jobs.usage import measured
from modalities.jobs.worker import JobRefused
from modalities.physics import tilt_alignment as align
from modalities.physics.methods.sirt import sirt
from modalities.physics.progress import Part, Report
from modalities.physics.versions import program_sha256

from .models import Calibration
from .series import SERIES, Array, NotThere, TiltSeries, recorded, spec_of, stored_alignment

# The residual is looked at so far on either side of the turn that was found, in degrees.
TURNS = np.linspace(-3.0, 3.0, 9)
BACKLASHES = np.linspace(-1.5, 1.5, 7)
EVERY = 8  # slices
ITERATIONS = 20


def compute(calibration: Calibration, report: Report) -> Callable[[], None]:
    """Calibrate and reconstruct; return what writes the result when the job still holds."""
    series = SERIES[calibration.series]
    try:
        y = recorded(series)
        with Files(calibration) as files, measured() as usage:
            result, pictures = _computed(series, y, files, report)
    except NotThere as problem:
        raise JobRefused("no_data", str(problem)) from problem
    return lambda: _save(calibration, series, result, pictures, usage.cpu_seconds)


def _save(
    calibration: Calibration,
    series: TiltSeries,
    result: dict[str, Any],
    pictures: dict[str, str],
    seconds: float,
) -> None:
    Calibration.objects.filter(pk=calibration.pk).update(
        file_sha256=series.recorded.sha256,
        program_sha256=program_sha256(),
        cpu_seconds=seconds,
        result=result,
        pictures=pictures,
    )


def _computed(
    series: TiltSeries, y: Array, files: Files, report: Report
) -> tuple[dict[str, Any], dict[str, str]]:
    result = blind(series, y, Part(report, 0.0, 0.35))
    stored = stored_alignment(series)
    result["package"] = _beside(series, stored.rotation, stored.shifts, stored.series, result)
    views = {
        "nominal": align.without_drift(y, 0.0, series.slices)[0],
        "calibrated": align.without_drift(y, result["rotation"]["value"], series.slices)[0],
        "package": stored.series,
    }
    volumes, result["residual"] = {}, {}
    for i, (name, still) in enumerate(views.items()):
        part = Part(report, 0.35 + 0.2 * i, 0.55 + 0.2 * i)
        volumes[name], result["residual"][name] = reconstructed(series, still, part)
    return result, _pictures(series, y, views["calibrated"], volumes, files)


def blind(series: TiltSeries, y: Array, report: Report) -> dict[str, Any]:
    """Find drift, turn of the axis and backlash from the views alone."""
    angles = series.angles
    found = align.align(y, angles, series.slices, Part(report, 0.0, 0.2))
    turns = found.rotation.value + TURNS
    curve = align.rotation_curve(
        y, angles, series.slices, EVERY, series.width, turns.tolist(), Part(report, 0.2, 0.7)
    )
    still, _ = align.without_drift(y, found.rotation.value, series.slices)
    part = still[:, :, slice(*series.slices, EVERY)]
    backlash = align.backlash_curve(
        part, angles, series.width, BACKLASHES.tolist(), Part(report, 0.7, 1.0)
    )
    return {
        "rotation": _written(found.rotation),
        "rotation_by_residual": _written(align.least(curve, turns.tolist())),
        "backlash": _written(align.least(backlash, BACKLASHES.tolist())),
        "curves": {
            "rotation": {"at": turns.tolist(), "residual": _shares(curve)},
            "backlash": {"at": BACKLASHES.tolist(), "residual": _shares(backlash)},
        },
        "axis": {
            "slices": found.slices.tolist(),
            "positions": np.round(found.positions, 4).tolist(),
        },
        "drift": {
            "rms": found.shifts.std(0).tolist(),
            "shifts": np.round(found.shifts, 3).tolist(),
        },
        "mass": {"least": float(found.mass.min()), "most": float(found.mass.max())},
    }


def reconstructed(series: TiltSeries, still: Array, report: Report) -> tuple[Array, float]:
    """Reconstruct a series, turned back and without drift, by SIRT on the site's own model.

    Return the residual too, over the slices that every view shows whole. The views are turned back,
    not the model forward: the specimen goes on beyond the image, and what the model lacks there
    would spoil the slices beside it.
    """
    margin = series.slices[0]
    length = still.shape[2] - 2 * margin
    H = physics.forward(spec_of(series, length))
    data = align.middle(still, series.width)[:, :, margin : margin + length]
    x = sirt(H, data, ITERATIONS, report=report)
    whole = slice(0, series.slices[1] - margin)
    left = (H(x) - data)[:, :, whole]
    return x, float(np.linalg.norm(left) / np.linalg.norm(data[:, :, whole]))


def _beside(
    series: TiltSeries, rotation: float, shifts: Any, aligned: Array, ours: dict[str, Any]
) -> dict[str, Any]:
    """Compare with the package's alignment: its figures, and what ours finds left in its result."""
    left = align.align(aligned, series.angles, series.slices)
    apart = np.array(ours["drift"]["shifts"]) - shifts
    return {
        "rotation": rotation,
        "left": _written(left.rotation),
        "drift_apart": (apart - apart.mean(0)).std(0).tolist(),
    }


def _pictures(
    series: TiltSeries, y: Array, still: Array, volumes: dict[str, Array], files: Files
) -> dict[str, str]:
    """Draw three views, recorded and still, and the volumes' middle sections along and across."""
    scale = (0.0, float(y.max()))
    kept = {}
    chosen = {"first": 0, "middle": series.views // 2, "last": series.views - 1}
    for name, i in chosen.items():
        for kind, views in (("recorded", y), ("still", still)):
            drawn = webp([views[i]], scale, "inferno")
            kept[f"{kind}_{name}"] = files.keep(f"{kind}_{name}.webp", drawn)
    brightest = float(np.percentile(volumes["calibrated"], 99.8))
    for name, x in volumes.items():
        planes = [x[x.shape[0] // 2], *(x[:, :, n * x.shape[2] // 8] for n in (2, 4, 5))]
        for kind, plane in zip(("along", "across_1", "across_2", "across_3"), planes, strict=True):
            drawn = webp([plane], (0.0, brightest), "inferno")
            kept[f"{name}_{kind}"] = files.keep(f"{name}_{kind}.webp", drawn)
    return kept


def _shares(curve: Array) -> list[float]:
    """Give ‖y − P x̂‖/‖y‖ over all slices, at each place of the curve."""
    return [float(r) for r in np.sqrt(curve[:, 0].sum(1) / curve[:, 1].sum(1))]


def _written(estimate: align.Estimate) -> dict[str, float]:
    return {"value": estimate.value, "half_width": estimate.half_width}
