"""Rows that stand for what the catalogue describes, so that other rows can point at it.

Nobody edits them: ``sync`` writes them from the catalogue files, in that direction only.
"""

from __future__ import annotations

import math
from typing import Any, Self

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from modalities import physics

key_rule = RegexValidator(
    r"^[a-z][a-z0-9_]*$", "A key is lower case: letters, digits and underscores."
)


class ModalityQuerySet(models.QuerySet["Modality"]):
    def listed(self) -> Self:
        """Those that the catalogue still has, grouped as on the home page."""
        return self.filter(is_listed=True).order_by("category", "name")

    def quickest_first(self) -> list[Modality]:
        """Those of the set with the smallest objects first: their pages fill in soonest."""
        return sorted(self, key=lambda modality: math.prod(modality.spec.shape))

    def touch(self) -> int:
        """Bump the version of every modality in the set: their cached pages are out of date."""
        return self.update(version=F("version") + 1)


class Modality(models.Model):
    """One imaging modality: what its page says, and the key under which everybody knows it.

    facts: the signal chain, set-up, references, datasets and source gallery of the TOML file.
    sections: the prose as ``[{"slug", "title", "html"}]``, rendered once, in the page's order.
    """

    key = models.CharField(max_length=40, unique=True, validators=[key_rule])
    name = models.CharField(max_length=120, unique=True)
    short_name = models.CharField(max_length=24)
    aliases = models.JSONField(default=list, blank=True)
    category = models.CharField(max_length=80)
    task = models.TextField()
    facts = models.JSONField(default=dict)
    sections = models.JSONField(default=list)
    revision = models.CharField(
        max_length=64, help_text="SHA-256 of the catalogue files that this row was made from."
    )
    version = models.PositiveBigIntegerField(
        default=1, help_text="Grows with every change that a page shows; caches key on it."
    )
    is_listed = models.BooleanField(default=True, help_text="The catalogue still has this file.")

    objects = ModalityQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "modalities"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("modalities:page", args=[self.key])

    @property
    def spec(self) -> physics.Spec:
        """The physics of the modality, from the same file as this row."""
        return physics.load(self.key)

    @property
    def best_method(self) -> str:
        """The physics' name of the method that the gallery shows; "" without a catalogue file."""
        return self.spec.gallery_method if self.key in physics.keys() else ""

    def touch(self) -> None:
        """Bump the version. Call it in the transaction of the write that changes a page."""
        type(self).objects.filter(pk=self.pk).touch()


class TierName(models.TextChoices):
    PUBLIC = "public", "Public"
    DEV = "dev", "Dev"
    HIDDEN = "hidden", "Hidden"


class MismatchParameter(models.Model):
    """One unknown of the forward model: an error added to ``acts_on``, in ``unit``."""

    modality = models.ForeignKey(Modality, models.CASCADE, related_name="mismatches")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=40, validators=[key_rule])
    symbol = models.CharField(max_length=20)
    acts_on = models.CharField(max_length=80)
    description = models.CharField(max_length=200)
    unit = models.CharField(max_length=20)
    nominal = models.FloatField()
    perturbed = models.FloatField()

    class Meta:
        ordering = ("modality", "position")
        constraints = (
            models.UniqueConstraint(
                fields=["modality", "name"],
                name="mismatch_once",
                violation_error_message="This modality has a mismatch of that name.",
            ),
            models.CheckConstraint(
                condition=~Q(perturbed=F("nominal")),
                name="mismatch_perturbs",
                violation_error_message="The perturbed value must differ from the nominal one.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Tier(models.Model):
    """One tier of a modality's blind challenge, with the text of its card."""

    modality = models.ForeignKey(Modality, models.CASCADE, related_name="tiers")
    name = models.CharField(max_length=10, choices=TierName.choices)
    title = models.CharField(max_length=60)
    summary = models.CharField(max_length=200)
    get = models.TextField("what you get")
    use = models.TextField("how to use it")
    submit = models.TextField("what to submit")

    class Meta:
        ordering = ("modality", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["modality", "name"],
                name="tier_once",
                violation_error_message="This modality has that tier.",
            ),
            models.CheckConstraint(
                condition=Q(name__in=TierName.values),
                name="tier_known",
                violation_error_message="The tiers are public, dev and hidden.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.title} tier"

    @property
    def ranges(self) -> list[dict[str, Any]]:
        """The range of each unknown in this tier, by the rule, in the order of the catalogue."""
        spec = self.modality.spec
        spans = ((m, physics.tier_range(spec, m.name, self.name)) for m in spec.mismatches)
        return [
            {"name": m.name, "symbol": m.symbol, "unit": m.unit, "min": low, "max": high}
            for m, (low, high) in spans
        ]


class Scene(models.Model):
    """One procedural scene of the gallery; ``index`` is its place in the catalogue."""

    modality = models.ForeignKey(Modality, models.CASCADE, related_name="scenes")
    index = models.PositiveSmallIntegerField()
    phantom = models.CharField(max_length=60)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200)

    class Meta:
        ordering = ("modality", "index")
        constraints = (
            models.UniqueConstraint(
                fields=["modality", "index"],
                name="scene_once",
                violation_error_message="This modality has a scene at that place.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Dataset(models.Model):
    """The data of one tier as built: what the page offers, and how to check the download.

    file: its name in the site's storage; empty for the hidden tier, which has no download.
    """

    modality = models.ForeignKey(Modality, models.CASCADE, related_name="datasets")
    tier = models.CharField(max_length=10, choices=TierName.choices)
    version = models.CharField(max_length=40)
    file = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text="in bytes")
    built_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("modality", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["modality", "tier"],
                name="dataset_once",
                violation_error_message="This tier has its data.",
            ),
            models.CheckConstraint(
                condition=Q(tier__in=TierName.values)
                & (Q(tier=TierName.HIDDEN, file="") | (~Q(tier=TierName.HIDDEN) & ~Q(file=""))),
                name="dataset_hidden_has_no_file",
                violation_error_message="The hidden tier has no download; the others have one.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.modality} {self.tier} {self.version}"
