"""The words of the leaderboards: what the database, the pages and the API all call things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models

from modalities.models import TierName


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
    """From the least to the most that is known about a result."""

    REPORTED = "reported", "Reported"
    SCORED = "scored", "Scored"
    RERUN = "rerun", "Re-run"
    CERTIFIED = "certified", "Certified"


class ScoreTier(models.TextChoices):
    STANDARD = "standard", "Standard"
    PUBLIC = "public", "Public"
    DEV = "dev", "Dev"
    HIDDEN = "hidden", "Hidden"


class Variant(models.TextChoices):
    """Whose spec a result was made with: the participant's own, or one that the site chose."""

    OWN = "own", "As submitted"
    NOMINAL = "nominal", "Nominal spec"
    GRADIENT = "gradient", "Calibrated from the data"
    MIDDLE = "middle", "Middle of the range"
    TRUE_SPEC = "true_spec", "True spec"


class Kind(models.TextChoices):
    """What gave a score."""

    FILE = "file", "Uploaded file"
    BASELINE = "baseline", "Baseline run by the server"
    PROGRAM = "program", "Program run by the server"
    RERUN = "rerun", "Second run by the server"


class Form(models.TextChoices):
    """What a program is sent as."""

    SCRIPT = "script", "Python script"
    CONTAINER = "container", "Container archive"


class Ending(models.TextChoices):
    """How a run of somebody's program ended: the sandbox's reasons, and the reader's verdict."""

    DONE = "done", "Done"
    NO_OUTPUT = "no_output", "No output"
    OUTPUT_REFUSED = "output_refused", "Output refused"
    TIME = "time", "Out of time"
    CPU = "cpu", "Out of CPU time"
    MEMORY = "memory", "Out of memory"
    PROCESSES = "processes", "Too many processes"
    TOO_LARGE = "too_large", "Output or log too large"
    FAILED = "failed", "Program failed"
    SIGNAL = "signal", "Ended by a signal"
    BLOCKED = "blocked", "Blocked: no sandbox on this server"
    SERVER = "server", "Fault of the server"


# Those that are a program's own doing: it ran, so that the run counts and is paid for.
ENDINGS_OF_PROGRAMS = tuple(
    e for e in Ending if e not in (Ending.DONE, Ending.BLOCKED, Ending.SERVER)
)
CHALLENGE_TIERS = (ScoreTier.PUBLIC, ScoreTier.DEV, ScoreTier.HIDDEN)
# The tiers that people send files to, and those that run their programs: on public data a program
# is tried, free of charge and without a place on any board.
UPLOAD_TIERS = (TierName.PUBLIC, TierName.DEV)
PROGRAM_TIERS = (TierName.PUBLIC, TierName.HIDDEN)
# The truth of these can be downloaded, so all digits may be shown.
OPEN_TIERS = (ScoreTier.STANDARD, ScoreTier.PUBLIC)
# How near to the truth a calibrated spec is in every parameter, as a part of its range.
CALIBRATED = 0.1
# Rows to compare with, on the challenge's boards: shown and never ranked.
REFERENCES = (Variant.NOMINAL, Variant.MIDDLE, Variant.TRUE_SPEC)

_SUFFIX = {
    Variant.OWN: "",
    Variant.NOMINAL: ", nominal spec",
    Variant.GRADIENT: " + gradient",
    Variant.MIDDLE: ", middle of the range",
    Variant.TRUE_SPEC: ", true spec",
}


def board_of(tier: str) -> Board:
    """Name the board that a tier belongs to."""
    return Board.STANDARD if tier == ScoreTier.STANDARD else Board.CHALLENGE


def tiers_of(board: str) -> tuple[ScoreTier, ...]:
    """Name the tiers that a board's score is the mean of."""
    return (ScoreTier.STANDARD,) if board == Board.STANDARD else CHALLENGE_TIERS


def entry_name(method: str, board: str, variant: str, source_name: str = "") -> str:
    """Name a row of a board: as its source prints it, or after its method and variant."""
    if source_name:
        return source_name
    return method if board == Board.STANDARD else method + _SUFFIX[Variant(variant)]


def is_reference(board: str, variant: str, *, is_best: bool) -> bool:
    """Tell a row to compare with; ``is_best``: its method is the modality's best.

    Nominal runs of other methods compete on the public tier, the only one that they run on: they
    are what a method does without calibration.
    """
    if board == Board.STANDARD:
        return False
    if variant == Variant.NOMINAL:
        return is_best
    return variant in (Variant.MIDDLE, Variant.TRUE_SPEC)


def is_calibrated(result: Mapping[str, Any]) -> bool:
    """Tell whether the spec is near the truth in every parameter, in the mean over the scenes.

    The one thing that a secret tier says about the spec. One word for all parameters together: a
    guess has to be right in each of them to learn anything.
    """
    return all(error <= CALIBRATED for error in result["spec_error"].values())
