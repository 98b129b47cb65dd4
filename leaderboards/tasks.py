"""What the broker's messages ask for: each says that a job waits, and which one rang."""

from celery import shared_task

from modalities.work import work

from . import evaluate, receive
from .submission import Evaluation, Submission


@shared_task
def score_submission(pk: str) -> None:
    """Read and score the submission that has waited longest."""
    work(Submission, pk, receive.compute)


@shared_task
def evaluate_baseline(pk: str) -> None:
    """Run the baseline that has waited longest."""
    work(Evaluation, pk, evaluate.compute)
