"""Queue the curves of score against spec error, and the Cramér-Rao bounds, on the public tier."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from leaderboards.scoring import studies
from modalities.management.chosen import add_keys, chosen


class Command(BaseCommand):
    help = (
        "Queue, for every method that runs here and every parameter, the tier score as a function "
        "of the error in that parameter, and the bounds of all parameters. Repeatable."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_keys(parser)

    def handle(self, *args: Any, keys: list[str], **options: Any) -> None:
        for modality in chosen(keys):
            queued = studies.queue_missing(modality)
            self.stdout.write(f"{modality.key}: {len(queued)} curves and bounds queued.")
