"""Attempts: everything that gives a score is one row, a job, with its own evidence.

A file that somebody sent, a baseline that the site runs, a program, and a second run of any of
them: each carries what went in, what came out and where it ran, written once, in the transaction
that ends it. Only ``leaderboards.counting`` decides which attempt counts on a board.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from django.contrib.auth import get_user_model
from django.core.files.storage import Storage, storages
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Now
from django.urls import reverse

from modalities import physics
from modalities.append_only import WrittenOnce
from modalities.jobs import BACKGROUND, LIVE, Job, JobEvent, JobQuerySet, State
from modalities.models import Dataset, Modality, TierName

from . import quota
from .credit import PRICE_OF_A_HIDDEN_RUN, CreditAccount
from .entry import TierScore
from .fields import Sha256Field, link
from .quota import GONE, Left
from .words import PROGRAM_TIERS, UPLOAD_TIERS, Form, Kind, ScoreTier, Trust, Variant

# Who serves what. A program begins in its queue and is handed over to that of files once its output
# is there: whoever starts programs knows no truth, and whoever knows it starts none.
QUEUES = {Kind.FILE: "scoring", Kind.BASELINE: BACKGROUND, Kind.PROGRAM: "programs"}
# Nobody may change these once an attempt has its score.
EVIDENCE = (
    *("kind", "modality", "tier", "variant", "repeats", "result", "score", "corrected_spec"),
    "spec_intervals",
    *("metrics_version", "data_version", "environment", "inputs_sha256", "program_sha256"),
    *("outputs_sha256", "environment_sha256", "cpu_seconds", "peak_memory_mb"),
)


def private_storage() -> Storage:
    """Give the storage of what only its owner and the scorer may see."""
    return storages["private"]


class AttemptQuerySet(JobQuerySet["Attempt"]):
    def files(self) -> Self:
        return self.filter(kind=Kind.FILE)

    def programs(self) -> Self:
        return self.filter(kind=Kind.PROGRAM)

    def of(self, user: Any) -> Self:
        """What a person sent; second runs that a curator asked for are nobody's."""
        return self.filter(started_by=user, kind__in=(Kind.FILE, Kind.PROGRAM))

    def wanted(self, **what: Any) -> Self:
        """Those that need not be queued again: waiting, running, or done with the same inputs."""
        return self.filter(**what).exclude(state__in=GONE)

    def left(self, modalities: Sequence[Modality]) -> list[Left]:
        """Say how many files each modality's dev tier still takes. One query."""
        return quota.left(self, modalities)

    def with_place(self) -> Self:
        """Add ``does_count``: whether a board shows the attempt's figures."""
        shown = TierScore.objects.filter(attempt=OuterRef("pk"))
        return self.annotate(does_count=Exists(shown))

    def results_of(self, entry: Any, tier: str) -> Self:
        """Attempts that may count as the entry's result on ``tier``.

        A second run is one when it scored by other metrics than the first: then it takes its place.
        """
        same = Q(modality=entry.modality_id, method=entry.method_id, variant=entry.variant)
        same &= ~Q(kind=Kind.PROGRAM, tier=TierName.PUBLIC)  # a trial
        is_new = ~Q(kind=Kind.RERUN) | ~Q(metrics_version=F("repeats__metrics_version"))
        return self.filter(same, is_new, tier=tier, score__isnull=False).annotate(
            asked_at=Coalesce("repeats__queued_at", "queued_at")
        )

    def submit(self, user: Any, *, file: Any, sha256: str, size: int = 0, **fields: Any) -> Attempt:
        """Queue a file for scoring, or give back the attempt that this very file is already.

        size: in bytes. ``fields``: modality, method, tier, code_url. Raise Quota where there is no
        more for now.
        """
        same = {"modality": fields["modality"], "method": fields["method"], "tier": fields["tier"]}
        with transaction.atomic():
            # One submitter at a time, so that two uploads cannot both be the last one allowed.
            get_user_model()._default_manager.select_for_update().get(pk=user.pk)
            mine = self.of(user).files().exclude(state__in=GONE)
            if known := mine.filter(**same, sha256=sha256).first():
                return known
            quota.check_waiting(mine)
            quota.check_day(self.of(user).files(), size)
            if fields["tier"] == TierName.DEV:
                quota.check_dev(mine, fields["modality"])
            return self.enqueue(
                kind=Kind.FILE,
                queue=QUEUES[Kind.FILE],
                started_by=user,
                file=file,
                sha256=sha256,
                size=size,
                **fields,
            )

    def run_program(
        self, user: Any, *, form: Form, source: Any, sha256: str, size: int, **fields: Any
    ) -> Attempt:
        """Queue a run of a program, paid for if it is on the hidden tier, or give back the attempt
        that this program is already: one on its way, or with a result on today's data.

        source: its name in the storage of runs. size: in bytes. ``fields``: modality, method, tier,
        code_url. Raise Quota where there is no more for now, NotEnoughCredits where it cannot be
        paid; then nothing is queued.
        """
        from .program import ProgramRun

        same = {"modality": fields["modality"], "method": fields["method"], "tier": fields["tier"]}
        with transaction.atomic():
            # One request of a person at a time, as with files.
            get_user_model()._default_manager.select_for_update().get(pk=user.pk)
            mine = self.of(user).programs()
            if known := mine.on_its_way_or_current().filter(**same, sha256=sha256).first():
                return known
            quota.check_runs(mine, fields["tier"])
            quota.check_kept(ProgramRun.objects.kept_of(user), size)
            made = self.enqueue(
                kind=Kind.PROGRAM,
                queue=QUEUES[Kind.PROGRAM],
                started_by=user,
                sha256=sha256,
                size=size,
                **fields,
            )
            ProgramRun.objects.create(attempt=made, form=form, source=source)
            if made.price:
                account = CreditAccount.objects.of(user)
                account.spend(made.price, made.subject, f"A run of {made.method} on {made.where}.")
        return made

    def on_its_way_or_current(self) -> Self:
        """Those that are waiting or running, or have a result on today's data."""
        today = Dataset.objects.filter(modality=OuterRef("modality"), tier=OuterRef("tier"))
        current = Q(state=State.SUCCEEDED, data_version=Subquery(today.values("version")[:1]))
        return self.filter(Q(state__in=LIVE) | current)

    def repeat(self, first: Attempt, by: Any = None) -> Attempt:
        """Queue a second run of ``first``. Raise IntegrityError while one is waiting or running.

        A program is run again, free of charge; its file is then named by both rows.
        """
        from .program import ProgramRun

        asked = first.first
        with transaction.atomic():
            made = self.enqueue(
                kind=Kind.RERUN,
                queue=QUEUES[Kind(asked.kind)],
                repeats=first,
                started_by=by,
                **{
                    name: getattr(first, name)
                    for name in ("modality", "method", "tier", "variant", "inputs", "sha256")
                },
            )
            if asked.kind == Kind.PROGRAM:
                run = asked.program
                ProgramRun.objects.create(attempt=made, form=run.form, source=run.source.name)
        return made


