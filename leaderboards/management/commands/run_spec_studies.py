"""Queue the curves of score against spec error, and the Cramér-Rao bounds, on the public tier."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leaderboards.scoring import studies
from modalities.models import Modality


class Command(BaseCommand):
    help = (
        "Queue, for every method that runs here and every parameter, the tier score as a function "
        "of the error in that parameter, and the bounds of all parameters. Repeatable."
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
            queued = studies.queue_missing(modality)
            self.stdout.write(f"{modality.key}: {len(queued)} curves and bounds queued.")
