"""A worker's report that it is there, written to the database by the worker's own process.

It is not a task: a task would wait behind the work, and a busy worker would look dead.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from celery import bootsteps
from celery.worker import WorkController
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.utils import timezone

log = structlog.get_logger(__name__)


def sandbox_of(worker: WorkController) -> dict[str, Any] | None:
    """Try the sandbox of a worker that starts people's programs, once; None for all others."""
    if "programs" not in worker.app.amqp.queues.consume_from:
        return None
    from leaderboards.sandbox import preflight

    found = preflight()
    if not found.ok:
        log.error("People's programs are blocked.", missing=list(found.missing))
    return asdict(found)


def report(worker: WorkController, started_at: datetime) -> None:
    """Note that ``worker`` is there; a database that is away is a warning, not the worker's end."""
    from pwmsite.models import FORGOTTEN, Worker

    described = {
        "queues": sorted(queue.name for queue in worker.app.amqp.queues.consume_from.values()),
        "processes": worker.concurrency,
        "sandbox": sandbox_of(worker),
        "started_at": started_at,
        "seen_at": Now(),
    }
    try:
        Worker.objects.update_or_create(name=worker.hostname, defaults=described)
        Worker.objects.filter(seen_at__lt=Now() - FORGOTTEN).delete()
    except DatabaseError as error:
        log.warning("The worker's report could not be written.", error=str(error))
    finally:
        # This process forks when a child of its pool dies, and SQLite must not be carried along.
        connection.close()


class Presence(bootsteps.StartStopStep):
    """Report when the worker starts and every ``BEAT`` from then on."""

    requires = ("celery.worker.components:Timer", "celery.worker.components:Pool")

    def __init__(self, parent: WorkController, **options: Any) -> None:
        super().__init__(parent, **options)
        self.timer: Any = None

    def start(self, parent: WorkController) -> None:
        from pwmsite.models import BEAT

        started_at = timezone.now()
        report(parent, started_at)
        self.timer = parent.timer.call_repeatedly(
            BEAT.total_seconds(), report, (parent, started_at)
        )

    def stop(self, parent: WorkController) -> None:
        if self.timer:
            self.timer.cancel()
