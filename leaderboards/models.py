"""Who did how well: methods, their entries on the boards, and the scores of each tier.

The trust ladder is held by the database, not by the views:
reported → (never re-run) · scored → rerun → certified.
"""

from __future__ import annotations

import uuid
from typing import Any, Self

from django.conf import settings
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse

from modalities.models import Modality

from .curation import CERTIFICATE_RULES, Curated, History
from .vocabulary import (
    Board,
    Checkpoint,
    Family,
    Origin,
    Reference,
    ScoreTier,
    Trust,
)

slug_rule = RegexValidator(
    r"^[a-z0-9]+(-[a-z0-9]+)*$", "A slug is lower case: letters, digits and single hyphens."
)
https_rule = URLValidator(schemes=["https"], message="Give a link that begins with https://.")


class HttpsField(models.URLField):
    """A link that begins with https://; it is shown and never fetched."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("blank", True)
        kwargs.setdefault("validators", [https_rule])
        super().__init__(*args, **kwargs)

    def formfield(self, **kwargs: Any) -> Any:
        kwargs.setdefault("assume_scheme", "https")
        return super().formfield(**kwargs)

    def deconstruct(self) -> Any:
        """Stand in migrations as the plain field that it is to the database."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.URLField", args, kwargs


class Publication(models.Model):
    """What a source reported about a modality, and what is known about those figures."""

    modality = models.OneToOneField(Modality, models.CASCADE, related_name="publication")
    dataset = models.CharField(max_length=200)
    source_html = models.TextField()

    def __str__(self) -> str:
        return f"{self.modality}: {self.dataset}"


class MethodQuerySet(models.QuerySet["Method"]):
    def for_modality(self, modality: Modality) -> Self:
        return self.filter(modalities=modality)

    def implemented(self) -> Self:
        """Those that the site can run itself."""
        return self.exclude(physics_name="")

    def owned_by(self, user: Any) -> Self:
        return self.filter(owner=user)


