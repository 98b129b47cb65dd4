"""Fill an empty site while it already answers: gallery, challenge, then real data."""

from typing import Any

from django.core.management import BaseCommand, call_command


class Command(BaseCommand):
    help = "Queue missing gallery runs, build the data sets, queue baselines and real series."

    def handle(self, **options: Any) -> None:
        for name in ("run_gallery", "build_datasets", "run_baselines", "calibrate_real"):
            call_command(name, stdout=self.stdout)
