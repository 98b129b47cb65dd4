"""Say whether anything is lost."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from modalities.jobs import invariants, rounds


class Command(BaseCommand):
    help = (
        "Check that no job, result or file is lost, stuck or there twice. The first time, and with "
        "--all, it looks at everything; otherwise at what changed since it last found nothing "
        f"wrong, and at the next {rounds.PART} older rows of each table."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="look at all of history")

    def handle(self, *args: Any, **options: Any) -> None:
        problems = invariants.problems(everything=options["all"])
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            raise CommandError(f"{len(problems)} of the invariants do not hold; see above.")
        checks = ", ".join(check.__name__ for check in (*invariants.CHECKS, *invariants.OUTSIDE))
        self.stdout.write(f"All invariants hold: {checks}.")
