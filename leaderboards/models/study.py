"""What the public tier tells of specs: score against spec error, and the Cramér-Rao bounds."""

from __future__ import annotations

from typing import Any, ClassVar, Self, TypeVar

from django.db import models
from django.db.models import Q

from modalities.jobs import BACKGROUND, Job, JobEvent, JobQuerySet, State
from modalities.models import Modality

from .fields import Sha256Field

AnyStudy = TypeVar("AnyStudy", bound="Study", covariant=True)
_GONE = (State.FAILED, State.CANCELLED)


class StudyQuerySet(JobQuerySet[AnyStudy]):
    def wanted(self, **what: Any) -> Self:
        """Those that need not be queued again: waiting, running, or done with the same inputs."""
        return self.filter(**what).exclude(state__in=_GONE)


class Study(Job):
    """Something computed once from the public tier's truth.

    inputs: names data and code; the same inputs give the same result, exact, because the tier's
    truth is public.
    """

    # Behind the baselines, which were queued earlier: boards come first.
    default_queue = BACKGROUND

    modality = models.ForeignKey(Modality, models.PROTECT, related_name="%(class)ss")
    inputs = Sha256Field()
    result = models.JSONField(default=dict, blank=True)
    program_sha256 = Sha256Field()
    environment_sha256 = Sha256Field()
    cpu_seconds = models.FloatField(null=True, blank=True)

    class Meta(Job.Meta):
        abstract = True

    def after_move(self, event: str) -> None:
        """Give the modality's page a new version when there is something new to see."""
        if event == "succeeded":
            Modality.objects.filter(pk=self.modality_id).touch()

    def result_count(self) -> int:
        return int(bool(self.result))

    def expected_result_count(self) -> int:
        return 1


class SpecCurveQuerySet(StudyQuerySet["SpecCurve"]):
    def newest(self, modality: Modality) -> list[SpecCurve]:
        """Give the newest curve of each method and parameter that has one. One query."""
        rows = self.succeeded().filter(modality=modality).select_related("method")
        found = {(row.method_id, row.parameter): row for row in rows.order_by("finished_at", "pk")}
        return list(found.values())


class SpecCurve(Study):
    """One method and one parameter: the public tier is reconstructed with wrong values of it.

    result: lists of equal length, ``errors`` (parts of the tier's range), ``score``, ``psnr``, and
    the same over the home and the away scenes alone.
    """

    task_name = "leaderboards.tasks.spec_curve"

    method = models.ForeignKey("leaderboards.Method", models.PROTECT, related_name="spec_curves")
    parameter = models.CharField(max_length=60)

    objects: ClassVar = SpecCurveQuerySet.as_manager()

    class Meta(Study.Meta):
        abstract = False
        ordering = ("-queued_at",)
        constraints = (
            *Job.Meta.constraints,
            models.UniqueConstraint(
                fields=["modality", "method", "parameter", "inputs"],
                condition=~Q(state__in=_GONE),
                name="spec_curve_once",
                violation_error_message="This curve has been computed on these inputs.",
            ),
        )

    def __str__(self) -> str:
        return f"score against {self.parameter}, {self.pk}"


class SpecCurveEvent(JobEvent):
    job = models.ForeignKey(SpecCurve, on_delete=models.PROTECT, related_name="events")


class Bound(Study):
    """The Cramér-Rao bounds of a modality's parameters, all scenes of the public tier together.

    result: standard deviations in the parameters' units, null where the data say nothing, for the
    ``known`` and for the ``unknown`` object.
    """

    task_name = "leaderboards.tasks.bound"

    objects: ClassVar = StudyQuerySet.as_manager()

    class Meta(Study.Meta):
        abstract = False
        ordering = ("-queued_at",)
        constraints = (
            *Job.Meta.constraints,
            models.UniqueConstraint(
                fields=["modality", "inputs"],
                condition=~Q(state__in=_GONE),
                name="bound_once",
                violation_error_message="These bounds have been computed on these inputs.",
            ),
        )

    def __str__(self) -> str:
        return f"bounds of {self.modality_id}, {self.pk}"


class BoundEvent(JobEvent):
    job = models.ForeignKey(Bound, on_delete=models.PROTECT, related_name="events")
