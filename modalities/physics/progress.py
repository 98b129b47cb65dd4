"""How long work says where it is: one callback, ``report(phase, fraction)``.

Whoever starts the work passes the callback; it may raise ``Cancelled`` to stop it. Methods and
calibrations call it often (at least once a second) and let that exception pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Report = Callable[[str, float], None]


class Cancelled(Exception):
    """The work was asked to stop; raised by a report, never caught by physics."""


def silent(phase: str, fraction: float) -> None:
    """Take a report and do nothing with it."""


@dataclass(frozen=True)
class Part:
    """A report for one part of a longer work: its 0…1 becomes ``low``…``high`` of the whole."""

    report: Report
    low: float
    high: float

    def __call__(self, phase: str, fraction: float) -> None:
        self.report(phase, self.low + (self.high - self.low) * min(max(fraction, 0.0), 1.0))
