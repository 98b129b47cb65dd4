"""What the broker's messages ask for; each names a run and nothing else."""

from celery import shared_task

from modalities.work import work

from .models import Run
from .reconstruct import compute as compute_run


@shared_task
def compute(pk: str) -> None:
    """Compute the run ``pk``, unless somebody does or did."""
    work(Run, pk, compute_run)
