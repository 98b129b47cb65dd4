"""Score a file that somebody sent: read it in the sandbox, then hold it against the truth."""

from __future__ import annotations

import hashlib
import io
from typing import cast

from django.db.models import QuerySet

from leaderboards.expected import expectation
from leaderboards.intake.reader import IntakeUnavailable, Reading, Refused, read_submission
from leaderboards.models import Attempt, Kind
from leaderboards.models.quota import REFUSED
from leaderboards.tells import is_open
from modalities.jobs import JobFailed, JobRefused
from modalities.physics import METRICS_VERSION, Report
from modalities.physics.progress import Part

from .evidence import Result, inputs_of_file
from .score import score_tier


def score(first: Attempt, attempt: Attempt, report: Report) -> Result:
    """Read the bytes of ``first`` in a child process of its own, and score them for ``attempt``."""
    spec = first.modality.spec
    report("reading the file", 0.05)
    reading = _read(first, attempt)
    tier = score_tier(
        spec,
        first.tier,
        reading.x_hat,
        reading.corrected_spec,
        reading.spec_intervals,
        Part(report, 0.15, 0.9),
    )
    report("keeping the reconstructions", 0.9)
    return Result(
        tier=tier,
        x_hats=reading.x_hat,
        corrected_spec=reading.corrected_spec,
        spec_intervals=reading.spec_intervals,
        inputs_sha256=inputs_of_file(spec, first.tier, first.sha256),
    )


def outdated() -> QuerySet[Attempt]:
    """List the files whose newest score comes from other metrics than today's."""
    scored = Attempt.objects.files().succeeded()
    again = Attempt.objects.filter(kind=Kind.RERUN, metrics_version=METRICS_VERSION)
    current = again.values("repeats")
    return (
        scored.exclude(metrics_version=METRICS_VERSION)
        .exclude(pk__in=current)
        .order_by("queued_at")
    )


def _read(first: Attempt, attempt: Attempt) -> Reading:
    try:
        with first.file.open("rb") as stored:
            upload = cast(io.BufferedReader, stored)
            if hashlib.file_digest(upload, "sha256").hexdigest() != first.sha256:
                raise JobFailed(
                    "changed",
                    "The stored file is not the one that was sent: its SHA-256 differs. "
                    "The operator has to look at the storage.",
                )
            reading = read_submission(upload, expectation(first.modality.spec, first.tier))
            _require_a_calibration(first, reading)
            return reading
    except FileNotFoundError:
        raise JobFailed(
            "file_lost",
            "The file that was sent is not in the site's storage any more. The operator has to "
            "look there; then start this again, or send the file once more.",
        ) from None
    except Refused as refused:
        Attempt.objects.filter(pk=attempt.pk, token=attempt.token).update(problems=refused.problems)
        count = len(refused.problems)
        raise JobRefused(
            REFUSED,
            f"The file has {count} problem{'s' if count > 1 else ''}; each is listed with the "
            "sample and the field. Nothing was scored and nothing counts against your quota.",
        ) from None
    except IntakeUnavailable as error:
        raise JobFailed("no_sandbox", str(error)) from None


def _require_a_calibration(first: Attempt, reading: Reading) -> None:
    """Refuse a file for a secret tier that has the nominal spec in every sample.

    No truth lies there (``draws.LEAST_MISMATCH``), so the refusal tells nothing, and it saves
    somebody who sends what the starter wrote from the month without an answer that a miss costs.
    """
    nominal = first.modality.spec.nominal
    if not is_open(first.tier) and all(spec == nominal for spec in reading.corrected_spec):
        raise Refused(
            [
                "corrected_spec: it is the nominal one in every sample, which no truth of this "
                "tier is near. Calibrate first; the public tier tells you how near you come."
            ]
        )
