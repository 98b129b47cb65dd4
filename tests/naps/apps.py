"""The tests' kind of job as an app; its processes note every sweep that they make."""

import os
import time
from collections.abc import Callable

from django.apps import AppConfig
from django.conf import settings


class NapsConfig(AppConfig):
    name = "tests.naps"
    label = "naps"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modalities.jobs import sweeper

        sweeper.sweep = _noted(sweeper.sweep)


def _noted(sweep: Callable[[], dict[str, int]]) -> Callable[[], dict[str, int]]:
    """Write down who swept, from when until when; a sweep that fails leaves no line."""

    def sweep_and_note() -> dict[str, int]:
        begun = time.time()
        counts = sweep()
        with (settings.VAR_DIR / "sweeps.txt").open("a") as file:
            file.write(f"{os.getpid()} {begun} {time.time()}\n")
        return counts

    return sweep_and_note
