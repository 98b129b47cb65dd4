"""Copy together what people's scripts run in, before the first of them does."""

from typing import Any

from django.core.management.base import BaseCommand

from leaderboards.sandbox.runtime import runtime


class Command(BaseCommand):
    help = "Build what people's scripts run in: an interpreter and its packages, about 330 MB."

    def handle(self, **options: Any) -> None:
        made = runtime()
        self.stdout.write(f"{made.root}: {made.size_bytes / 1e6:.0f} MB, {made.sha256}")
        for name, version in made.packages.items():
            self.stdout.write(f"  {name} {version}")
