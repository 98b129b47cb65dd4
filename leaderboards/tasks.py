"""What the broker's messages ask for: each says that an attempt waits in a queue."""

from celery import shared_task

from modalities.jobs.worker import run_next

from .models import Attempt
from .ranking import rank_what_waits
from .scoring.compute import compute


@shared_task
def attempt(pk: str, queue: str) -> None:
    """Do the attempt that has waited longest in ``queue``; then rank the boards that changed."""
    run_next(Attempt, queue, compute)
    rank_what_waits()
