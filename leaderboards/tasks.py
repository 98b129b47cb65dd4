"""What the broker's messages ask for: each says that a job waits, and which one it was sent for."""

from celery import shared_task

from modalities.jobs.worker import run_next

from . import evaluate, receive
from .submission import Evaluation, Submission


@shared_task
def score_submission(pk: str) -> None:
    """Read and score the submission that has waited longest."""
    run_next(Submission, pk, receive.compute)


@shared_task
def evaluate_baseline(pk: str) -> None:
    """Run the baseline that has waited longest."""
    run_next(Evaluation, pk, evaluate.compute)
