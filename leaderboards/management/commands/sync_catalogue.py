"""``manage.py sync_catalogue``: make the database agree with the catalogue and published files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leaderboards.catalogue import sync_everything
from leaderboards.published_files import PUBLISHED
from modalities.physics.catalogue import CATALOGUE
from modalities.physics.tables import CatalogueError


class Command(BaseCommand):
    help = (
        "Read modalities/catalogue and leaderboards/published into the database. Running it "
        "again is safe; a wrong file is refused by name and field, and nothing changes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--catalogue", type=Path, default=CATALOGUE, help="another folder")
        parser.add_argument("--published", type=Path, default=PUBLISHED, help="another folder")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            changed = sync_everything(options["catalogue"], options["published"])
        except CatalogueError as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        self.stdout.write(f"Updated: {', '.join(changed)}." if changed else "Nothing to update.")