class Method(models.Model):
    """A way to reconstruct, or to calibrate and reconstruct; its page is ``/methods/<slug>/``.

    physics_name: its name in ``physics.METHODS``, where the site has an implementation.
    """

    slug = models.CharField(max_length=60, unique=True, validators=[slug_rule])
    name = models.CharField(max_length=80)
    family = models.CharField("kind", max_length=20, choices=Family.choices)
    description = models.TextField()
    description_html = models.TextField(editable=False, blank=True)
    citation = models.TextField(blank=True)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    paper_url = HttpsField("paper")
    code_url = HttpsField("code")
    licence = models.CharField(max_length=60, blank=True)
    checkpoint = models.CharField(max_length=20, choices=Checkpoint.choices)
    physics_name = models.CharField(max_length=60, blank=True, editable=False)
    is_ours = models.BooleanField(
        default=False, editable=False, help_text="Described by the physics; no source reports it."
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="methods"
    )
    modalities = models.ManyToManyField(Modality, related_name="methods")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = MethodQuerySet.as_manager()
    history = History()

    class Meta:
        ordering = ("name", "slug")
        constraints = (
            models.UniqueConstraint(
                fields=["physics_name"],
                condition=~Q(physics_name=""),
                name="method_implemented_once",
                violation_error_message="Another method stands for that implementation.",
            ),
            models.CheckConstraint(
                condition=Q(family__in=Family.values),
                name="method_family_known",
                violation_error_message="There is no such kind of method.",
            ),
            models.CheckConstraint(
                condition=Q(checkpoint__in=Checkpoint.values),
                name="method_checkpoint_known",
                violation_error_message="There is no such state of a checkpoint.",
            ),
            models.CheckConstraint(
                condition=(Q(paper_url="") | Q(paper_url__startswith="https://"))
                & (Q(code_url="") | Q(code_url__startswith="https://")),
                name="method_links_https",
                violation_error_message="Links begin with https://.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("leaderboards:method", args=[self.slug])


class EntryQuerySet(models.QuerySet["Entry"]):
    def for_modality(self, modality: Modality) -> Self:
        return self.filter(modality=modality)

    def on(self, board: str) -> Self:
        return self.filter(board=board)

    def reported(self) -> Self:
        return self.filter(origin=Origin.REPORTED)

    def measured(self) -> Self:
        return self.filter(origin=Origin.MEASURED)

    def standing(self) -> Self:
        """Those that nobody has disqualified."""
        return self.filter(disqualified_at__isnull=True)

    def ranked(self) -> Self:
        """Best first, missing scores last on every database; names settle the order of ties."""
        return self.order_by(F("score").desc(nulls_last=True), "name", "pk")


class Entry(Curated):
    """One row of one board: a method on a modality, reported by a source or measured here.

    score: the standard score, or the mean of the three tiers once all of them exist.
    checkpoint: the method's state when the entry was made.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    modality = models.ForeignKey(Modality, models.PROTECT, related_name="entries")
    method = models.ForeignKey(Method, models.PROTECT, related_name="entries")
    board = models.CharField(max_length=10, choices=Board.choices)
    origin = models.CharField(max_length=10, choices=Origin.choices)
    trust = models.CharField(max_length=10, choices=Trust.choices)
    name = models.CharField(max_length=120, help_text="As the row is called on the board.")
    reference = models.CharField(max_length=10, choices=Reference.choices, blank=True)
    checkpoint = models.CharField(max_length=20, choices=Checkpoint.choices)

    source = models.CharField(max_length=200, blank=True)
    source_label = models.CharField(max_length=40, blank=True)
    source_rank = models.PositiveSmallIntegerField(null=True, blank=True)

    score = models.FloatField(null=True, blank=True)
    score_low = models.FloatField(null=True, blank=True)
    score_high = models.FloatField(null=True, blank=True)
    rank_low = models.PositiveIntegerField(null=True, blank=True)
    rank_high = models.PositiveIntegerField(null=True, blank=True)
    is_above_oracle = models.BooleanField(
        default=False, help_text="Its public score exceeds what the true operator allows."
    )

    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="entries"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = EntryQuerySet.as_manager()
    history = History(history_change_reason_field=models.TextField(null=True))

    class Meta:
        ordering = ("modality", "board", "origin", "-score")
        verbose_name_plural = "entries"
        permissions = (("curate_entry", "Can certify, revoke, disqualify and reinstate entries"),)
        indexes = (models.Index(fields=["modality", "board", "origin"], name="entry_board"),)
        constraints = (
            models.UniqueConstraint(
                fields=["modality", "board", "origin", "method", "name"],
                name="entry_once",
                violation_error_message="This method has an entry of that name on this board.",
            ),
            models.CheckConstraint(
                condition=Q(board__in=Board.values)
                & Q(origin__in=Origin.values)
                & Q(trust__in=Trust.values)
                & Q(checkpoint__in=Checkpoint.values),
                name="entry_words_known",
                violation_error_message="There is no such board, origin, trust or checkpoint.",
            ),
            models.CheckConstraint(
                condition=Q(origin=Origin.REPORTED, trust=Trust.REPORTED)
                | (Q(origin=Origin.MEASURED) & ~Q(trust=Trust.REPORTED)),
                name="entry_reported_stays_reported",
                violation_error_message=(
                    "A reported result was not run here: its trust is 'reported', and a measured "
                    "one is at least 'scored'."
                ),
            ),
            models.CheckConstraint(
                condition=~Q(origin=Origin.REPORTED) | ~Q(source=""),
                name="entry_reported_names_source",
                violation_error_message="A reported result names its source.",
            ),
            *CERTIFICATE_RULES,
            models.CheckConstraint(
                condition=Q(score__isnull=True) | Q(score__gte=-1, score__lte=1),
                name="entry_score_fits",
                violation_error_message="A score is at most 1.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.get_board_display()}, {self.modality_id})"

    def get_absolute_url(self) -> str:
        return reverse("leaderboards:entry", args=[self.pk])


class TierScore(models.Model):
    """The score of one entry on one tier (or on the standard benchmark), and its parts.

    psnr in dB; consistency is not printed by sources. scenes: per-scene parts of a measured one.
    spec_error: per parameter, |estimate − truth| as a part of its range.
    """

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="tier_scores")
    tier = models.CharField(max_length=10, choices=ScoreTier.choices)
    score = models.FloatField()
    psnr = models.FloatField()
    ssim = models.FloatField()
    consistency = models.FloatField(null=True, blank=True)
    score_low = models.FloatField(null=True, blank=True)
    score_high = models.FloatField(null=True, blank=True)
    scenes = models.JSONField(default=list, blank=True)
    spec_error = models.JSONField(default=dict, blank=True)
    metrics_version = models.PositiveIntegerField(null=True, blank=True)
    cpu_seconds = models.FloatField(null=True, blank=True)
    peak_memory_mb = models.FloatField(null=True, blank=True)
    scored_at = models.DateTimeField(db_default=Now(), editable=False)

    history = History(excluded_fields=["scenes"])

    class Meta:
        ordering = ("entry", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["entry", "tier"],
                name="tier_score_once",
                violation_error_message="This entry has a score on that tier.",
            ),
            models.CheckConstraint(
                condition=Q(tier__in=ScoreTier.values),
                name="tier_score_tier_known",
                violation_error_message="There is no such tier.",
            ),
            models.CheckConstraint(
                condition=Q(ssim__gte=-1, ssim__lte=1)
                & (Q(consistency__isnull=True) | Q(consistency__gte=0, consistency__lte=1))
                & Q(score__gte=-1, score__lte=1),
                name="tier_score_fits",
                violation_error_message=(
                    "SSIM and score lie between −1 and 1, consistency between 0 and 1."
                ),
            ),
        )

    def __str__(self) -> str:
        return f"{self.entry.name}, {self.get_tier_display()}: {self.score:.3f}"


from .credits import CreditAccount, CreditChange  # noqa: E402, F401 - as below
from .submission import (  # noqa: E402, F401 - Django finds an app's models here
    Calibration,
    Evaluation,
    EvaluationEvent,
    Submission,
    SubmissionEvent,
)
