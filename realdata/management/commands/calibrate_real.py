"""Queue the calibrations of measured series that are missing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from realdata.models import Calibration
from realdata.series import SERIES, why_not


class Command(BaseCommand):
    help = "Queue a calibration of every measured series whose package is installed here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--again", action="store_true", help="even where there is a result")

    def handle(self, *args: Any, **options: Any) -> None:
        for series in SERIES.values():
            jobs = Calibration.objects.of(series.key)
            present = jobs.by_this_program().exclude(state="failed").exists()
            if problem := why_not(series):
                self.stdout.write(f"{series.key}: {problem}")
            elif jobs.live().exists() or (present and not options["again"]):
                self.stdout.write(f"{series.key}: nothing to do.")
            else:
                made = Calibration.objects.enqueue(series=series.key)
                self.stdout.write(f"{series.key}: queued calibration {made.pk}.")
