"""What "nothing is lost" means, as checks that anyone can run at any time.

Each check yields one sentence for each thing that is wrong. Apps add their own to ``CHECKS`` when
they are ready; ``manage.py check_invariants`` runs them all, on one state of the database. Files
lie outside of it: a row that seems to lack one is read again before anything is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from django.db.models import Q
from django.db.models.functions import Now

from .files import kinds_with_files, missing
from .models import Job, JobEvent, kinds
from .rounds import Round, due, entered, snapshot
from .rules import LEASE, LIVE, MAX_TRIES, State

LONG_OVERDUE = 20 * LEASE

# What each event makes of a job, and what it may follow.
AFTER = {
    "queued": State.QUEUED,
    "claimed": State.RUNNING,
    "released": State.QUEUED,
    "reclaimed": State.QUEUED,
    "handed over": State.QUEUED,
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
    "handed over": {State.RUNNING},
    "cancel asked": {State.RUNNING},
    "succeeded": {State.RUNNING},
    "refused": {State.RUNNING},
    "failed": {State.RUNNING},
    "lost": {State.RUNNING},
    "cancelled": {State.QUEUED, State.RUNNING},
    "restarted": {State.FAILED, State.CANCELLED},
}

Check = Callable[[], Iterable[str]]


def problems(everything: bool = True) -> list[str]:
    """Run every check; an empty list means that nothing is lost.

    everything: look at all rows there are, and not only at those of a round (``rounds``).
    """
    current = None if everything else Round()
    with entered(current):
        with snapshot():
            found = [problem for check in CHECKS for problem in check()]
        found += [problem for check in OUTSIDE for problem in check()]
    if current and not found:
        current.keep()
    return found


def changed(since: datetime) -> Q:
    """Select the jobs that may differ since then: an ended job does not change."""
    return Q(state__in=LIVE) | Q(finished_at__gt=since) | Q(queued_at__gt=since)


def histories() -> Iterator[str]:
    """A job's events tell how it came to its state, and it ends once."""
    for kind in kinds():
        for job in due(f"{kind.__name__} history", kind._default_manager.with_events(), changed):
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
        for job in due(f"{kind.__name__} result", kind._base_manager.all(), changed):
            done = job.state == State.SUCCEEDED
            expected, found = (job.expected_result_count() if done else 0), job.result_count()
            if found != expected:
                yield f"{job} is {job.state} and has {found} results instead of {expected}."
            if job.tries > MAX_TRIES:
                yield f"{job} was tried {job.tries} times."


def stuck() -> Iterator[str]:
    """No job waits for something that does not come.

    The first check of all: on SQLite time goes on during a transaction, and leases with it.
    """
    silent = Q(state=State.RUNNING, lease_expires_at__lt=Now() - 2 * LEASE)
    unsent = Q(message_sent_at__isnull=True) | Q(message_sent_at__lt=Now() - LONG_OVERDUE)
    for kind in kinds():
        for job in kind._base_manager.filter(silent):
            yield f"{job} is held by {job.worker}, silent since {job.heartbeat_at}; nobody sweeps."
        for job in kind._default_manager.overdue().filter(
            unsent, queued_at__lt=Now() - LONG_OVERDUE
        ):
            yield f"{job} waits since {job.queued_at}, without a message; is a worker running?"


def files() -> Iterator[str]:
    """Every file that a row promises is there."""
    for kind in kinds_with_files():
        rows = kind._base_manager.all()
        yield from missing(kind, due(f"{kind.__name__} files", rows, changed))


CHECKS: list[Check] = [stuck, histories, results]
OUTSIDE: list[Check] = [files]
