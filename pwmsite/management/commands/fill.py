"""Fill an empty site while it already answers: the gallery first, then the challenge."""

from typing import Any

from django.core.management import BaseCommand, call_command


class Command(BaseCommand):
    help = "Queue the missing runs of the gallery, build the data sets, queue baselines and curves."

    def handle(self, **options: Any) -> None:
        for name in ("run_gallery", "build_datasets", "run_baselines", "run_spec_curves"):
            call_command(name, stdout=self.stdout)
