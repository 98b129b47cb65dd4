"""Fill an empty site while it already answers: gallery, challenge, then real data."""

from typing import Any

from django.core.management import BaseCommand, call_command


class Command(BaseCommand):
    help = "Queue the missing gallery runs, baselines, curves and real series; build the data sets."

    def handle(self, **options: Any) -> None:
        missing = ("run_gallery", "build_datasets", "run_baselines", "run_spec_studies")
        for name in (*missing, "calibrate_real"):
            call_command(name, stdout=self.stdout)
