"""The words of the leaderboards: what the database, the pages and the API all call things."""

from __future__ import annotations

from django.db import models


class Family(models.TextChoices):
    CLASSICAL = "classical", "Classical"
    SELF_SUPERVISED = "self-supervised", "Self-supervised"
    LEARNED = "learned", "Learned"


class Checkpoint(models.TextChoices):
    NOT_NEEDED = "none needed", "No checkpoint needed"
    AVAILABLE = "available", "Checkpoint available"
    UNAVAILABLE = "unavailable", "Checkpoint unavailable"


class Board(models.TextChoices):
    STANDARD = "standard", "Standard"
    CHALLENGE = "challenge", "Blind challenge"


class Origin(models.TextChoices):
    REPORTED = "reported", "Reported by the source"
    MEASURED = "measured", "Measured here"


class Trust(models.TextChoices):
    REPORTED = "reported", "Reported"
    SCORED = "scored", "Scored"
    RERUN = "rerun", "Re-run"
    CERTIFIED = "certified", "Certified"


class ScoreTier(models.TextChoices):
    STANDARD = "standard", "Standard"
    PUBLIC = "public", "Public"
    DEV = "dev", "Dev"
    HIDDEN = "hidden", "Hidden"


class Reference(models.TextChoices):
    """Rows that the site adds to compare with; they are shown and never ranked."""

    NOMINAL = "nominal", "Nominal spec"
    MIDDLE = "middle", "Middle of the range"
    ORACLE = "oracle", "Oracle"


CHALLENGE_TIERS = (ScoreTier.PUBLIC, ScoreTier.DEV, ScoreTier.HIDDEN)
