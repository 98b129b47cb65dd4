"""Queue the site's own baselines on every tier and on the standard benchmark."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leaderboards.scoring import baselines
from modalities.models import Modality


class Command(BaseCommand):
    help = (
        "Queue every baseline that has not run on today's data and code. Repeatable; the worker "
        "computes them and the boards fill in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("keys", nargs="*", help="modalities; all of them unless named")

    def handle(self, *args: Any, keys: list[str], **options: Any) -> None:
        found = Modality.objects.listed()
        if unknown := set(keys) - set(found.values_list("key", flat=True)):
            raise CommandError(
                f"There is no modality {', '.join(sorted(unknown))}; run sync_catalogue first."
            )
        for modality in (found.filter(key__in=keys) if keys else found).quickest_first():
            queued = baselines.queue_missing(modality)
            self.stdout.write(f"{modality.key}: {len(queued)} baselines queued.")
