"""Write a backup of the site; it may run meanwhile."""

from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser

from pwmsite import backup


class Command(BaseCommand):
    help = "Write database, files, truth and keys to one file, which only its owner may read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", type=Path)

    def handle(self, *, target: Path, **options: Any) -> None:
        try:
            count = backup.write(target)
        except (backup.BackupError, OSError) as error:
            raise CommandError(f"No backup was written: {error}") from error
        self.stdout.write(
            f"{target}: {count} files, {target.stat().st_size:,} bytes. "
            "It holds secrets; keep it where only operators can read it."
        )
