"""Run somebody's program: the first step of its attempt, done by a worker that knows no truth.

It gets the challenge file with its samples in an order drawn for this try alone, and what it leaves
is kept as bytes that nobody has looked at. The second step reads them (``outputs``).
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db.models.functions import Now

from leaderboards import sandbox
from leaderboards.models import QUEUES, Attempt, Ending, Form, Kind, ProgramRun
from leaderboards.programs import ENDINGS, measurements_of
from modalities import challenge_files
from modalities.jobs import HandOver, JobFailed, JobRefused, NotHere
from modalities.jobs.files import Files
from modalities.physics import Report

# How often a program is started where the server is at fault, say because somebody killed the
# sandbox's own processes.
STARTS = 2
# Endings that are no fault of the program.
_SERVERS = (Ending.BLOCKED, Ending.SERVER)


def run(attempt: Attempt, report: Report) -> HandOver:
    """Run the program of ``attempt``; hand its output over to those who score.

    Raise JobRefused where the program did not get as far as that, JobFailed where the server did
    not let it, NotHere where its measurements are not on this machine.
    """
    version, path = measurements_of(attempt)
    if not path.exists():
        raise NotHere(f"The measurements of {attempt.where} are not at {path}.")
    order = drawn(challenge_files.groups_of(path))
    given = challenge_files.for_program(path, order)
    report("starting the program", 0.02)
    with _program(attempt) as program:
        for _ in range(STARTS):
            outcome = sandbox.run_untrusted(
                program, given, sandbox.Limits.of_settings(), beat=report
            )
            if outcome.reason != sandbox.Reason.SERVER:
                break
    made = _made(attempt, outcome) | {
        "data_version": version,
        "order": order,
        "input_sha256": hashlib.sha256(given).hexdigest(),
    }
    return _end(attempt, Ending(outcome.reason.value), _saving(attempt, made))


def drawn(groups: Sequence[str]) -> list[int]:
    """Draw an order of the samples that nobody can foresee; as in every file, home comes first.

    ``groups``: that of each sample.
    """
    places = [*range(len(groups))]
    secrets.SystemRandom().shuffle(places)
    return sorted(places, key=lambda i: groups.index(groups[i]))


def _end(attempt: Attempt, ending: Ending, save: Callable[[], None]) -> HandOver:
    if ending == Ending.DONE:
        return HandOver(QUEUES[Kind.FILE], save)
    failure = JobFailed if ending in _SERVERS else JobRefused
    raise failure(ending.value, ENDINGS[ending], save)


def _made(attempt: Attempt, outcome: sandbox.Outcome) -> dict[str, Any]:
    """Keep what the program left, and give the fields that say what it was."""
    files, is_done = Files(attempt, "runs"), outcome.reason == sandbox.Reason.DONE
    found: dict[str, Any] = {
        "ending": outcome.reason.value,
        "detail": outcome.detail,
        "log": files.keep("log.txt", outcome.log) if outcome.log else "",
        "exit_code": outcome.exit_code,
        "wall_seconds": outcome.wall_seconds,
        "cpu_seconds": outcome.cpu_seconds,
        "peak_memory_mb": outcome.peak_memory_mb or None,
        "runtime_sha256": outcome.runtime_sha256,
        "runtime": outcome.runtime,
    }
    if is_done:
        found["output"] = files.keep("output.h5", outcome.output)
        found["output_sha256"] = hashlib.sha256(outcome.output).hexdigest()
    return found


def _saving(attempt: Attempt, fields: dict[str, Any]) -> Callable[[], None]:
    def save() -> None:
        ProgramRun.objects.filter(pk=attempt.pk).update(ran_at=Now(), **fields)

    return save


@contextmanager
def _program(attempt: Attempt) -> Iterator[sandbox.Program]:
    """Give the program as it was sent: a script as bytes, an archive as a file of this machine."""
    run = attempt.program
    try:
        with run.source.open("rb") as sent:
            if run.form == Form.SCRIPT:
                source = sent.read()
                _check(attempt, hashlib.sha256(source).hexdigest())
                yield sandbox.Script(source)
                return
            with tempfile.NamedTemporaryFile(prefix="pwm-image-") as archive:
                shutil.copyfileobj(sent, archive)
                archive.flush()
                archive.seek(0)
                _check(attempt, hashlib.file_digest(archive, "sha256").hexdigest())
                yield sandbox.Image(Path(archive.name))
    except FileNotFoundError:
        raise JobFailed(
            "file_lost",
            "The program is not in the site's storage any more, so it was not run, and cost "
            "nothing. Send it once more.",
        ) from None


def _check(attempt: Attempt, sha256: str) -> None:
    if sha256 != attempt.first.sha256:
        raise JobFailed(
            "changed",
            "The stored program is not the one that was sent: its SHA-256 differs. It was not run, "
            "and cost nothing; the operator has to look at the storage.",
        )
