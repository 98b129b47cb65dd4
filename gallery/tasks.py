"""What the broker's messages ask for: each says that a run waits, and which one it was sent for."""

from celery import shared_task

from modalities.jobs.worker import run_next

from .models import Run
from .reconstruct import compute as compute_run


@shared_task
def compute(pk: str) -> None:
    """Compute the run that has waited longest."""
    run_next(Run, pk, compute_run)
