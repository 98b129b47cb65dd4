"""What a worker must have before it takes a job that is scored: two keys, and the tiers' truth.

A worker without them would turn people's files into failures. So it does not start where it can
score nothing, and leaves a job in its queue while the data of that job are not on its machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from modalities import datasets, physics
from modalities.models import Dataset

from . import programs, sandbox
from .models import QUEUES, Attempt, Kind, ScoreTier
from .signing import NoSigningKey, own_key_id

KEYS = ("PWM_DATA_KEY", "PWM_SIGNING_KEY", "PWM_TRUTH")
SECRET_TIERS = (ScoreTier.DEV, ScoreTier.HIDDEN)


def why_not(queues: Iterable[str]) -> str:
    """Say in a sentence or two why a worker of ``queues`` must not start here; "" if it may.

    At home the truth may still be on its way: one command starts the worker and makes the data.
    """
    wanted = set(queues)
    if QUEUES[Kind.PROGRAM] in wanted:
        return _why_no_runner(wanted)
    if not wanted & set(QUEUES.values()):
        return ""
    try:
        own_key_id()
        has_truth = any(
            datasets.has_truth(physics.load(key), tier)
            for key in physics.catalogue.keys()  # noqa: SIM118 - a function, not a dict
            for tier in SECRET_TIERS
        )
    except (NoSigningKey, ImproperlyConfigured) as problem:
        return str(problem)
    if settings.PRODUCTION and not has_truth:
        return (
            f"{settings.TRUTH_DIR} has no truth that follows from this PWM_DATA_KEY, so nothing "
            "can be scored here. Set PWM_TRUTH to the folder that has it, or run "
            "manage.py build_datasets on this machine; then start the worker again."
        )
    return ""


def _why_no_runner(queues: set[str]) -> str:
    """Say why a worker must not start people's programs: because it could know what they may not.

    Whether its sandbox holds is another matter: without one, it says so of every program.
    """
    alone = (
        "A worker of the queue programs starts people's programs, so it must not know the truth: "
        "start it with PWM_RUNNER=1 and --queues programs, in a process that does nothing else."
    )
    if not settings.RUNNER or queues != {QUEUES[Kind.PROGRAM]}:
        return alone
    if given := [name for name in KEYS if os.environ.get(name)]:
        return (
            f"{' and '.join(given)} must not be set here: this worker starts people's programs. "
            "Give it neither the keys nor the folder of the truth."
        )
    return ""


def has_data(attempt: Attempt) -> bool:
    """Tell whether this machine can do the next step of ``attempt``: whether its data are here.

    A runner without a sandbox leaves programs to one that has it; where none has, it takes them, to
    say that they are blocked.
    """
    first = attempt.first
    if attempt.queue == QUEUES[Kind.PROGRAM]:
        return _can_run(attempt)
    if first.tier == ScoreTier.STANDARD:
        return True
    if first.kind in (Kind.FILE, Kind.PROGRAM):
        return datasets.has_truth(first.modality.spec, first.tier)
    return datasets.is_built(first.modality.spec, first.tier)


def _can_run(attempt: Attempt) -> bool:
    try:
        _, path = programs.measurements_of(attempt)
    except Dataset.DoesNotExist:
        return False
    elsewhere = any(not runner.missing for runner in programs.runners())
    return path.exists() and (not elsewhere or sandbox.preflight().ok)