class Attempt(Job):
    """Anything that gives a score, and the evidence for it.

    inputs: names data and code of a baseline before it runs; the same inputs give the same result.
    file, sha256, size: what a person sent; the file of one that was refused or cancelled goes.
    problems: all that is wrong with a refused file.
    result: means, interval, ceiling and scenes, as ``scoring.score.TierResult`` has them, exact.
    corrected_spec: the parameters used, one object per scene; a secret truth is kept nowhere.
    spec_intervals: their 95 % intervals, null for a parameter that the method abstains from, and
    null for a scene without any.
    arrays: the reconstructions (.npz, float32 or complex64), to draw and to score again.
    environment: Python, machine and the packages that matter, by version.
    """

    task_name = "leaderboards.tasks.attempt"
    default_queue = "scoring"
    files_storage = "private"
    files_also_in = ("runs",)
    files_folder = "attempts"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    modality = models.ForeignKey(Modality, models.PROTECT, related_name="attempts")
    method = models.ForeignKey("leaderboards.Method", models.PROTECT, related_name="attempts")
    tier = models.CharField(max_length=10, choices=ScoreTier.choices)
    variant = models.CharField(max_length=10, choices=Variant.choices, default=Variant.OWN)
    repeats = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="second_runs"
    )
    entry = models.ForeignKey(
        "leaderboards.Entry", models.PROTECT, null=True, blank=True, related_name="attempts"
    )

    inputs = models.CharField(max_length=64, blank=True)
    file = models.FileField(
        storage=private_storage, upload_to="submissions", max_length=200, blank=True
    )
    sha256 = Sha256Field("SHA-256 of the file")
    size = models.PositiveBigIntegerField(default=0, help_text="of the file, in bytes")
    code_url = models.URLField("code", blank=True)
    problems = models.JSONField(default=list, blank=True)

    result = models.JSONField(default=dict, blank=True)
    score = models.FloatField(null=True, blank=True)
    corrected_spec = models.JSONField(default=list, blank=True)
    spec_intervals = models.JSONField(default=list, blank=True)
    arrays = models.FileField(storage=private_storage, max_length=200, blank=True)
    metrics_version = models.CharField(max_length=12, blank=True)
    data_version = models.CharField(max_length=40, blank=True)
    inputs_sha256 = Sha256Field()
    program_sha256 = Sha256Field()
    outputs_sha256 = Sha256Field()
    environment_sha256 = Sha256Field()
    environment = models.JSONField(default=dict, blank=True)
    cpu_seconds = models.FloatField(null=True, blank=True)
    peak_memory_mb = models.FloatField(null=True, blank=True)

    objects: ClassVar = AttemptQuerySet.as_manager()

    class Meta(Job.Meta):
        abstract = False
        ordering = ("-queued_at",)
        indexes = (
            *Job.Meta.indexes,
            models.Index(fields=["modality", "method", "tier", "variant"], name="attempt_results"),
        )
        constraints = (
            *Job.Meta.constraints,
            models.UniqueConstraint(
                fields=["started_by", "modality", "method", "tier", "sha256"],
                condition=Q(kind=Kind.FILE) & ~Q(state__in=GONE),
                name="attempt_file_once",
                violation_error_message="You have submitted this file already.",
            ),
            models.UniqueConstraint(
                fields=["modality", "method", "tier", "variant", "inputs"],
                condition=Q(kind=Kind.BASELINE) & ~Q(state__in=GONE),
                name="attempt_baseline_once",
                violation_error_message="This baseline has run on these inputs.",
            ),
            models.UniqueConstraint(
                fields=["repeats"],
                condition=Q(state__in=LIVE),
                name="attempt_one_second_run",
                violation_error_message="A second run of this result is on its way.",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=Kind.values)
                & Q(tier__in=ScoreTier.values)
                & Q(variant__in=Variant.values),
                name="attempt_words_known",
                violation_error_message="There is no such kind, tier or variant.",
            ),
            models.CheckConstraint(
                condition=Q(kind=Kind.RERUN, repeats__isnull=False)
                | (~Q(kind=Kind.RERUN) & Q(repeats__isnull=True)),
                name="attempt_rerun_repeats",
                violation_error_message="A second run names the first; no other attempt does.",
            ),
            models.CheckConstraint(
                condition=~Q(kind=Kind.FILE)
                | (Q(tier__in=UPLOAD_TIERS, variant=Variant.OWN) & ~Q(sha256="")),
                name="attempt_tier_takes_uploads",
                violation_error_message="Files are taken for the public and the dev tier.",
            ),
            models.CheckConstraint(
                condition=~Q(kind=Kind.PROGRAM)
                | (
                    Q(tier__in=PROGRAM_TIERS, variant=Variant.OWN)
                    & Q(queue__in=(QUEUES[Kind.PROGRAM], QUEUES[Kind.FILE]))
                    & ~Q(sha256="")
                ),
                name="attempt_tier_runs_programs",
                violation_error_message=(
                    "Programs run on the hidden tier, and for a trial on the public one."
                ),
            ),
            models.UniqueConstraint(
                fields=["started_by", "modality", "method", "tier", "sha256"],
                condition=Q(kind=Kind.PROGRAM, state__in=LIVE),
                name="attempt_program_once_at_a_time",
                violation_error_message="This program is on its way already.",
            ),
            models.CheckConstraint(
                condition=Q(score__isnull=True, outputs_sha256="", metrics_version="")
                | (
                    Q(score__isnull=False, entry__isnull=False)
                    & ~Q(metrics_version="")
                    & ~Q(inputs_sha256="")
                    & ~Q(outputs_sha256="")
                    & ~Q(environment_sha256="")
                ),
                name="attempt_score_has_evidence",
                violation_error_message=(
                    "A score comes with its entry and the hashes of inputs, outputs, environment."
                ),
            ),
            models.CheckConstraint(
                condition=Q(score__isnull=True)
                | ~Q(kind__in=(Kind.BASELINE, Kind.PROGRAM))
                | ~Q(program_sha256=""),
                name="attempt_run_has_program",
                violation_error_message="A run by the server names its program.",
            ),
            WrittenOnce(
                fields=EVIDENCE,
                when="score",
                name="attempt_evidence_once",
                violation_error_message="The evidence of an attempt is written once.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display().lower()} {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("leaderboards:submission", args=[self.pk])

    def in_words(self) -> str:
        return f"submission of {self.method} to {self.modality.name}, {self.tier} tier,"

    @property
    def code_link(self) -> str:
        return link(self.code_url)

    @property
    def where(self) -> str:
        return f"the {self.tier} tier of {self.modality.name}"

    @property
    def price(self) -> int:
        """How many credits the run costs whoever asked for it."""
        is_hidden_run = self.kind == Kind.PROGRAM and self.tier == TierName.HIDDEN
        return PRICE_OF_A_HIDDEN_RUN if is_hidden_run else 0

    @property
    def subject(self) -> str:
        """Name the run in the ledger of credits."""
        return f"attempt:{self.pk}"

    @property
    def is_trial(self) -> bool:
        """Tell a program on public data: free, on no board, with its log for its owner."""
        return self.kind == Kind.PROGRAM and self.tier == TierName.PUBLIC

    def result_count(self) -> int:
        return int(self.score is not None)

    def expected_result_count(self) -> int:
        return 1

    def after_move(self, event: str) -> None:
        """Give back what a run costs that was not made, and let a refused file go."""
        if self.price and event in ("refused", "failed", "lost", "cancelled"):
            self._settle_price()
        if event in ("refused", "cancelled"):
            self._drop_file()

    def _settle_price(self) -> None:
        from .program import is_given_back

        code = type(self).objects.values_list("error_code", flat=True).get(pk=self.pk)
        if is_given_back(list(self.events.values_list("event", flat=True)), code):
            CreditAccount.objects.refund(self.subject, f"The run on {self.where} was not made.")

    def _drop_file(self) -> None:
        """Let the file go with the verdict, once that is written; nothing reads it again."""
        name = type(self).objects.filter(pk=self.pk).values_list("file", flat=True).get()
        if name:
            type(self).objects.filter(pk=self.pk).update(file="")
            transaction.on_commit(partial(private_storage().delete, name))

    def restart(self, by: str = "") -> bool:
        """Queue it once more, unless its file went; a program has to be sent and paid for anew."""
        self.refresh_from_db()
        if self.first.kind == Kind.PROGRAM:
            return False
        return (self.kind != Kind.FILE or bool(self.file)) and super().restart(by)

    def kept_files(self) -> set[str]:
        return {field.name for field in (self.file, self.arrays) if field.name}

    def kept_in(self, storage: str) -> set[str]:
        if storage != "runs":
            return super().kept_in(storage)
        may_run = self.kind in (Kind.PROGRAM, Kind.RERUN)
        run = getattr(self, "program", None) if may_run else None
        return run.files() if run else set()

    def reconstructions(self) -> dict[str, Any]:
        """Read the arrays that were kept, by sample."""
        with self.arrays.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    @property
    def has_succeeded(self) -> bool:
        return self.state == State.SUCCEEDED and self.score is not None

    @property
    def first(self) -> Attempt:
        """What somebody asked for: the attempt that this one repeats, or itself."""
        return self.repeats.first if self.repeats else self

    @property
    def trust(self) -> Trust:
        """What is known of the result when the attempt counts: scored, or run by the server."""
        return Trust.SCORED if self.first.kind == Kind.FILE else Trust.RERUN

    @property
    def is_deterministic(self) -> bool:
        """Tell whether two runs in one environment must give the same bytes.

        A baseline that the physics has no more says nothing else, so that it must.
        """
        if self.first.kind != Kind.BASELINE:
            return self.first.kind == Kind.FILE
        method = physics.METHODS[self.modality.key].get(self.method.physics_name)
        return method is None or method.is_deterministic


class AttemptEvent(JobEvent):
    job = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="events")


class Calibration(models.Model):
    """A blind calibration of one tier, kept because every "+ gradient" baseline starts from it.

    The fields are those of ``physics.Calibrated``; χ² is null where it is not known.
    """

    modality = models.ForeignKey(Modality, models.CASCADE, related_name="calibrations")
    tier = models.CharField(max_length=10)
    inputs = models.CharField(max_length=64)
    values = models.JSONField()
    intervals = models.JSONField(default=dict)
    abstained = models.JSONField(default=dict)
    chi2 = models.FloatField(null=True)
    chi2_expected = models.FloatField(null=True)
    chi2_std = models.FloatField(null=True)
    cpu_seconds = models.FloatField()
    made_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["modality", "tier", "inputs"], name="calibration_once"),
        )

    def __str__(self) -> str:
        return f"calibration of {self.modality_id}, {self.tier}"
