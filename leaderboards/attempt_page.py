"""What the owner of an attempt gets to see of it: the same on its page and in the API."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from modalities import datasets
from modalities.figures import fixed, interval, percent
from modalities.jobs import State
from modalities.physics import scoring

from . import calibration_page, counting, expected, programs, tells
from .models import Attempt, Ending, Kind, ScoreTier, TierScore, missing_ends_it

PARTS = ("score", "psnr", "ssim", "consistency", "ceiling")
NEAR = f"{100 * tells.CALIBRATED:.0f} %"
STATES = {
    State.QUEUED: "Waiting",
    State.RUNNING: "Being scored",
    State.SUCCEEDED: "Scored",
    State.FAILED: "Not scored",
    State.CANCELLED: "Cancelled",
}


def line(attempt: Attempt) -> dict[str, Any]:
    """Give what a list of attempts prints of one."""
    told = tells.to_owner(attempt.tier, attempt.result).get("score")
    return {
        "id": str(attempt.pk),
        "url": attempt.get_absolute_url(),
        "modality": attempt.modality.short_name,
        "modality_url": attempt.modality.get_absolute_url(),
        "method": attempt.method.name,
        "tier": "Trial" if attempt.is_trial else attempt.get_tier_display(),
        "sent": "program" if attempt.kind == Kind.PROGRAM else "file",
        "state": state_text(attempt),
        "kind": kind(attempt),
        "score": "" if told is None else fixed(told, 3),
        "queued_at": attempt.queued_at,
        "entry_url": attempt.entry.get_absolute_url()
        if attempt.entry and not attempt.is_trial
        else "",
        "counts": getattr(attempt, "does_count", False),
    }


def state_text(attempt: Attempt) -> str:
    """Name the state in a word or two."""
    if attempt.kind == Kind.PROGRAM and (words := _of_program(attempt)):
        return words
    if attempt.error_code == "refused":
        return "Refused"
    if is_uncalibrated(attempt):
        return "Not calibrated"
    return STATES[State(attempt.state)]


def _of_program(attempt: Attempt) -> str:
    """Name what is particular about the state of a run of a program; "" for nothing."""
    if not attempt.has_ended:
        return programs.step(attempt).capitalize()
    ending = attempt.program.ending  # a worker has codes of its own, and some are alike
    return Ending(ending).label if ending and ending == attempt.error_code else ""


def is_uncalibrated(attempt: Attempt) -> bool:
    """Tell whether the attempt was scored, and its tier tells no more than this."""
    return bool(attempt.result) and not tells.has_score(attempt.tier, attempt.result)


def kind(attempt: Attempt) -> str:
    """Give the class that colours a state: good, bad, or nothing."""
    return {State.SUCCEEDED: "ok", State.FAILED: "bad"}.get(State(attempt.state), "")


def page(attempt: Attempt) -> dict[str, Any]:
    """Give everything that templates/leaderboards/attempt.html prints of a result."""
    found = tells.to_owner(attempt.tier, attempt.result)
    limits = calibration_page.bounds_of(attempt.modality) if tells.is_open(attempt.tier) else {}
    bounds = {name: percent(value, 2) for name, value in limits.items()}
    return {
        "line": line(attempt),
        "is_uncalibrated": is_uncalibrated(attempt),
        "near": NEAR,
        "missing_ends_it": missing_ends_it(),
        "means": _means(found) if "score" in found else [],
        "interval": interval(found.get("score_low"), found.get("score_high")),
        "errors": [
            (name, percent(value), bounds.get(name, ""))
            for name, value in found.get("spec_error", {}).items()
        ],
        "has_bounds": bool(bounds),
        "scenes": [_scene(i, s) for i, s in enumerate(found.get("scenes", ()))],
        "parameters": list(found.get("spec_error", {})),
        "metrics_version": attempt.metrics_version,
        "pictures": pictures(attempt),
        "counting": _counting(attempt),
        "formula": scoring.TIER_FORMULA,
    }


def pictures(attempt: Attempt) -> list[dict[str, str]]:
    """List the pictures of the reconstructions; on the public tier truth and error beside them."""
    if not attempt.arrays or attempt.tier == ScoreTier.HIDDEN:
        return []  # a program could have drawn the measurements
    is_open = tells.is_open(attempt.tier)
    kinds = ("truth", "reconstruction", "error") if is_open else ("reconstruction",)
    return [
        {
            "url": reverse("gallery:submitted", args=[attempt.pk, i, kind]),
            "label": kind,
            "alt": f"Sample {i}, {kind}",
            "sample": datasets.sample_name(i),
        }
        for i in range(len(expected.scenes(attempt.modality.spec, attempt.tier)))
        for kind in kinds
    ]


def _counting(attempt: Attempt) -> dict[str, Any]:
    """Say whether this attempt counts on the board, why, and whether its owner may choose it."""
    if (
        attempt.is_trial
        or attempt.entry is None
        or attempt.score is None
        or is_uncalibrated(attempt)
    ):
        return {}
    row = TierScore.objects.filter(entry=attempt.entry, tier=attempt.tier).first()
    others = counting.results(attempt.entry, attempt.tier).exclude(pk=attempt.pk)
    return {
        "does": bool(row and row.attempt_id == attempt.pk),
        "is_chosen": bool(row and row.chosen_id == attempt.pk),
        "is_rule": bool(row and row.chosen_id is None),
        "rule": counting.WORDS[counting.rule(attempt.tier, attempt.variant)],
        "others": others.count(),
    }


def _means(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        ("Score", fixed(found["score"], 3), "the mean over the scenes"),
        *_groups(found),
        ("PSNR", f"{fixed(found['psnr'], 2)} dB", "clipped to 10 to 50 dB in the score"),
        ("SSIM", fixed(found["ssim"], 3), "structural similarity with the truth"),
        ("Consistency", fixed(found["consistency"], 3), "how well Ĥx̂ explains y"),
        ("Ceiling", fixed(found["ceiling"], 3), "the consistency that the truth itself reaches"),
    ]


def _groups(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Give the scores at home and away, where the tier has scenes of both."""
    if found.get("score_away") is None:
        return []
    return [
        ("Home", fixed(found["score_home"], 3), "scenes of the gallery’s kinds"),
        ("Away", fixed(found["score_away"], 3), "scenes of other kinds"),
    ]


def _scene(index: int, scene: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": datasets.sample_name(index),
        "group": scene.get("group", ""),
        "values": [fixed(scene[part], tells.DIGITS[part]) for part in PARTS],
        "errors": [percent(value) for value in scene["spec_error"].values()],
    }
