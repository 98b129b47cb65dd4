"""What the broker's messages ask for; each names a job and nothing else."""

from celery import shared_task

from modalities.work import work

from . import evaluate, receive
from .submission import Evaluation, Submission


@shared_task
def score_submission(pk: str) -> None:
    """Read and score the submission ``pk``, unless somebody does or did."""
    work(Submission, pk, receive.compute)


@shared_task
def evaluate_baseline(pk: str) -> None:
    """Run the baseline of evaluation ``pk``, unless somebody does or did."""
    work(Evaluation, pk, evaluate.compute)
