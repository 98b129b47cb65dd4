"""Score again what was scored by other metrics than today's."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import IntegrityError, transaction

from leaderboards.models import Attempt
from leaderboards.scoring import uploads


class Command(BaseCommand):
    help = (
        "Queue every submitted file again whose score comes from other metrics than today's. "
        "The worker scores them; the old attempts and their numbers stay. Repeatable. "
        "Run run_baselines for the site's own entries."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        queued = 0
        for attempt in uploads.outdated():
            try:
                with transaction.atomic():
                    Attempt.objects.repeat(attempt)
            except IntegrityError:
                continue  # one is on its way already
            queued += 1
        self.stdout.write(f"{queued} files queued to be scored again.")
