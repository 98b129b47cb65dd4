"""Who may start and stop a computation, and how often: it costs the server minutes of CPU time."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from modalities.models import Modality

from .models import Run

RUNS_PER_HOUR = 12

Person = AbstractBaseUser | AnonymousUser


def may_compute(person: Person) -> bool:
    """Anyone who is logged in; on your own machine, anyone."""
    return settings.PWM_OPEN_COMPUTE or person.is_authenticated


def may_cancel(person: Person, run: Run) -> bool:
    """The person who started the run, and staff; on your own machine, anyone."""
    if settings.PWM_OPEN_COMPUTE or getattr(person, "is_staff", False):
        return True
    return person.is_authenticated and run.started_by_id == person.pk


def refusal(modality: Modality) -> str:
    """Say why ``modality`` takes no further run now; empty when it takes one."""
    runs = Run.objects.for_modality(modality)
    if runs.live().exists():
        return "This gallery is already being computed; wait for it or cancel it."
    if runs.asked_within(timedelta(hours=1)).count() >= RUNS_PER_HOUR:
        return f"This gallery was computed {RUNS_PER_HOUR} times within an hour; try again later."
    return ""
