"""Queue the site's own baselines on every tier and on the standard benchmark."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from leaderboards.scoring import baselines
from modalities.management.chosen import add_keys, chosen


class Command(BaseCommand):
    help = (
        "Queue every baseline that has not run on today's data and code. Repeatable; the worker "
        "computes them and the boards fill in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_keys(parser)

    def handle(self, *args: Any, keys: list[str], **options: Any) -> None:
        for modality in chosen(keys):
            queued = baselines.queue_missing(modality)
            self.stdout.write(f"{modality.key}: {len(queued)} baselines queued.")
