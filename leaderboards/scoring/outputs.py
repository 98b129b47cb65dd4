"""Score what somebody's program wrote: the second step of its attempt.

The bytes are read as an upload is, in a child process of their own, and the samples put back into
the order of the tier.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import TypeVar, cast

from leaderboards.expected import expectation
from leaderboards.intake.reader import IntakeUnavailable, Reading, Refused, read_submission
from leaderboards.models import Attempt, Ending, ProgramRun
from leaderboards.programs import ENDINGS
from leaderboards.tells import is_open
from modalities import physics
from modalities.jobs import JobFailed, JobRefused
from modalities.physics import Report
from modalities.physics.progress import Part

from .evidence import Result, data_version, inputs_from
from .score import score_tier

Any_ = TypeVar("Any_")


def score(attempt: Attempt, report: Report) -> Result:
    """Read the output of ``attempt``'s run and score it."""
    spec, run = attempt.modality.spec, attempt.program
    version = data_version(spec, attempt.tier)
    if run.data_version != version:
        raise JobFailed(
            "outdated",
            "The data of this tier changed while the program ran, so that its output answers to "
            "nothing any more. It cost nothing; send the program again.",
        )
    report("reading the output", 0.05)
    reading = _read(attempt, run)
    x_hats = _in_order(run, reading.x_hat)
    specs = _in_order(run, reading.corrected_spec)
    intervals = _in_order(run, reading.spec_intervals) if any(reading.spec_intervals) else ()
    tier = score_tier(spec, attempt.tier, x_hats, specs, intervals, Part(report, 0.15, 0.9))
    report("keeping the reconstructions", 0.9)
    return Result(
        tier=tier,
        x_hats=x_hats,
        corrected_spec=list(specs),
        spec_intervals=intervals,
        inputs_sha256=inputs_from(
            attempt.tier, version, attempt.first.sha256, physics.METRICS_VERSION
        ),
        program_sha256=attempt.first.sha256,
        cpu_seconds=run.cpu_seconds,
        peak_memory_mb=run.peak_memory_mb,
        environment=run.runtime,
        environment_sha256=run.runtime_sha256,
    )


def _in_order(run: ProgramRun, found: Sequence[Any_]) -> list[Any_]:
    """Put what was found at the places of the run's file into the order of the tier."""
    return [found[run.order.index(index)] for index in range(len(run.order))]


def _read(attempt: Attempt, run: ProgramRun) -> Reading:
    try:
        with run.output.open("rb") as stored:
            output = cast(io.BufferedReader, stored)
            if hashlib.file_digest(output, "sha256").hexdigest() != run.output_sha256:
                raise JobFailed(
                    "changed",
                    "The stored output is not the one that the program wrote: its SHA-256 differs. "
                    "The run cost nothing; the operator has to look at the storage.",
                )
            return read_submission(output, expectation(attempt.modality.spec, attempt.tier))
    except FileNotFoundError:
        raise JobFailed(
            "file_lost",
            "The output of the program is not in the site's storage any more. The run cost "
            "nothing; send the program again.",
        ) from None
    except Refused as refused:
        problems = refused.problems
        ending = Ending.OUTPUT_REFUSED
        raise JobRefused(
            ending.value, ENDINGS[ending], lambda: _keep_problems(attempt, problems)
        ) from None
    except IntakeUnavailable as error:
        raise JobFailed("no_sandbox", str(error)) from None


def _keep_problems(attempt: Attempt, problems: list[str]) -> None:
    """Write down what is wrong: for curators, and for the owner where all may be told.

    A report names what it found in the file, which on the hidden tier may be the measurements.
    """
    run = ProgramRun.objects.filter(pk=attempt.pk)
    run.update(ending=Ending.OUTPUT_REFUSED, problems=problems)
    if is_open(attempt.tier):
        Attempt.objects.filter(pk=attempt.pk).update(problems=problems)
