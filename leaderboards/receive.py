"""Judge a submission: read the file in the sandbox, score it, put the score on the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, cast

from django.db import transaction
from django.db.models import QuerySet

from leaderboards.intake import (
    Expectation,
    IntakeUnavailable,
    Reading,
    Refused,
    read_submission,
)
from leaderboards.record import record
from leaderboards.score import TierResult, score_tier
from leaderboards.submission import Submission, keep_arrays, load_arrays
from modalities import datasets
from modalities.jobs import JobFailed, JobRefused
from modalities.physics import METRICS_VERSION, Report, Spec, silent
from modalities.physics.progress import Part


def expectation(spec: Spec, tier: str) -> Expectation:
    """Say what a submission to ``tier`` has to hold."""
    return Expectation(datasets.sample_names(spec), spec.shape, datasets.ranges(spec, tier))


def compute(submission: Submission, report: Report) -> Callable[[], None]:
    """Read and score ``submission``; return what writes its result."""
    spec = submission.modality.spec
    report("reading the file", 0.05)
    reading = _read(submission, expectation(spec, submission.tier))
    report("scoring", 0.15)
    result = _score(spec, submission.tier, reading, Part(report, 0.15, 0.9))
    report("keeping the reconstructions", 0.9)
    arrays = keep_arrays(submission, datasets.sample_names(spec), reading.x_hat)
    return lambda: _save(submission, reading, result, arrays)


def _read(submission: Submission, expected: Expectation) -> Reading:
    try:
        with submission.file.open("rb") as upload:
            return read_submission(cast(BinaryIO, upload), expected)
    except Refused as refused:
        Submission.objects.filter(pk=submission.pk, token=submission.token).update(
            problems=refused.problems
        )
        count = len(refused.problems)
        raise JobRefused(
            "refused",
            f"The file has {count} problem{'s' if count > 1 else ''}; each is listed with the "
            "sample and the field. Nothing was scored and nothing counts against your quota.",
        ) from None
    except IntakeUnavailable as error:
        raise JobFailed("no_sandbox", str(error)) from None


def _score(spec: Spec, tier: str, reading: Reading, report: Report) -> TierResult:
    try:
        return score_tier(spec, tier, reading.x_hat, reading.corrected_spec, report)
    except FileNotFoundError:
        raise JobFailed(
            "no_truth",
            f"The data of the {tier} tier are not on the machine that scores. The operator has to "
            "run build_datasets there; then submit again. Nothing counts against your quota.",
        ) from None


def rescore(submission: Submission, report: Report = silent) -> None:
    """Score a submission again by today's metrics; the history keeps the old numbers."""
    reading = Reading(list(load_arrays(submission).values()), submission.corrected_spec)
    result = _score(submission.modality.spec, submission.tier, reading, report)
    with transaction.atomic():
        _save(submission, reading, result, str(submission.arrays.name))


def outdated() -> QuerySet[Submission]:
    """List scored submissions whose numbers come from other metrics than today's."""
    scored = Submission.objects.succeeded()
    return scored.exclude(result__metrics_version=METRICS_VERSION).order_by("queued_at")


def _save(submission: Submission, reading: Reading, result: TierResult, arrays: str) -> None:
    entry = record(
        submission.modality,
        submission.method,
        submission.tier,
        result,
        name=submission.method.name,
        submitted_by=submission.started_by,
        outputs_sha256=submission.sha256,
    )
    Submission.objects.filter(pk=submission.pk).update(
        result=result.as_json(),
        corrected_spec=reading.corrected_spec,
        arrays=arrays,
        entry=entry,
    )
