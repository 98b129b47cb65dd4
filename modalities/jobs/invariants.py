"""What "nothing is lost" means, as checks that anyone can run at any time.

Each check yields one sentence for each thing that is wrong. Apps add their own to ``CHECKS`` when
they are ready; ``manage.py check_invariants`` runs them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from django.db.models import Q
from django.db.models.functions import Now

from .files import kinds_with_files, missing
from .models import Job, JobEvent, kinds
from .rules import LEASE, MAX_TRIES, State

LONG_OVERDUE = 20 * LEASE

# What each event makes of a job, and what it may follow.
AFTER = {
    "queued": State.QUEUED,
    "claimed": State.RUNNING,
    "released": State.QUEUED,
    "reclaimed": State.QUEUED,
    "cancel asked": State.RUNNING,
    "succeeded": State.SUCCEEDED,
    "refused": State.FAILED,
    "failed": State.FAILED,
    "lost": State.FAILED,
    "cancelled": State.CANCELLED,
    "restarted": State.QUEUED,
}
FROM = {
    "claimed": {State.QUEUED},
    "released": {State.RUNNING},
    "reclaimed": {State.RUNNING},
    "cancel asked": {State.RUNNING},
    "succeeded": {State.RUNNING},
    "refused": {State.RUNNING},
    "failed": {State.RUNNING},
    "lost": {State.RUNNING},
    "cancelled": {State.QUEUED, State.RUNNING},
    "restarted": {State.FAILED, State.CANCELLED},
}

Check = Callable[[], Iterable[str]]


def problems() -> list[str]:
    """Run every check; an empty list means that nothing is lost."""
    return [problem for check in CHECKS for problem in check()]


def histories() -> Iterator[str]:
    """A job's events tell how it came to its state, and it ends once."""
    for kind in kinds():
        for job in kind._default_manager.with_events().iterator(500):
            yield from (f"{job}: {wrong}" for wrong in _history(job, list(job.events.all())))


def _history(job: Job, events: list[JobEvent]) -> Iterator[str]:
    names = [event.event for event in events]
    if names[:1] != ["queued"] or "queued" in names[1:]:
        yield f"its history must begin with 'queued', once; it is {', '.join(names) or 'empty'}."
        return
    for before, after in pairwise(names):
        if AFTER[before] not in FROM[after]:
            yield f"'{after}' cannot follow '{before}'."
    if AFTER[names[-1]] != job.state:
        yield f"it is {job.state}, but its last event is '{names[-1]}'."
    claims = [event.token for event in events if event.event == "claimed"]
    if claims != list(range(1, job.token + 1)):
        yield f"its claims carry the tokens {claims}, its row {job.token}."
    if names.count("succeeded") > 1:
        yield "it succeeded more than once."


def results() -> Iterator[str]:
    """A job that succeeded has all its results, and no other job has any."""
    for kind in kinds():
        for job in kind._base_manager.iterator(500):
            done = job.state == State.SUCCEEDED
            expected, found = (job.expected_result_count() if done else 0), job.result_count()
            if found != expected:
                yield f"{job} is {job.state} and has {found} results instead of {expected}."


def stuck() -> Iterator[str]:
    """No job waits for something that does not come."""
    silent = Q(state=State.RUNNING, lease_expires_at__lt=Now() - 2 * LEASE)
    unsent = Q(message_sent_at__isnull=True) | Q(message_sent_at__lt=Now() - LONG_OVERDUE)
    for kind in kinds():
        for job in kind._base_manager.filter(silent):
            yield f"{job} is held by {job.worker}, silent since {job.heartbeat_at}; nobody sweeps."
        for job in kind._default_manager.overdue().filter(
            unsent, queued_at__lt=Now() - LONG_OVERDUE
        ):
            yield f"{job} waits since {job.queued_at}, without a message; is a worker running?"
        for job in kind._base_manager.filter(tries__gt=MAX_TRIES):
            yield f"{job} was tried {job.tries} times."


def files() -> Iterator[str]:
    """Every file that a row promises is there."""
    for kind in kinds_with_files():
        yield from missing(kind)


CHECKS: list[Check] = [histories, results, stuck, files]
