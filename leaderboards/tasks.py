"""What the broker's messages ask for: each says that a job waits, for which one it was sent, and in
which queue."""

from celery import shared_task

from modalities.jobs.worker import run_next

from . import evaluate, receive
from .submission import Evaluation, Submission


@shared_task
def score_submission(pk: str, queue: str) -> None:
    """Read and score the submission that has waited longest."""
    run_next(Submission, queue, receive.compute)


@shared_task
def evaluate_baseline(pk: str, queue: str) -> None:
    """Run the baseline that has waited longest."""
    run_next(Evaluation, queue, evaluate.compute)
