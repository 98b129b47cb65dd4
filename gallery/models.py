"""Runs of the gallery and what they computed: the public scenes in the scenarios I to IV."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from modalities import physics
from modalities.jobs import LIVE, Job, JobEvent, JobQuerySet
from modalities.models import Modality

from . import snapshot


class Scenario(models.TextChoices):
    """The names alone; ``physics.scenarios.WORDS`` has the words."""

    I = "I", "I"  # noqa: E741 - the scenario's name
    II = "II", "II"
    III = "III", "III"
    IV = "IV", "IV"


class Group(models.TextChoices):
    HOME = physics.HOME, "Home"
    AWAY = physics.AWAY, "Away"


class RunQuerySet(JobQuerySet["Run"]):
    def for_modality(self, modality: Modality) -> Self:
        return self.filter(modality=modality)

    def current(self, key: str) -> Self:
        """Runs of what the catalogue says now."""
        return self.filter(modality__key=key, spec_hash=snapshot.current_digest(key))

    def asked_within(self, time: timedelta) -> Self:
        return self.filter(queued_at__gt=Now() - time)

    def newest_first(self) -> Self:
        return self.order_by("-queued_at", "-pk")

    def ask(self, modality: Modality, method: str = "", **fields: Any) -> Run:
        """Queue a run of what the catalogue says now, by the gallery's method unless named.

        Raise IntegrityError when the modality has a live run already.
        """
        spec = physics.load(modality.key)
        data = snapshot.take(spec)
        return self.enqueue(
            modality=modality,
            method=method or spec.gallery_method,
            spec=data,
            spec_hash=snapshot.digest(data),
            **fields,
        )


def method_label(key: str, name: str) -> str:
    """Give a method's name for readers; its name in the code where it is gone."""
    methods = physics.METHODS.get(key, {})
    return methods[name].label if name in methods else name


class Run(Job):
    """One computation of a modality's gallery, with all that is needed to compute it again."""

    task_name = "gallery.tasks.compute"
    default_queue = "gallery"
    files_folder = "runs"

    modality = models.ForeignKey(Modality, on_delete=models.PROTECT, related_name="runs")
    method = models.CharField(max_length=60)
    seed = models.PositiveIntegerField(default=0)
    spec = models.JSONField()
    spec_hash = models.CharField(max_length=64)
    # Known once it is done.
    physics_version = models.CharField(max_length=12, blank=True)
    calibrated = models.JSONField(default=dict, blank=True)
    calibrated_away = models.JSONField(default=dict, blank=True)
    violations = models.JSONField(default=list, blank=True)
    cpu_seconds = models.FloatField(null=True, blank=True)

    objects: ClassVar = RunQuerySet.as_manager()

    class Meta(Job.Meta):
        ordering = ("-queued_at",)
        constraints = (
            *Job.Meta.constraints,
            models.UniqueConstraint(
                fields=["modality"],
                condition=Q(state__in=LIVE),
                name="gallery_run_one_live",
                violation_error_message="This gallery is being computed already.",
            ),
        )

    def __str__(self) -> str:
        return f"run {self.pk} of {self.modality_id}"

    def get_absolute_url(self) -> str:
        return reverse("gallery:run", args=[self.pk])

    def in_words(self) -> str:
        label = method_label(self.modality.key, self.method)
        return f"run of {self.modality.name} with {label}"

    def after_move(self, event: str) -> None:
        """Give the modality's page a new version: it shows the newest run and its state."""
        Modality.objects.filter(pk=self.modality_id).touch()

    def result_count(self) -> int:
        return self.results.count()

    def expected_result_count(self) -> int:
        return len(snapshot.samples(self.spec)) * len(self.scenarios)

    def kept_files(self) -> set[str]:
        """Collect the files that the results name; several may name one."""
        return {name for row in self.results.values_list(*SceneResult.FILES) for name in row}

    @property
    def scenarios(self) -> list[str]:
        """The scenarios of this run: IV only where the modality can be calibrated."""
        return [s for s in Scenario.values if s != Scenario.IV or self.calibrated]


class RunEvent(JobEvent):
    job = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="events")


class SceneResult(models.Model):
    """One scene in one scenario: scores, pictures, and the arrays they come from.

    scene counts the public tier's samples, those at home first; group says which it is.
    """

    FILES = ("truth", "measurement", "reconstruction", "difference", "arrays")

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="results")
    scene = models.PositiveSmallIntegerField("scene index")
    group = models.CharField(max_length=4, choices=Group.choices, default=Group.HOME)
    scenario = models.CharField(max_length=3, choices=Scenario.choices)
    psnr = models.FloatField("PSNR (dB)")
    ssim = models.FloatField("SSIM")
    consistency = models.FloatField()
    cpu_seconds = models.FloatField()
    # |believed − true| / range of the public tier, for each mismatch parameter.
    spec_error = models.JSONField(default=dict, blank=True)
    # The truth's pictures are shared by the scenarios of a scene, so several rows name one file.
    truth = models.FileField(max_length=200)
    measurement = models.FileField(max_length=200)
    reconstruction = models.FileField(max_length=200)
    difference = models.FileField(max_length=200)
    arrays = models.FileField(max_length=200)

    class Meta:
        ordering = ("run", "scene", "scenario")
        constraints = (
            models.UniqueConstraint(
                fields=["run", "scene", "scenario"],
                name="gallery_sceneresult_once",
                violation_error_message="A run has one result for a scene in a scenario.",
            ),
            models.CheckConstraint(
                name="gallery_sceneresult_scenario",
                condition=Q(scenario__in=Scenario.values, group__in=Group.values),
                violation_error_message="The scenarios are I, II, III and IV, at home or away.",
            ),
            models.CheckConstraint(
                name="gallery_sceneresult_scores",
                condition=Q(psnr__lte=100, ssim__gte=-1, ssim__lte=1)
                & Q(consistency__gte=0, consistency__lte=1),
                violation_error_message="A score is outside its range.",
            ),
        )

    def __str__(self) -> str:
        return f"scene {self.scene}, scenario {self.scenario}"
