"""The worker's side of a job: claim it, hold the lease while computing, write the results once.

While the computation runs, a second thread (``Heartbeat``) renews the lease, writes the progress
and watches for a cancel, so that a long call into NumPy costs no lease and the computation itself
never waits for the database.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from itertools import islice
from multiprocessing.synchronize import Event
from typing import Any, Self

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from structlog.contextvars import bound_contextvars, unbind_contextvars

from modalities import disk
from modalities.physics.progress import Cancelled, Report

from .models import Job, JobQuerySet, LeaseLost
from .rules import HEAD_OF_QUEUE, LEASE

log = logging.getLogger(__name__)

POLL = 0.5  # seconds between two looks at the row: a cancel is seen within one of them
RENEW = LEASE.total_seconds() / 6
INTERRUPT_AFTER = 0.7  # seconds without a report after which a computation is interrupted
DATABASE_AWAY = (OperationalError, InterfaceError)

Save = Callable[[], None]


@dataclass(frozen=True)
class HandOver:
    """What ``compute`` returns of a job whose next step the workers of another queue do."""

    queue: str
    save: Save


Compute = Callable[[Any, Report], Save | HandOver]
CanDo = Callable[[Any], bool]


# Set in the worker's main process, seen in the processes of its pool (pwmsite/celery.py).
stopping: Event | None = None


class Stopping(Exception):
    """The worker stops: the job goes back to its queue, and another worker starts it again."""


class NotHere(Exception):
    """What the job needs is not on this machine: the job goes back, and waits for a worker that
    has it."""


class JobFailed(Exception):
    """The computation cannot go on for a known reason; ``message`` is a sentence for the user.

    ``save`` writes what is known of it, in the transaction that ends the job.
    """

    def __init__(self, code: str, message: str, save: Save | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.save = code, message, save


class JobRefused(JobFailed):
    """What a person gave to the job is wrong: no fault of the server, so no traceback."""


def anything(job: Job) -> bool:
    return True


def run_next(kind: type[Job], queue: str, compute: Compute, can_do: CanDo = anything) -> Job | None:
    """Run the job that is next in ``queue``, because a message says that one waits.

    Return it as it was when it began. Jobs that this machine cannot do (``can_do``) are left to
    other workers.

    Messages come late, twice, out of order or never: that there is work is all they can say. A job
    whose worker died is the oldest, and so the next.
    """
    job = claim_next(kind, queue, can_do)
    if job is None:
        log.info("No job is waiting in the queue %s; the message came late or twice.", queue)
    else:
        _pass_on(kind, queue)
        run(job, compute)
    return job


def _pass_on(kind: type[Job], queue: str) -> None:
    """Send a message for the next job, where the broker keeps only one of a queue."""
    waiting = kind._default_manager.queued().in_queue(queue).in_queue_order()
    if settings.PWM_BROKER_MERGES and (job := waiting.first()):
        job.notify()


def claim_next(kind: type[Job], queue: str, can_do: CanDo = anything) -> Job | None:
    """Claim the first job of ``queue`` that this machine can do and no other worker takes before;
    None if there is none."""
    waiting = kind._default_manager.queued().in_queue(queue).in_queue_order()
    for job in islice(_doable(waiting, can_do), HEAD_OF_QUEUE):
        if job.claim(worker_name()):
            return job
    return None


def _doable(waiting: JobQuerySet[Job], can_do: CanDo) -> Iterator[Job]:
    for job in waiting.iterator(HEAD_OF_QUEUE):
        if can_do(job):
            yield job
        else:
            log.warning("%s waits: what it needs is not on this machine.", job)


def run(job: Job, compute: Compute) -> None:
    """Compute a claimed job and end it.

    ``compute(job, report)`` returns a function that writes the result rows; it is called inside the
    transaction that ends the job, and only while the job still belongs to this worker. Or it
    returns a ``HandOver``, with such a function for what this step gave.
    """
    with bound_contextvars(job=str(job.pk), token=job.token):
        try:
            with _request_of(job):
                _run_with_heartbeat(job, compute)
        except LeaseLost as lost:
            log.warning("Stopped: %s", lost)
        except DATABASE_AWAY as error:
            log.warning(
                "The database is unreachable; the job returns to its queue when its lease ends: %s",
                error,
            )


@contextmanager
def _request_of(job: Job) -> Iterator[None]:
    """Put the request that asked for ``job`` on every line; its message may be another's."""
    request_id = job.request_id
    unbind_contextvars("request_id")
    with bound_contextvars(**{"request_id": request_id} if request_id else {}):
        yield


