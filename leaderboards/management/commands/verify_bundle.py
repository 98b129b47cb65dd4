"""Check an entry's bundle: that it is whole, and that its scores come from its outputs."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leaderboards.bundle import BundleError
from leaderboards.scoring.verify import verify


class Command(BaseCommand):
    help = (
        "Score the outputs in a bundle again and say whether they match what it claims. The public "
        "tier needs build_datasets to have run; dev and hidden need the deployment's key as well."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        try:
            findings = verify(path.read_bytes())
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except BundleError as error:
            raise CommandError(f"{path}: {error}") from error
        for finding in findings:
            words = {True: "confirmed", False: "DIFFERS", None: "not checked"}
            self.stdout.write(f"{finding.tier}: {words[finding.is_confirmed]}; {finding.message}")
        if any(finding.is_confirmed is False for finding in findings):
            raise CommandError("The bundle claims scores that its outputs do not have.")
        if not any(finding.is_confirmed for finding in findings):
            raise CommandError("Nothing in the bundle could be checked here.")
