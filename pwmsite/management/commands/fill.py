"""Fill an empty site while it already answers: data sets to download, runs of the gallery."""

from typing import Any

from django.core.management import BaseCommand, call_command, get_commands


class Command(BaseCommand):
    help = "Build the data sets and queue the gallery runs that are missing."

    def handle(self, **options: Any) -> None:
        # build_datasets belongs to the challenge; the gallery does not wait for it.
        for name in ("run_baselines", "build_datasets"):
            if name in get_commands():
                call_command(name)
