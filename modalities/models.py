"""The modalities of the catalogue as rows, so that other rows can point at them.

Nobody edits them: ``sync`` writes them from the catalogue files, in that direction only. What the
physics needs (the chain, its unknowns, the scenes) stays in the file: see ``Modality.spec``.
"""

from __future__ import annotations

import math
from typing import Self

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
        """Keep those that the catalogue still has, grouped as on the home page."""
        return self.filter(is_listed=True).order_by("category", "name")

    def quickest_first(self) -> list[Modality]:
        """Sort by the size of the object: pages of small ones fill in soonest."""
        return sorted(self, key=lambda modality: math.prod(modality.spec.shape))

    def touch(self) -> int:
        """Bump the version of every modality in the set: their cached pages are out of date."""
        return self.update(version=F("version") + 1)


class Modality(models.Model):
    """One imaging modality: what its page says, and its key, the same everywhere.

    facts: the signal chain, set-up, references, datasets and source gallery of the TOML file.
    sections: the prose as ``[{"slug", "title", "html"}]``, rendered once, in the page's order.
    tiers: the cards of the challenge's tiers as ``[{"name", "title", "summary", "get", "use",
    "submit"}]``, from public to hidden.
    """

    key = models.CharField(max_length=40, unique=True, validators=[key_rule])
    name = models.CharField(max_length=120, unique=True)
    short_name = models.CharField(max_length=24)
    aliases = models.JSONField(default=list, blank=True)
    category = models.CharField(max_length=80)
    task = models.TextField()
    facts = models.JSONField(default=dict)
    sections = models.JSONField(default=list)
    tiers = models.JSONField(default=list)
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
        return self.spec.gallery_method if self.key in set(physics.keys()) else ""

    def touch(self) -> None:
        """Bump the version. Call it in the transaction of the write that changes a page."""
        type(self).objects.filter(pk=self.pk).touch()


class TierName(models.TextChoices):
    PUBLIC = "public", "Public"
    DEV = "dev", "Dev"
    HIDDEN = "hidden", "Hidden"


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


class Checked(models.Model):
    """How far ``check_invariants`` has come with one table, or in time (modalities/jobs/rounds)."""

    name = models.CharField(max_length=80, primary_key=True)
    place = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.place or 'from the start'}"
