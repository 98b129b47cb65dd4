"""Queue the gallery runs that are missing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gallery.models import Run
from modalities.jobs import BACKGROUND, State
from modalities.management.chosen import add_keys, chosen

ENOUGH = (State.QUEUED, State.RUNNING, State.SUCCEEDED, State.CANCELLED)


class Command(BaseCommand):
    help = "Queue a gallery run for every modality that has none for its current spec."

    def add_arguments(self, parser: CommandParser) -> None:
        add_keys(parser)
        parser.add_argument("--again", action="store_true", help="even where there is a run")
        parser.add_argument("--method", default="", help="instead of the gallery's own method")

    def handle(self, *args: Any, **options: Any) -> None:
        for modality in chosen(options["keys"]):
            runs = Run.objects.for_modality(modality)
            present = runs.current(modality.key).filter(state__in=ENOUGH)
            if runs.live().exists() or (present.exists() and not options["again"]):
                self.stdout.write(f"{modality.key}: nothing to do.")
                continue
            run = Run.objects.ask(modality, options["method"], queue=BACKGROUND)
            self.stdout.write(f"{modality.key}: queued run {run.pk}.")
