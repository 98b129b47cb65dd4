"""Runs of people's programs: what was sent, what the sandbox said of it, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.files.storage import Storage, storages
from django.db import models
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce

from modalities.append_only import WrittenOnce
from modalities.models import TierName

from .attempt import Attempt
from .fields import Sha256Field
from .words import ENDINGS_OF_PROGRAMS, Ending, Form

# Nobody may change these once the program has run.
MADE = (
    *("data_version", "order", "input_sha256", "output_sha256", "runtime_sha256", "runtime"),
    *("exit_code", "wall_seconds", "cpu_seconds", "peak_memory_mb"),
)


def run_storage() -> Storage:
    """Give the storage of programs, their outputs and their logs: no URL leads there."""
    return storages["runs"]


def is_given_back(events: Sequence[str], code: str) -> bool:
    """Tell whether a run with this history, which ended with ``code``, costs nothing.

    A program that ran is paid for, whatever came of it: what it found out about the server's time
    and words, it found out. Everything else is given back: a run that the server could not make or
    not finish, one that was refused before it began, and one that was cancelled before.
    """
    if events[-1] == "refused":
        return code not in ENDINGS_OF_PROGRAMS
    if events[-1] == "cancelled":
        return "handed over" not in events and events[-2] not in ("claimed", "cancel asked")
    return events[-1] in ("failed", "lost")


class ProgramRunQuerySet(models.QuerySet["ProgramRun"]):
    def kept_of(self, user: Any) -> dict[str, int]:
        """Count the programs of a person that are kept, and their bytes. One query."""
        kept = self.filter(attempt__started_by=user).exclude(source="")
        return kept.aggregate(
            programs=Count("pk"), bytes=Coalesce(Sum("attempt__size"), 0, output_field=_BYTES)
        )


_BYTES = models.BigIntegerField()


class ProgramRun(models.Model):
    """What belongs to an attempt that runs somebody's program, and to no other attempt.

    source: the program as sent; its SHA-256 and size are the attempt's.
    order: at each place of the challenge file that the program got, the sample of the tier that
    lies there; drawn anew by each try, so that a name says nothing.
    ending: how it ended; ``Ending.DONE`` from when its output is there. detail: a sentence for
    staff. ran_at: when the sandbox was done with it, and what follows is written, once.
    output: the bytes that the program wrote, as hostile as an upload. log: what it printed.
    problems: what the reader says of an output that it refused. On the hidden tier problems,
    detail and log are for curators alone, because the program writes them.
    data_version: of the measurements that it got. runtime: the packages of the root file system
    that ran, by version.
    """

    attempt = models.OneToOneField(
        Attempt, models.PROTECT, primary_key=True, related_name="program"
    )
    form = models.CharField(max_length=10, choices=Form.choices)
    source = models.FileField(storage=run_storage, max_length=200, blank=True)
    ending = models.CharField(max_length=20, choices=Ending.choices, blank=True)
    detail = models.TextField(blank=True)
    problems = models.JSONField(default=list, blank=True)
    output = models.FileField(storage=run_storage, max_length=200, blank=True)
    log = models.FileField(storage=run_storage, max_length=200, blank=True)

    ran_at = models.DateTimeField(null=True, blank=True)
    data_version = models.CharField(max_length=40, blank=True)
    order = models.JSONField(default=list, blank=True)
    input_sha256 = Sha256Field("SHA-256 of the challenge file that it got")
    output_sha256 = Sha256Field("SHA-256 of its output")
    runtime_sha256 = Sha256Field("SHA-256 of what it ran in")
    runtime = models.JSONField(default=dict, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    wall_seconds = models.FloatField(null=True, blank=True)
    cpu_seconds = models.FloatField(null=True, blank=True)
    peak_memory_mb = models.FloatField(null=True, blank=True)

    objects = ProgramRunQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(form__in=Form.values) & (Q(ending="") | Q(ending__in=Ending.values)),
                name="program_run_words_known",
                violation_error_message="There is no such form or ending.",
            ),
            models.CheckConstraint(
                condition=~Q(ending__in=(Ending.DONE, Ending.OUTPUT_REFUSED))
                | (
                    Q(ran_at__isnull=False)
                    & ~Q(input_sha256="")
                    & ~Q(output_sha256="")
                    & ~Q(runtime_sha256="")
                ),
                name="program_run_done_has_evidence",
                violation_error_message=(
                    "A run that gave an output has the hashes of input, output and runtime."
                ),
            ),
            WrittenOnce(
                fields=MADE,
                when="ran_at",
                name="program_run_once",
                violation_error_message="What a run gave is written once.",
            ),
        )

    def __str__(self) -> str:
        return f"run of {self.attempt_id}"

    @property
    def is_trial(self) -> bool:
        """Tell a run on public data: free, on no board, with its log for its owner."""
        return self.attempt.tier == TierName.PUBLIC

    def files(self) -> set[str]:
        """Name the files that the row keeps."""
        return {field.name for field in (self.source, self.output, self.log) if field.name}
