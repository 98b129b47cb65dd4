"""What the broker's messages ask for: each says that a calibration waits in a queue."""

from celery import shared_task

from modalities.jobs.worker import run_next

from .compute import compute
from .models import Calibration


@shared_task
def calibrate(pk: str, queue: str) -> None:
    """Compute the calibration that has waited longest in ``queue``."""
    run_next(Calibration, queue, compute)
