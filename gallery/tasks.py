"""What the broker's messages ask for: each says that a run waits, and which one rang."""

from celery import shared_task

from modalities.work import work

from .models import Run
from .reconstruct import compute as compute_run


@shared_task
def compute(pk: str) -> None:
    """Compute the run that has waited longest."""
    work(Run, pk, compute_run)
