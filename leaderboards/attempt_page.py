"""What the owner of a submission gets to see of it: the same on its page and in the API.

On the public tier everything. On the dev tier the means, rounded, and the spec error in coarse
steps: exact ones would give the true mismatch away in two submissions, scene by scene even in one.
"""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from modalities.jobs import State
from modalities.models import TierName

from .submission import Submission

PARTS = ("score", "psnr", "ssim", "consistency")
DIGITS = {"score": 3, "score_low": 3, "score_high": 3, "psnr": 2, "ssim": 3, "consistency": 3}
DIGITS |= {"ceiling": 3}
# Parts of a parameter's range that an error on a secret tier is told to be within.
STEPS = (0.1, 0.25)
STATES = {
    State.QUEUED: "Waiting",
    State.RUNNING: "Being scored",
    State.SUCCEEDED: "Scored",
    State.FAILED: "Not scored",
    State.CANCELLED: "Cancelled",
}


def coarse(error: float) -> str:
    """Say how far an estimate is off on a secret tier, in parts of the parameter's range."""
    for step in STEPS:
        if error <= step:
            return f"within {step:.0%}".replace("%", " %")
    return f"more than {STEPS[-1]:.0%}".replace("%", " %")


def result(submission: Submission) -> dict[str, Any]:
    """Give the numbers of a scored submission that its owner may know; empty before that."""
    found = submission.result
    if not found:
        return {}
    if submission.tier == TierName.PUBLIC:
        return dict(found)
    means = {name: _rounded(found[name], digits) for name, digits in DIGITS.items()}
    errors = {name: coarse(value) for name, value in found["spec_error"].items()}
    return means | {"spec_error": errors, "metrics_version": found["metrics_version"]}


def line(submission: Submission) -> dict[str, Any]:
    """Give what a list of submissions prints of one."""
    score = submission.result.get("score")
    return {
        "id": str(submission.pk),
        "url": submission.get_absolute_url(),
        "modality": submission.modality.short_name,
        "modality_url": submission.modality.get_absolute_url(),
        "method": submission.method.name,
        "tier": submission.get_tier_display(),
        "state": state_text(submission),
        "kind": kind(submission),
        "score": "" if score is None else f"{score:.3f}",
        "queued_at": submission.queued_at,
        "entry_url": submission.entry.get_absolute_url() if submission.entry else "",
    }


def state_text(submission: Submission) -> str:
    """Name the state in a word or two."""
    if submission.error_code == "refused":
        return "Refused"
    return STATES[State(submission.state)]


def kind(submission: Submission) -> str:
    """Give the class that colours a state: good, bad, or nothing."""
    return {State.SUCCEEDED: "ok", State.FAILED: "bad"}.get(State(submission.state), "")


def page(submission: Submission) -> dict[str, Any]:
    """Give everything that templates/leaderboards/submission.html prints of a result."""
    found = result(submission)
    return {
        "line": line(submission),
        "means": _means(found) if found else [],
        "interval": _interval(found),
        "errors": [(name, _error(value)) for name, value in found.get("spec_error", {}).items()],
        "scenes": [_scene(i, s) for i, s in enumerate(found.get("scenes", ()))],
        "parameters": list(found.get("spec_error", {})),
        "metrics_version": found.get("metrics_version"),
        "pictures": pictures(submission),
    }


def pictures(submission: Submission) -> list[dict[str, str]]:
    """List the pictures of the reconstructions; on the public tier truth and error beside them."""
    if not submission.arrays:
        return []
    spec = submission.modality.spec
    open_tier = submission.tier == TierName.PUBLIC
    kinds = ("truth", "reconstruction", "error") if open_tier else ("reconstruction",)
    return [
        {
            "url": reverse("gallery:submitted", args=[submission.pk, i, kind]),
            "label": kind,
            "alt": f"Sample {i}, {kind}",
            "sample": f"sample_{i:02d}",
        }
        for i in range(len(spec.scenes))
        for kind in kinds
    ]


def _means(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        ("Score", _text(found["score"], 3), "0.4 × PSNR + 0.4 × SSIM + 0.2 × consistency"),
        ("PSNR", f"{_text(found['psnr'], 2)} dB", "clipped to 10 to 50 dB in the score"),
        ("SSIM", _text(found["ssim"], 3), "structural similarity with the truth"),
        ("Consistency", _text(found["consistency"], 3), "how well Ĥx̂ explains y"),
        ("Ceiling", _text(found["ceiling"], 3), "the consistency that the truth itself reaches"),
    ]


def _interval(found: dict[str, Any]) -> str:
    low, high = found.get("score_low"), found.get("score_high")
    return "" if low is None or high is None else f"{_text(low, 3)} to {_text(high, 3)}"


def _scene(index: int, scene: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"sample_{index:02d}",
        "values": [_text(scene[part], DIGITS[part]) for part in (*PARTS, "ceiling")],
        "errors": [_error(value) for value in scene["spec_error"].values()],
    }


def _error(value: float | str) -> str:
    """Print a spec error: exact as a percentage of the range, coarse ones as they are."""
    return value if isinstance(value, str) else f"{100 * value:.1f} %"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _text(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")
