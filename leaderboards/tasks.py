"""What the broker's messages ask for: each says that an attempt, or a curve, waits in a queue."""

from celery import shared_task

from modalities.jobs.worker import run_next

from .models import Attempt, SpecCurve
from .ranking import rank_what_waits
from .scoring import curves
from .scoring.compute import compute


@shared_task
def attempt(pk: str, queue: str) -> None:
    """Do the attempt that has waited longest in ``queue``; then rank the boards that changed."""
    run_next(Attempt, queue, compute)
    rank_what_waits()


@shared_task
def spec_curve(pk: str, queue: str) -> None:
    """Compute the curve of score against spec error that has waited longest in ``queue``."""
    run_next(SpecCurve, queue, curves.compute)
