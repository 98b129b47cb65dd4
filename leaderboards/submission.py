"""Work that ends in scores: what people submit, and the runs of the site's own baselines.

These are rows of ``leaderboards.models``; they stand here because they are jobs.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Self, cast

import numpy as np
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now, TruncDate
from django.urls import reverse

from modalities.jobs import Job, JobEvent, JobQuerySet, State
from modalities.models import Modality, TierName

UPLOAD_TIERS = (TierName.PUBLIC, TierName.DEV)
# So many of a person's files may wait at once: their bytes lie on the server meanwhile.
MOST_LIVE = 40


class Quota(Exception):
    """The submitter has used up today's submissions; the message says when there are more."""


def private_storage() -> Storage:
    """Give the storage of what only its owner and the scorer may see."""
    return storages["private"]


def keep_arrays(job: Job, names: Sequence[str], x_hats: Sequence[Any]) -> str:
    """Store reconstructions as .npz (float32), and give the name they have."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {
        n: np.asarray(x, np.float32) for n, x in zip(names, x_hats, strict=True)
    }
    np.savez_compressed(file, **arrays)
    path = f"outputs/{job.pk}-{job.token}.npz"
    return private_storage().save(path, ContentFile(file.getvalue()))


def load_arrays(job: Submission | Evaluation) -> dict[str, Any]:
    """Read what ``keep_arrays`` stored, by sample."""
    with job.arrays.open("rb") as file, np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


class SubmissionQuerySet(JobQuerySet):
    def counted(self) -> Self:
        """Those that count against a quota: refused files and faults of the server cost nothing."""
        return self.exclude(state__in=(State.FAILED, State.CANCELLED))

    def of(self, user: Any) -> Self:
        return self.filter(started_by=user)

    def today(self) -> Self:
        return self.filter(queued_at__date=TruncDate(Now()))

    def left_today(self, modalities: Sequence[Modality]) -> list[tuple[Modality, int]]:
        """Say how many files each modality's dev tier still takes today. One query."""
        counts = self.counted().today().filter(tier=TierName.DEV).order_by()
        rows = counts.values_list("modality").annotate(used=models.Count("pk"))
        used = dict(rows)
        most = settings.PWM_DEV_SUBMISSIONS_A_DAY
        return [(m, max(0, most - used.get(m.pk, 0))) for m in modalities]

    def submit(self, user: Any, *, file: Any, sha256: str, **fields: Any) -> Submission:
        """Queue a file for scoring, or give back the submission that this very file is already.

        ``fields``: modality, method, tier, code_url. Raise Quota when today's are used up.
        """
        same = {"modality": fields["modality"], "method": fields["method"], "tier": fields["tier"]}
        with transaction.atomic():
            # One submitter at a time, so that two uploads cannot both be the last one allowed.
            get_user_model()._default_manager.select_for_update().get(pk=user.pk)
            mine = self.of(user).counted()
            if known := mine.filter(**same, sha256=sha256).first():
                return cast("Submission", known)
            if mine.live().count() >= MOST_LIVE:
                raise Quota(
                    f"{MOST_LIVE} of your submissions are waiting to be scored; "
                    "send this one when some of them are done."
                )
            used = mine.filter(modality=fields["modality"], tier=TierName.DEV).today().count()
            if fields["tier"] == TierName.DEV and used >= settings.PWM_DEV_SUBMISSIONS_A_DAY:
                raise Quota(
                    f"You have used today's {settings.PWM_DEV_SUBMISSIONS_A_DAY} submissions to "
                    "the dev tier of this modality. There are more after midnight UTC; "
                    "the public tier has no limit."
                )
            made: Submission = self.enqueue(started_by=user, file=file, sha256=sha256, **fields)
            return made


