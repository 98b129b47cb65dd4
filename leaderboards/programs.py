"""People's programs on the hidden tier, and their trials on public data: what pages build on.

A *run* is an ``Attempt`` of kind PROGRAM with a row ``ProgramRun`` (``attempt.program``). On the
tier ``public`` it is a *trial*: free, on no board, with its log for its owner (``log_of``). On
``hidden`` it costs ``PRICE_OF_A_HIDDEN_RUN`` credits, and its owner is told no more than
``tells.to_owner`` and one of the words of ``Ending``.

    submit_program(user, upload, modality=…, method=…, tier=…, form=…, code_url="")
        -> (attempt, is_new); raises Quota (429) or NotEnoughCredits (402), with nothing kept.

What pages can show of a run:

- ``step(attempt)``: "waits for a runner", "runs", "its output waits", "is scored", "has ended".
- ``attempt.error_code`` (an ``Ending`` or a code of the worker) and ``attempt.error_message``, a
  sentence for its owner; ``ENDINGS`` has all sentences; ``attempt.program.ending``.
- ``tells.costs(attempt)``: CPU time and memory as the tier tells them. ``tells.moment(tier, at)``:
  a time likewise; print no other time of a hidden run.
- ``attempt.problems``: what the reader says of a refused output; empty on the hidden tier.
- ``log_of(attempt, for_curator=…)``: the log's text, or None where it is not for whoever asks.
  ``attempt.program.problems`` and ``.detail`` are for curators too.
- ``Attempt.objects.of(user).programs()``, ``quota.runs_left(…, tier)``, ``quota.runs_a_day(tier)``,
  ``ProgramRun.objects.kept_of(user)``, ``largest(form)`` in bytes.
- ``why_blocked()``: "" where a run would be made now, else a sentence that names the guard.
- ``sandbox.Limits.of_settings().in_words()`` and ``sandbox.packages()`` for the form.
- ``CreditAccount.objects.of(user)``: ``balance``, and ``changes`` (the ledger, the newest first);
  ``holds(user)``: the runs that are paid for and have not ended.

A cancelled run is given back its price while its program has not begun; a program that ran is paid
for, also when it failed or its output is refused. docs/decisions/programs.md has the reasons.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from modalities import datasets
from modalities.jobs import State
from modalities.models import Dataset, TierName

from .models import (
    PRICE_OF_A_HIDDEN_RUN,
    QUEUES,
    Attempt,
    AttemptQuerySet,
    Ending,
    Form,
    Kind,
    run_storage,
)
from .upload import HashedFile

FOLDER = "programs"  # of the storage of runs; in it one folder for each day
SUFFIX = {Form.SCRIPT: ".py", Form.CONTAINER: ".tar"}

# What pages, forms and the API say of the hidden tier in short.
IN_SHORT = (
    "The hidden tier takes a program instead of a file: a Python script or a container archive, "
    "which the server runs on measurements that nobody sees. A run costs "
    f"{PRICE_OF_A_HIDDEN_RUN} credits; a trial run on public data is free."
)

# What the owner of a run reads of its ending, on every tier.
ENDINGS = {
    Ending.DONE: "The program ran to its end, and its output was read.",
    Ending.NO_OUTPUT: (
        "The program ended without an output: it must write a regular file with the name that its "
        "second argument gives."
    ),
    Ending.OUTPUT_REFUSED: (
        "The output is not a submission as it has to be. A trial run on public data lists what is "
        "wrong with it."
    ),
    Ending.TIME: "The program took longer than the time that a run has.",
    Ending.CPU: "The program used more CPU time than a run has.",
    Ending.MEMORY: "The program needed more memory than a run has.",
    Ending.PROCESSES: "The program started more processes or threads than a run may have.",
    Ending.TOO_LARGE: "The output or the log is larger than a run may write.",
    Ending.FAILED: "The program ended with an exit code other than 0.",
    Ending.SIGNAL: "The program was ended by a signal.",
    Ending.BLOCKED: (
        "Blocked: no sandbox on this server, so the program was not started. It cost nothing."
    ),
    Ending.SERVER: (
        "The server could not make this run, through no fault of the program. It cost nothing; "
        "send the program again later."
    ),
}


def largest(form: str) -> int:
    """Give the most bytes that a program may have."""
    return int(settings.PWM_SCRIPT_KB << 10 if form == Form.SCRIPT else settings.PWM_IMAGE_MB << 20)


def largest_of_all() -> int:
    """Give the most bytes that any program may have."""
    return max(largest(form) for form in Form)


def submit_program(
    user: Any, upload: HashedFile, *, form: str, **fields: Any
) -> tuple[Attempt, bool]:
    """Keep a program and queue a run of it; tell whether the run is new.

    The same program that is on its way, or has a result on today's data, is the run that it was.
    The file is stored before the transaction, which stays short however slow the disk is.
    """
    storage, form = run_storage(), Form(form)
    day = datetime.now(UTC).date()
    name = storage.save(f"{FOLDER}/{day}/{uuid.uuid4().hex}{SUFFIX[form]}", upload)
    is_new = False
    try:
        made = Attempt.objects.run_program(
            user, form=form, source=name, sha256=upload.sha256, size=upload.size or 0, **fields
        )
        is_new = made.program.source.name == name
    finally:
        if not is_new:
            storage.delete(name)
    return made, is_new


def measurements_of(attempt: Attempt) -> tuple[str, Path]:
    """Name the data that a program of ``attempt``'s tier runs on, and say where they lie.

    Raise Dataset.DoesNotExist where they were never made.
    """
    row = Dataset.objects.get(modality=attempt.modality_id, tier=attempt.tier)
    key = attempt.modality.key
    return row.version, datasets.measurements_path(key, attempt.tier, row.version)


def step(attempt: Attempt) -> str:
    """Say in words where a run is."""
    if attempt.has_ended:
        return "has ended"
    is_second = attempt.queue != QUEUES[Kind.PROGRAM]
    if attempt.state == State.RUNNING:
        return "is scored" if is_second else "runs"
    return "its output waits" if is_second else "waits for a runner"


def holds(user: Any) -> AttemptQuerySet:
    """List the runs that a person has paid for and that have not ended."""
    found: AttemptQuerySet = Attempt.objects.of(user).programs().live()
    return found.filter(tier=TierName.HIDDEN)


def log_of(attempt: Attempt, *, for_curator: bool = False) -> str | None:
    """Read what a program printed, for its owner or a curator; None where it may not be told.

    On the hidden tier it is for curators alone: a program could print the measurements.
    """
    run = attempt.program
    if not (for_curator or run.is_trial):
        return None
    if not run.log:
        return ""
    with run.log.open("rb") as file:
        text: str = file.read().decode("utf-8", "replace")
    # No control character but those that lay text out: a log may be read in a terminal.
    return "".join(c for c in text if c in "\n\t" or c.isprintable())


@dataclass(frozen=True)
class Runner:
    """A living worker that starts programs; missing: the guards that do not hold there."""

    name: str
    missing: tuple[str, ...]


def no_runner() -> list[Runner]:
    return []


# Lists the living runners; the site, which knows its workers, sets its own.
runners: Callable[[], list[Runner]] = no_runner


def why_blocked() -> str:
    """Say why a run would be blocked now: which guard is missing; "" where one runner has all.

    Where no runner reports, a run waits for one, and its page says so.
    """
    found = runners()
    if not found or not all(runner.missing for runner in found):
        return ""
    missing = sorted({guard for runner in found for guard in runner.missing})
    return f"Blocked: no sandbox on this server ({', '.join(missing)})."
