"""Run one program that somebody sent, where every guard holds."""

from __future__ import annotations

from typing import BinaryIO

from .execute import Beat, run_unchecked, silent
from .preflight import preflight
from .program import Limits, Outcome, Program, Reason


def run_untrusted(
    program: Program, challenge: bytes | BinaryIO, limits: Limits, *, beat: Beat = silent
) -> Outcome:
    """Run a program on a challenge file; what it did and what the machine did is in the outcome.

    ``beat(phase, part)`` is called at least once a second while it runs; what it raises ends the
    run, every process of it, and is raised again. Nothing else is raised.
    """
    found = preflight()
    if not found.ok:
        missing = ", ".join(found.missing)
        return Outcome(Reason.BLOCKED, f"No sandbox on this server, which lacks: {missing}.")
    return run_unchecked(program, challenge, limits, beat=beat)
