"""Run one program that somebody sent, under all guards."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from .program import Limits, Outcome, Program

Beat = Callable[[str, float], None]


def silent(phase: str, part: float) -> None:
    """Tell nobody how far a run is."""


def run_untrusted(
    program: Program, challenge: bytes | BinaryIO, limits: Limits, *, beat: Beat = silent
) -> Outcome:
    """Run a program on a challenge file; what it did and what the machine did is in the outcome.

    ``beat(phase, part)`` is called at least once a second while it runs; what it raises ends the
    run, every process of it, and is raised again. Nothing else is raised.
    """
    raise NotImplementedError
