"""Bring a site back from a backup; web server and workers must not run meanwhile."""

import os
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser

from pwmsite import backup


class Command(BaseCommand):
    help = "Put a backup in place. Stop web server and workers first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path)
        parser.add_argument("--replace", action="store_true", help="even where there is a site")

    def handle(self, *, source: Path, replace: bool, **options: Any) -> None:
        os.umask(0o077)  # a backup holds secrets: what comes out of it is its owner's alone
        try:
            count = backup.read(source, replace)
        except backup.BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} files are back. Run manage.py migrate before the start.")
