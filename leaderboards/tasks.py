"""What the broker's messages ask for: do an attempt, compute a curve, sign a bundle."""

import logging

from celery import shared_task

from modalities.jobs.worker import run_next

from . import bundle, signing
from .can_score import has_data
from .models import Attempt, Bound, Entry, SpecCurve
from .ranking import rank_what_waits
from .scoring import studies
from .scoring.compute import compute

log = logging.getLogger(__name__)


@shared_task
def attempt(pk: str, queue: str) -> None:
    """Do the attempt that has waited longest in ``queue``; then rank the boards that changed.

    Its entry's evidence is signed at once, so that nobody has to wait for that later.
    """
    done = run_next(Attempt, queue, compute, has_data)
    rank_what_waits()
    for entry in Entry.objects.filter(attempts=done.pk) if done else ():
        sign(str(entry.pk))


@shared_task
def sign(entry: str) -> None:
    """Sign the evidence of an entry as it is now, where that was not done yet."""
    try:
        bundle.write(Entry.objects.select_related("modality", "method").get(pk=entry))
    except signing.NoSigningKey as error:
        log.warning("The evidence of entry %s was not signed: %s", entry, error)


@shared_task
def spec_curve(pk: str, queue: str) -> None:
    """Compute the curve of score against spec error that has waited longest in ``queue``."""
    run_next(SpecCurve, queue, studies.curve)


@shared_task
def bound(pk: str, queue: str) -> None:
    """Compute the bounds that have waited longest in ``queue``."""
    run_next(Bound, queue, studies.bound)
