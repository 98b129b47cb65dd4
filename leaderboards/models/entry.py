"""Entries: the rows of the boards, and what each tier tells of the result that counts there."""

from __future__ import annotations

import uuid
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from modalities.models import Modality

from .decisions import Decided
from .fields import History
from .method import Method
from .words import Board, Origin, ScoreTier, Trust, Variant, entry_name, is_reference


class EntryQuerySet(models.QuerySet["Entry"]):
    def for_modality(self, modality: Modality) -> Self:
        return self.filter(modality=modality)

    def on(self, board: str) -> Self:
        return self.filter(board=board)

    def reported(self) -> Self:
        return self.filter(origin=Origin.REPORTED)

    def measured(self) -> Self:
        return self.filter(origin=Origin.MEASURED)

    def listed(self) -> Self:
        """Those that no curator took off the boards."""
        return self.filter(is_listed=True)


class Entry(Decided):
    """One row of one board: who it is, what curators decided about it, and how it ranks.

    Name and reference follow from method and variant. score, its interval and the ranks are written
    by ``leaderboards.ranking`` alone: the standard score, or the mean of the three tiers.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    modality = models.ForeignKey(Modality, models.PROTECT, related_name="entries")
    method = models.ForeignKey(Method, models.PROTECT, related_name="entries")
    board = models.CharField(max_length=10, choices=Board.choices)
    origin = models.CharField(max_length=10, choices=Origin.choices)
    variant = models.CharField(max_length=10, choices=Variant.choices, default=Variant.OWN)

    source = models.CharField(max_length=200, blank=True)
    source_name = models.CharField(max_length=120, blank=True, help_text="As the source calls it.")
    source_label = models.CharField(max_length=40, blank=True)
    source_rank = models.PositiveSmallIntegerField(null=True, blank=True)

    score = models.FloatField(null=True, blank=True)
    score_low = models.FloatField(null=True, blank=True)
    score_high = models.FloatField(null=True, blank=True)
    rank = models.PositiveIntegerField(null=True, blank=True)
    rank_low = models.PositiveIntegerField(null=True, blank=True)
    rank_high = models.PositiveIntegerField(null=True, blank=True)
    is_above_true_spec = models.BooleanField(
        default=False, help_text="Its public score exceeds that of the true-spec row."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = EntryQuerySet.as_manager()
    # Decisions have versions here, results at TierScore; what the ranking derives has none.
    history = History(
        history_change_reason_field=models.TextField(null=True),
        excluded_fields=[
            *("score", "score_low", "score_high", "rank", "rank_low", "rank_high"),
            "is_above_true_spec",
        ],
    )

    class Meta:
        ordering = ("modality", "board", "origin", "-score")
        verbose_name_plural = "entries"
        permissions = (("curate_entry", "Can certify, revoke, disqualify and reinstate entries"),)
        indexes = (models.Index(fields=["modality", "board", "origin"], name="entry_board"),)
        constraints = (
            models.UniqueConstraint(
                fields=["modality", "board", "origin", "method", "variant"],
                name="entry_once",
                violation_error_message="This method has an entry of that variant on this board.",
            ),
            models.CheckConstraint(
                condition=Q(board__in=Board.values)
                & Q(origin__in=Origin.values)
                & Q(trust__in=Trust.values)
                & Q(variant__in=Variant.values),
                name="entry_words_known",
                violation_error_message="There is no such board, origin, trust or variant.",
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
                condition=(Q(origin=Origin.REPORTED) & ~Q(source=""))
                | Q(origin=Origin.MEASURED, source="", source_name="", source_label=""),
                name="entry_reported_names_source",
                violation_error_message="A reported result names its source; no other has one.",
            ),
            *Decided.RULES,
            models.CheckConstraint(
                condition=Q(score__isnull=True) | Q(score__gte=-1, score__lte=1),
                name="entry_score_fits",
                violation_error_message="A score is at most 1.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.get_board_display()}, {self.modality.key})"

    def get_absolute_url(self) -> str:
        return reverse("leaderboards:entry", args=[self.pk])

    @property
    def name(self) -> str:
        """Name the row as its board does."""
        return entry_name(self.method.name, self.board, self.variant, self.source_name)

    @property
    def is_reference(self) -> bool:
        """Tell a row to compare with, which is never ranked."""
        return self.origin == Origin.MEASURED and is_reference(
            self.board, self.variant, is_best=self.method.physics_name == self.modality.best_method
        )


class TierScore(models.Model):
    """What a tier tells everybody of one entry: the figures of the attempt that counts there.

    Written by ``leaderboards.counting`` for measured entries and from a source's file for reported
    ones, which have no attempt. score: the mean over all scenes; score_home and score_away: over
    those of one group, where there are any. psnr in dB; sources print no consistency. spec_error:
    per parameter, |estimate − truth| as a part of its range. calibration: the shares of intervals
    that hold the truth, and of samples without one. Both only where the tier tells them.
    chosen: the attempt that the owner wants to count; without one the rule of the tier decides.
    """

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="tier_scores")
    tier = models.CharField(max_length=10, choices=ScoreTier.choices)
    attempt = models.ForeignKey(
        "leaderboards.Attempt", models.PROTECT, null=True, blank=True, related_name="counts_as"
    )
    chosen = models.ForeignKey(
        "leaderboards.Attempt", models.PROTECT, null=True, blank=True, related_name="+"
    )
    score = models.FloatField()
    score_home = models.FloatField(null=True, blank=True)
    score_away = models.FloatField(null=True, blank=True)
    score_low = models.FloatField(null=True, blank=True)
    score_high = models.FloatField(null=True, blank=True)
    psnr = models.FloatField()
    ssim = models.FloatField()
    consistency = models.FloatField(null=True, blank=True)
    ceiling = models.FloatField(null=True, blank=True)
    spec_error = models.JSONField(default=dict, blank=True)
    calibration = models.JSONField(default=dict, blank=True)
    cpu_seconds = models.FloatField(null=True, blank=True)
    peak_memory_mb = models.FloatField(null=True, blank=True)
    metrics_version = models.CharField(max_length=12, blank=True)
    scored_at = models.DateTimeField(null=True, blank=True)

    history = History()

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
        return f"{self.entry}, {self.get_tier_display()}: {self.score:.3f}"


class Ranking(models.Model):
    """How far the ranks of one board are: ``wanted`` grows with each change, ``ranked`` follows.

    Nothing is lost when a process dies between a change and its ranking,
    because the two numbers still differ and any process may rank (``leaderboards.ranking``).
    """

    modality = models.ForeignKey(Modality, models.CASCADE, related_name="rankings")
    board = models.CharField(max_length=10, choices=Board.choices)
    wanted = models.PositiveBigIntegerField(default=0)
    ranked = models.PositiveBigIntegerField(default=0)
    ranked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["modality", "board"], name="ranking_once"),
            models.CheckConstraint(
                condition=Q(board__in=Board.values) & Q(ranked__lte=models.F("wanted")),
                name="ranking_follows",
                violation_error_message="Nothing is ranked that was not asked for.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.modality_id}, {self.board}: {self.ranked} of {self.wanted}"

    @classmethod
    def ask(cls, modality: Any, board: str) -> None:
        """Note that the board changed. Call it in the transaction of the change."""
        cls.objects.get_or_create(modality=modality, board=board)
        cls.objects.filter(modality=modality, board=board).update(wanted=models.F("wanted") + 1)
