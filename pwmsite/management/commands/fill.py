"""Fill an empty site while it already answers: the gallery first, then the challenge."""

from typing import Any

from django.core.management import BaseCommand, call_command


class Command(BaseCommand):
    help = "Queue the gallery runs that are missing, build the data sets, queue the baselines."

    def handle(self, **options: Any) -> None:
        for name in ("run_gallery", "build_datasets", "run_baselines"):
            call_command(name, stdout=self.stdout)
