"""Score again what was scored by other metrics than today's."""

from typing import Any

from django.core.management.base import BaseCommand

from leaderboards import receive


class Command(BaseCommand):
    help = (
        "Score every submission again whose numbers come from an older version of the metrics. "
        "Old numbers stay in the history. Run run_baselines for the site's own entries."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        submissions = receive.outdated()
        self.stdout.write(f"{len(submissions)} submissions to score again.")
        for submission in submissions:
            receive.rescore(submission)
            self.stdout.write(f"{submission}: scored again.")
