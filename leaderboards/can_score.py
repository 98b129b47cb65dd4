"""What a worker must have before it takes a job that is scored: two keys, and the tiers' truth.

A worker without them would turn people's files into failures. So it does not start where it can
score nothing, and leaves a job in its queue while the data of that job are not on its machine.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from modalities import datasets, physics

from .models import QUEUES, Attempt, Kind, ScoreTier
from .signing import NoSigningKey, own_key_id

SECRET_TIERS = (ScoreTier.DEV, ScoreTier.HIDDEN)


def why_not(queues: Iterable[str]) -> str:
    """Say in a sentence or two why a worker of ``queues`` must not start here; "" if it may.

    At home the truth may still be on its way: one command starts the worker and makes the data.
    """
    if not set(queues) & set(QUEUES.values()):
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


def has_data(attempt: Attempt) -> bool:
    """Tell whether the data that ``attempt`` is scored against can be read on this machine."""
    first = attempt.first
    if first.tier == ScoreTier.STANDARD:
        return True
    if first.kind == Kind.FILE:
        return datasets.has_truth(first.modality.spec, first.tier)
    return datasets.is_built(first.modality.spec, first.tier)
