"""Calibrations of measured series: who computed them, from which bytes, and what they gave."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from modalities.jobs import BACKGROUND, LIVE, Job, JobEvent, JobQuerySet
from modalities.physics.versions import program_sha256


class CalibrationQuerySet(JobQuerySet["Calibration"]):
    def of(self, series: str) -> Self:
        return self.filter(series=series)

    def by_this_program(self) -> Self:
        """Those that the physics of today computed, or will."""
        return self.filter(Q(program_sha256=program_sha256()) | Q(state__in=LIVE))


class Calibration(Job):
    """One blind calibration and reconstruction of a measured series."""

    task_name = "realdata.tasks.calibrate"
    default_queue = BACKGROUND
    files_folder = "realdata"

    series = models.CharField(max_length=40)
    # Known once it is done: what was read, what computed it, and what came out.
    file_sha256 = models.CharField(max_length=64, blank=True)
    program_sha256 = models.CharField(max_length=64, blank=True)
    cpu_seconds = models.FloatField(null=True, blank=True)
    result = models.JSONField(default=dict, blank=True)
    # Names of pictures to their files in the storage.
    pictures = models.JSONField(default=dict, blank=True)

    objects: ClassVar = CalibrationQuerySet.as_manager()

    class Meta(Job.Meta):
        ordering = ("-queued_at",)
        constraints = (
            *Job.Meta.constraints,
            models.UniqueConstraint(
                fields=["series"],
                condition=Q(state__in=LIVE),
                name="realdata_calibration_one_live",
                violation_error_message="This series is being calibrated already.",
            ),
            models.CheckConstraint(
                name="realdata_calibration_evidence",
                condition=Q(result={}) | Q(cpu_seconds__isnull=False) & ~Q(file_sha256=""),
                violation_error_message="A result names the file that it was computed from.",
            ),
        )

    def __str__(self) -> str:
        return f"calibration {self.pk} of {self.series}"

    def kept_files(self) -> set[str]:
        return set(self.pictures.values())


class CalibrationEvent(JobEvent):
    job = models.ForeignKey(Calibration, on_delete=models.PROTECT, related_name="events")