class Submission(Job):
    """A file of reconstructions that somebody sent, and what the scorer found.

    problems: everything that is wrong with a refused file, one sentence each.
    result: the tier's means, interval, ceiling and scenes, as ``score.TierResult`` has them.
    arrays: the reconstructions as read and checked (.npz, float32), to draw and score again.
    corrected_spec: the parameters that came with them, one object per scene.
    """

    task_name = "leaderboards.tasks.score_submission"
    default_queue = "scoring"

    modality = models.ForeignKey(Modality, models.PROTECT, related_name="submissions")
    method = models.ForeignKey("leaderboards.Method", models.PROTECT, related_name="submissions")
    tier = models.CharField(max_length=10, choices=[(t, t.label) for t in UPLOAD_TIERS])
    file = models.FileField(storage=private_storage, upload_to="submissions", max_length=200)
    sha256 = models.CharField(max_length=64)
    code_url = models.URLField("code", blank=True)
    problems = models.JSONField(default=list, blank=True)
    result = models.JSONField(default=dict, blank=True)
    corrected_spec = models.JSONField(default=list, blank=True)
    arrays = models.FileField(storage=private_storage, max_length=200, blank=True)
    entry = models.ForeignKey(
        "leaderboards.Entry", models.SET_NULL, null=True, blank=True, related_name="submissions"
    )

    objects = SubmissionQuerySet.as_manager()

    class Meta(Job.Meta):
        abstract = False
        ordering = ("-queued_at",)
        constraints = (
            *Job.Meta.constraints,
            models.UniqueConstraint(
                fields=["started_by", "modality", "method", "tier", "sha256"],
                condition=~Q(state__in=(State.FAILED, State.CANCELLED)),
                name="submission_file_once",
                violation_error_message="You have submitted this file already.",
            ),
            models.CheckConstraint(
                condition=Q(tier__in=UPLOAD_TIERS),
                name="submission_tier_takes_uploads",
                violation_error_message="Files are taken for the public and the dev tier.",
            ),
        )

    def __str__(self) -> str:
        return f"submission {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("leaderboards:submission", args=[self.pk])

    def result_count(self) -> int:
        return int(bool(self.result))

    def expected_result_count(self) -> int:
        return 1


class SubmissionEvent(JobEvent):
    job = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="events")


class Variant(models.TextChoices):
    """What a baseline's operator is built with."""

    NOMINAL = "nominal", "Nominal spec"
    GRADIENT = "gradient", "Calibrated from the data"
    MIDDLE = "middle", "Middle of the range"
    ORACLE = "oracle", "Oracle"


class EvaluationQuerySet(JobQuerySet):
    def wanted(self, **what: Any) -> Self:
        """Those that need not be queued again: waiting, running, or done with the same inputs."""
        return self.filter(**what).exclude(state__in=(State.FAILED, State.CANCELLED))


class Evaluation(Job):
    """A baseline that the server itself runs on one tier, or on the standard benchmark.

    inputs: names the data and the code that it ran on; the same inputs give the same result.
    """

    task_name = "leaderboards.tasks.evaluate_baseline"
    default_queue = "hidden"

    modality = models.ForeignKey(Modality, models.PROTECT, related_name="evaluations")
    method = models.ForeignKey("leaderboards.Method", models.PROTECT, related_name="evaluations")
    tier = models.CharField(max_length=10)
    variant = models.CharField(max_length=10, choices=Variant.choices)
    is_reference = models.BooleanField(default=False)
    inputs = models.CharField(max_length=64)
    corrected_spec = models.JSONField(default=list, blank=True)
    arrays = models.FileField(storage=private_storage, max_length=200, blank=True)
    result = models.JSONField(default=dict, blank=True)
    entry = models.ForeignKey(
        "leaderboards.Entry", models.SET_NULL, null=True, blank=True, related_name="evaluations"
    )

    objects = EvaluationQuerySet.as_manager()

    class Meta(Job.Meta):
        abstract = False
        ordering = ("-queued_at",)
        constraints = (
            *Job.Meta.constraints,
            models.UniqueConstraint(
                fields=["modality", "method", "tier", "variant", "inputs"],
                condition=~Q(state__in=(State.FAILED, State.CANCELLED)),
                name="evaluation_once",
                violation_error_message="This baseline has run on these inputs.",
            ),
        )

    def __str__(self) -> str:
        return f"evaluation {self.pk}"

    def result_count(self) -> int:
        return int(bool(self.result))

    def expected_result_count(self) -> int:
        return 1


class EvaluationEvent(JobEvent):
    job = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="events")


class Calibration(models.Model):
    """A blind calibration of one tier, kept because every "+ gradient" baseline starts from it."""

    modality = models.ForeignKey(Modality, models.CASCADE, related_name="calibrations")
    tier = models.CharField(max_length=10)
    inputs = models.CharField(max_length=64)
    values = models.JSONField()
    cpu_seconds = models.FloatField()
    made_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["modality", "tier", "inputs"], name="calibration_once"),
        )

    def __str__(self) -> str:
        return f"calibration of {self.modality_id}, {self.tier}"
