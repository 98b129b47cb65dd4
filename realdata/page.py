"""What the page *On real data* prints."""

from __future__ import annotations

import math
from typing import Any

from django.urls import reverse

from modalities.figures import fixed, percent, seconds
from modalities.jobs import State
from modalities.physics.versions import program_sha256

from . import drawings
from .models import Calibration
from .series import SERIES, TiltSeries, why_not

SECTIONS = ("along", "across_1", "across_2", "across_3")
WAYS = {
    "nominal": ("Nominal axis", "drift taken out, the axis believed to be straight"),
    "calibrated": ("Calibrated here", "drift and axis found from the views alone"),
    "package": ("Aligned by the package", "the package’s own alignment of the same views"),
}


def context() -> dict[str, Any]:
    """Gather every series, with its newest result if it has one."""
    return {"series": [_series(s) for s in SERIES.values()]}


def version() -> str:
    """Name the state of the page: its rows, and whether the data can be read here."""
    rows = Calibration.objects.order_by("pk").values_list("pk", "state", "percent", "token")
    return repr([list(rows), [why_not(s) for s in SERIES.values()]])


def _series(series: TiltSeries) -> dict[str, Any]:
    jobs = Calibration.objects.of(series.key)
    done = jobs.succeeded().order_by("-finished_at").first()
    newest = jobs.order_by("-queued_at").first()
    return {
        "facts": series,
        "why_not": why_not(series),
        "live": newest if newest and newest.is_live else None,
        "failed": newest if newest and newest.state == State.FAILED else None,
        "found": done and _found(series, done),
    }


def _found(series: TiltSeries, job: Calibration) -> dict[str, Any]:
    result = job.result
    package, curves = result["package"], result["curves"]
    turn = result["rotation"]["value"]
    return {
        "job": job,
        "is_current": job.program_sha256 == program_sha256(),
        "cpu_seconds": seconds(job.cpu_seconds, 0),
        "rows": _rows(result),
        "drift": _pair(result["drift"]["rms"], 1),
        "drift_apart": _pair(package["drift_apart"], 2),
        "left": _interval(package["left"]),
        "agrees": abs(turn - package["rotation"]) <= result["rotation"]["half_width"],
        "rotation_curve": drawings.residual(
            curves["rotation"]["at"],
            curves["rotation"]["residual"],
            "Turn of the tilt axis",
            [
                ("by the slices’ centres", turn),
                ("by the residual", result["rotation_by_residual"]["value"]),
                ("the package", package["rotation"]),
            ],
        ),
        "backlash_curve": drawings.residual(
            curves["backlash"]["at"],
            curves["backlash"]["residual"],
            "Error of every second tilt",
            [("least", result["backlash"]["value"])],
        ),
        "axis": drawings.axis(
            result["axis"]["slices"],
            result["axis"]["positions"],
            math.tan(math.radians(turn)),
        ),
        "rise": percent(_rise(curves["rotation"]), 1),
        "mass": f"{percent(result['mass']['least'], 0)} to {percent(result['mass']['most'], 0)}",
        "views": _views(series, job),
        "volumes": [
            {
                "title": title,
                "words": words,
                "residual": percent(result["residual"][way], 2),
                "sections": [_file(job, f"{way}_{section}") for section in SECTIONS],
            }
            for way, (title, words) in WAYS.items()
        ],
    }


def _rows(result: dict[str, Any]) -> list[dict[str, str]]:
    """Lay out each parameter: how it was found, what came out, what the package says."""
    stored = f"{fixed(result['package']['rotation'], 2)}°"
    return [
        {
            "name": "Turn of the tilt axis",
            "how": "centres of the slices",
            "ours": _interval(result["rotation"]),
            "package": stored,
        },
        {
            "name": "Turn of the tilt axis",
            "how": "residual of SIRT",
            "ours": _interval(result["rotation_by_residual"]),
            "package": stored,
        },
        {
            "name": "Error of every second tilt",
            "how": "residual of SIRT",
            "ours": _interval(result["backlash"]),
            "package": "not looked for",
        },
    ]


def _rise(curve: dict[str, list[float]]) -> float:
    """Return by what part the residual is higher one step away from its least."""
    values = curve["residual"]
    i = min(max(values.index(min(values)), 1), len(values) - 2)
    return (values[i - 1] + values[i + 1]) / (2 * values[i]) - 1


def _views(series: TiltSeries, job: Calibration) -> list[dict[str, str]]:
    last = series.views - 1
    angles = {"first": 0, "middle": series.views // 2, "last": last}
    return [
        {
            "tilt": f"{fixed(series.angles[i], 0)}°",
            "recorded": _file(job, f"recorded_{name}"),
            "still": _file(job, f"still_{name}"),
        }
        for name, i in angles.items()
    ]


def _interval(estimate: dict[str, float]) -> str:
    return f"{fixed(estimate['value'], 2)}° ± {fixed(estimate['half_width'], 2)}°"


def _pair(values: list[float], digits: int) -> str:
    return f"{fixed(values[0], digits)} across and {fixed(values[1], digits)} along the axis"


def _file(job: Calibration, name: str) -> str:
    stored = job.pictures.get(name, "")
    return reverse("realdata:file", args=[job.pk, str(stored).rsplit("/", 1)[-1]]) if stored else ""
