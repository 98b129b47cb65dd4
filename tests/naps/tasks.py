"""The nap itself: NumPy, reports, a file, a result."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from celery import shared_task

from modalities.jobs.files import Files
from modalities.jobs.worker import run_next
from modalities.physics.progress import Report

from .models import Dream, Nap


@shared_task
def sleep(pk: str, queue: str) -> None:
    run_next(Nap, queue, dream)


def dream(nap: Nap, report: Report) -> Callable[[], None]:
    """Multiply matrices until the time is over; leave the answer in a file and a row."""
    rng = np.random.default_rng(nap.pk.int % 2**32)
    a = rng.standard_normal((64, 64))
    begun = time.monotonic()
    while (done := (time.monotonic() - begun) / nap.seconds) < 1:
        a = a @ a
        a /= np.linalg.norm(a)
        report("dreaming", done)
        time.sleep(0.01)
    value = float(np.abs(a).sum())
    name = Files(nap).keep("dream.bin", a.tobytes())
    return lambda: Dream.objects.create(nap=nap, token=nap.token, value=value, file=name)