def worker_name() -> str:
    """Name this process: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _run_with_heartbeat(job: Job, compute: Compute) -> None:
    with Heartbeat(job) as heartbeat:
        try:
            with heartbeat.computing():
                done = compute(job, heartbeat.report)
            heartbeat.retry_while_database_away(lambda: _finish(job, done))
        except Cancelled:
            heartbeat.retry_while_database_away(job.stop)
        except Stopping:
            heartbeat.retry_while_database_away(job.release)
        except NotHere as lacking:
            log.warning("The job goes back to its queue: %s", lacking)
            heartbeat.retry_while_database_away(job.release)
        except (LeaseLost, *DATABASE_AWAY):
            raise
        except JobRefused as refused:
            log.info("The job was refused (%s): %s", refused.code, refused.message)
            code, message, save = refused.code, refused.message, refused.save
            heartbeat.retry_while_database_away(lambda: job.refuse(code, message, save))
        except Exception as error:
            log.exception("The job failed.")
            code, message = explain(error)
            save = error.save if isinstance(error, JobFailed) else None
            heartbeat.retry_while_database_away(lambda: job.fail(code, message, save))
        except BaseException:  # the worker was asked to exit
            job.release()
            raise


def _finish(job: Job, done: Save | HandOver) -> None:
    """End the job with its results, or pass it on to its next step."""
    if isinstance(done, HandOver):
        job.hand_over(done.queue, done.save)
    else:
        job.succeed(done)


def explain(error: Exception) -> tuple[str, str]:
    """Turn an exception into the code and the sentence that users read."""
    if isinstance(error, JobFailed):
        return error.code, error.message
    if disk.is_full(error):
        return "disk_full", (
            "The server's disk is full, so nothing of this run was kept. "
            "Start it again after the operator has freed space."
        )
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return "read_only", (
            "The server's disk cannot be written at the moment, so nothing of this run was kept. "
            "Start it again after the operator has looked at it."
        )
    if isinstance(error, MemoryError):
        return "memory", (
            "The computation needs more memory than the server has. "
            "Start it again when less is running, or tell the operator."
        )
    name = f"{type(error).__name__}: {error}".replace("\0", "")[:500]
    return "error", (
        f"The computation stopped with {name.rstrip('.')}. "
        "The worker's log has the details; start it again after the cause is fixed."
    )


class Heartbeat:
    """Keep a job's lease, and tell the computing thread when to stop.

    ``report`` is the callback of the computation; it only touches memory, and raises Cancelled when
    the job was cancelled, LeaseLost when it belongs to another worker by now.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        # Its lines in the log name the job too: a thread begins without the context of its maker.
        run = copy_context().run
        name = f"heartbeat-{job.pk}"
        self._thread = threading.Thread(target=run, args=(self._run,), name=name, daemon=True)
        self._computing_thread: int | None = None
        self._guard = threading.Lock()
        self._closed = threading.Event()
        self._progress = self._written = ("starting", 0)
        self._renewed = time.monotonic()
        self._stop: type[Exception] | None = None
        self._stop_since = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def report(self, phase: str, fraction: float) -> None:
        """Note where the computation is (``fraction`` of 1); raise when it must stop."""
        self._progress = (phase, min(99, max(0, int(100 * fraction))))
        if self._stop:
            raise self._stop(f"{self._job} was asked to stop in: {phase}.")

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Mark the stretch in which the calling thread may be interrupted from outside."""
        self._computing_thread = threading.get_ident()
        try:
            yield
            if self._stop:
                raise self._stop(f"{self._job} was asked to stop.")
        finally:
            with self._guard:
                _interrupt(self._computing_thread, None)
                self._computing_thread = None

    def retry_while_database_away(self, move: Callable[[], None]) -> None:
        """Make a move of the job; try again while the database is away and the lease lasts."""
        while True:
            try:
                return move()
            except DATABASE_AWAY:
                connection.close()
                if self._stop is LeaseLost:
                    raise
                time.sleep(POLL)

    def _run(self) -> None:
        try:
            while not self._closed.wait(POLL) and self._stop is not LeaseLost:
                self._check_row()
                self._interrupt_if_silent()
            while self._computing_thread and not self._closed.wait(POLL):
                self._interrupt_if_silent()
        finally:
            connection.close()

    def _check_row(self) -> None:
        """Renew the lease if it is time, write the progress if it moved, and see what is asked."""
        begun, progress = time.monotonic(), self._progress
        due = progress != self._written or begun - self._renewed > RENEW
        try:
            asked = self._job.beat(*progress) if due else self._job.is_cancel_requested()
        except LeaseLost:
            return self._request_stop(LeaseLost)
        except DATABASE_AWAY as error:
            log.warning("No heartbeat, the database is unreachable: %s", error)
            connection.close()
            if begun - self._renewed > LEASE.total_seconds():
                self._request_stop(LeaseLost)
            return None
        if due:
            self._renewed, self._written = begun, progress
        if asked:
            self._request_stop(Cancelled)
        elif stopping is not None and stopping.is_set():
            self._request_stop(Stopping)
        return None

    def _request_stop(self, reason: type[Exception]) -> None:
        if self._stop is None:
            self._stop_since = time.monotonic()
        if self._stop is None or reason is LeaseLost:
            self._stop = reason

    def _interrupt_if_silent(self) -> None:
        """Interrupt a computation that was asked to stop and has not reported since."""
        if self._stop and time.monotonic() - self._stop_since > INTERRUPT_AFTER:
            with self._guard:
                if self._computing_thread:
                    _interrupt(self._computing_thread, self._stop)


def _interrupt(thread: int, exception: type[Exception] | None) -> None:
    """Raise ``exception`` in another thread at its next step in Python; None takes it back."""
    raised = ctypes.py_object(exception) if exception else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)
