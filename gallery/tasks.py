"""What the broker's messages ask for: each says that a run waits, for which one it was sent, and in
which queue."""

from celery import shared_task

from modalities.jobs.worker import run_next

from .models import Run
from .reconstruct import compute as compute_run


@shared_task
def compute(pk: str, queue: str) -> None:
    """Compute the run that has waited longest in ``queue``."""
    run_next(Run, queue, compute_run)
