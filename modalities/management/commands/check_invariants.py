"""Say whether anything is lost."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from modalities.jobs import invariants


class Command(BaseCommand):
    help = "Check that no job, result or file is lost, stuck or there twice."

    def handle(self, *args: Any, **options: Any) -> None:
        problems = invariants.problems()
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            raise CommandError(f"{len(problems)} of the invariants do not hold; see above.")
        checks = ", ".join(check.__name__ for check in invariants.CHECKS)
        self.stdout.write(f"All invariants hold: {checks}.")
