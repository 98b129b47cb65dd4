"""How a long computation reports its progress: one callback, ``report(phase, fraction)``.

The caller passes the callback, which may raise ``Cancelled`` to stop the computation. Methods and
calibrations call it often (at least once a second) and let that exception pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Report = Callable[[str, float], None]


class Cancelled(Exception):
    """Somebody asked the computation to stop; raised by a report, never caught by physics."""


def silent(phase: str, fraction: float) -> None:
    """Ignore a report."""


@dataclass(frozen=True)
class Part:
    """A report for a part of a computation: its 0…1 becomes ``low``…``high`` of the whole."""

    report: Report
    low: float
    high: float

    def __call__(self, phase: str, fraction: float) -> None:
        self.report(phase, self.low + (self.high - self.low) * min(max(fraction, 0.0), 1.0))
