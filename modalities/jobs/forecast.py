"""When a job will be done: its place in the queue, and what jobs like it took before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

from django.db.models import Q, Subquery
from django.utils import timezone

from .models import Job, JobQuerySet
from .rules import OF_THE_SITE, State

REMEMBERED = 20


def assume_served(queue: str) -> bool:
    return True


# Tells whether a worker serves a queue; the site, which knows its workers, sets its own.
is_served: Callable[[str], bool] = assume_served


@dataclass(frozen=True)
class Forecast:
    """``place`` is 1 for the next job to start, None when it runs; times are None when unknown.

    is_unserved: the job waits in a queue that no worker serves at present.
    """

    place: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    is_unserved: bool = False


def forecast(job: Job, alike: JobQuerySet) -> Forecast:
    """Say when ``job`` starts and ends; ``alike`` are the jobs whose durations are like its own.

    It assumes that as many jobs of the queue run at once as run now, and takes the mean of the last
    durations.
    """
    place = place_in_queue(job)
    if place is not None and not is_served(job.queue):
        return Forecast(place, None, None, is_unserved=True)
    took = mean_duration(alike)
    if took is None or not job.is_live:
        return Forecast(place, job.started_at if place is None else None, None)
    if place is None:
        return Forecast(None, job.started_at, _after(job.started_at, took))
    jobs = type(job)._default_manager.in_queue(job.queue)
    running = list(jobs.running().values_list("started_at", flat=True))
    left = sum((_left(started, took) for started in running), timedelta())
    starts = timezone.now() + (left + (place - 1) * took) / max(1, len(running))
    return Forecast(place, starts, starts + took)


def place_in_queue(job: Job) -> int | None:
    """Count the jobs of its queue that start before it, and itself; None when it does not wait."""
    if job.state != State.QUEUED:
        return None
    jobs = type(job)._default_manager
    # Compared inside the database: SQLite keeps times as text, with as many digits as were written.
    since = jobs.filter(pk=job.pk).values("queued_at")
    earlier = Q(queued_at__lt=Subquery(since)) | Q(queued_at=Subquery(since), pk__lt=job.pk)
    before = earlier & ~OF_THE_SITE if job.started_by_id else earlier | ~OF_THE_SITE
    return jobs.queued().in_queue(job.queue).filter(before).count() + 1


def mean_duration(jobs: JobQuerySet) -> timedelta | None:
    """Give the mean duration of the newest jobs that succeeded, None when there are none."""
    newest = jobs.succeeded().order_by("-finished_at")[:REMEMBERED]
    seconds = [
        (end - start).total_seconds()
        for start, end in newest.values_list("started_at", "finished_at")
    ]
    return timedelta(seconds=fmean(seconds)) if seconds else None


def _left(started: datetime | None, took: timedelta) -> timedelta:
    return max(timedelta(), _after(started, took) - timezone.now())


def _after(started: datetime | None, took: timedelta) -> datetime:
    """End of a job that began at ``started``; one that takes longer than usual ends any moment."""
    return max((started or timezone.now()) + took, timezone.now())
