"""A job's row, and every move from one of its states to another.

Every move is one conditional UPDATE on state and fencing token, and zero rows mean that somebody
else owns the job now. All times are the database's, so that the clocks of workers do not matter.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, TypeVar

from celery import current_app
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import Q, Window
from django.db.models.functions import Now, RowNumber
from structlog.contextvars import get_contextvars

from modalities.append_only import AppendOnly, AppendOnlyQuerySet

from . import mail
from .rules import (
    CONSTRAINTS,
    ENDED,
    EXPIRED,
    HEAD_OF_QUEUE,
    LEASE,
    LIVE,
    MAX_TRIES,
    OVERDUE,
    QUEUE_ORDER,
    State,
)

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

log = logging.getLogger(__name__)


AnyJob = TypeVar("AnyJob", bound="Job", covariant=True)


class LeaseLost(Exception):
    """The job no longer belongs to this worker: it must stop and leave the row alone."""


class JobQuerySet(models.QuerySet[AnyJob]):
    """The vocabulary of queues; shared by every kind of job."""

    def live(self) -> Self:
        return self.filter(state__in=LIVE)

    def queued(self) -> Self:
        return self.filter(state=State.QUEUED)

    def running(self) -> Self:
        return self.filter(state=State.RUNNING)

    def succeeded(self) -> Self:
        return self.filter(state=State.SUCCEEDED)

    def with_events(self) -> Self:
        return self.prefetch_related("events")

    def in_queue(self, queue: str) -> Self:
        return self.filter(queue=queue)

    def in_queue_order(self) -> Self:
        return self.order_by(*QUEUE_ORDER)

    def expired(self) -> Self:
        """Running jobs whose lease has run out, or ends later than any lease can: the database's
        clock went back."""
        return self.running().filter(EXPIRED)

    def overdue(self) -> Self:
        """Jobs at the head of their queue whose message a worker should have received by now."""
        place = Window(RowNumber(), partition_by="queue", order_by=QUEUE_ORDER)
        heads = self.queued().order_by().annotate(place=place).filter(place__lte=HEAD_OF_QUEUE)
        return self.queued().filter(OVERDUE, pk__in=heads.values("pk"))

    def enqueue(self, **fields: Any) -> AnyJob:
        """Write a queued job, with its first event, and notify the workers once it is committed.

        The job waits in its kind's default queue, unless ``fields`` name another ``queue``.
        """
        with transaction.atomic():
            job = self.create(**{"queue": self.model.default_queue} | fields)
            job._record("queued", detail=_asked())
            transaction.on_commit(job.notify)
        return job


class Job(models.Model):
    """Work that a background worker does for a row: who holds it, how far it is, how it ended.

    A subclass names its ``task_name`` and ``default_queue``, has a model of events (``JobEvent``),
    and keeps its results in rows of its own, which ``succeed`` writes in the transaction that ends
    it.
    """

    task_name: ClassVar[str]
    default_queue: ClassVar[str]
    # Where the files of its tries lie, if it has any: an alias of STORAGES, and a folder there;
    # other storages may have files of them too, in a folder of the same name.
    files_storage: ClassVar[str] = "default"
    files_also_in: ClassVar[tuple[str, ...]] = ()
    files_folder: ClassVar[str] = ""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    queue = models.CharField(max_length=20, editable=False)
    # Fencing token: the number of claims so far. A worker with an older one has lost the job.
    token = models.PositiveIntegerField(default=0, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    worker = models.CharField(max_length=200, blank=True, editable=False)
    lease_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    heartbeat_at = models.DateTimeField(null=True, blank=True, editable=False)
    phase = models.CharField(max_length=200, blank=True, editable=False)
    percent = models.PositiveSmallIntegerField(default=0, editable=False)
    error_code = models.CharField(max_length=40, blank=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, blank=True, editable=False)
    queued_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    message_sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    notifications = models.PositiveSmallIntegerField(default=0, editable=False)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="%(app_label)s_%(class)ss",
    )

    objects = JobQuerySet.as_manager()
    if TYPE_CHECKING:
        events: RelatedManager[JobEvent]  # the reverse of the subclass's JobEvent.job

    class Meta:
        abstract = True
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = CONSTRAINTS
        indexes: ClassVar[tuple[models.Index, ...]] = (
            # State first: the sweeper looks for running jobs in all queues at once.
            models.Index(
                fields=["state", "queue", "queued_at"], name="%(app_label)s_%(class)s_queue"
            ),
        )

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def request_id(self) -> str:
        """The id of the request that asked for the job; "" where none did. One query."""
        asked = self.events.filter(event__in=("queued", "restarted")).order_by("-pk")
        return (asked.values_list("detail", flat=True).first() or "").removeprefix(_REQUEST)

    def path(self, name: str) -> str:
        """Name a file of this try in the storage; the token keeps tries apart."""
        return f"{self.files_folder}/{self.pk}/{self.token}/{name}"

    # Moves of a worker: each is conditional on the state and on the token that the worker holds.

    def claim(self, worker: str) -> bool:
        """Take a waiting job; say whether this worker has it now."""
        taken = self._move(
            "claimed",
            Q(state=State.QUEUED),
            worker,
            state=State.RUNNING,
            token=models.F("token") + 1,
            tries=models.F("tries") + 1,
            worker=worker,
            phase="starting",
            percent=0,
            started_at=Now(),
            **_renewed(),
        )
        if taken:
            self.refresh_from_db()
        return taken

    def beat(self, phase: str, percent: int) -> bool:
        """Renew the lease and write the progress; say whether a cancel was asked for.

        Raise LeaseLost when the job is no longer this worker's.
        """
        if not self._mine().update(phase=phase[:200], percent=percent, **_renewed()):
            self._lost()
        return self.is_cancel_requested()

    def is_cancel_requested(self) -> bool:
        """Look at the row only; raise LeaseLost when the job is no longer this worker's."""
        rows = list(self._mine().values_list("cancel_requested_at", flat=True))
        return rows[0] is not None if rows else self._lost()

    def succeed(self, save: Callable[[], None]) -> None:
        """Write the results and the state in one transaction; a cancel that came first wins.

        Raise LeaseLost when the job is no longer this worker's: then nothing is written.
        """
        with transaction.atomic():
            done = self._end(
                "succeeded", _NOT_CANCELLED, state=State.SUCCEEDED, percent=100, phase="done"
            )
            if done:
                save()
        if not done:
            self.stop()

    def hand_over(self, queue: str, save: Callable[[], None]) -> None:
        """Queue the job for its next step, which the workers of ``queue`` do, with fresh tries.

        ``save`` writes what this step gave, in the same transaction; a cancel that came first wins.
        Raise LeaseLost when the job is no longer this worker's: then nothing is written.
        """
        going = Q(state=State.RUNNING) & _NOT_CANCELLED
        on = {"queue": queue, "tries": 0, **_waiting()}
        with transaction.atomic():
            done = self._move("handed over", going, self.worker, f"to {queue}", **on)
            if done:
                self.queue = queue
                save()
                transaction.on_commit(self.notify)
        if not done:
            self.stop()

    def fail(self, code: str, message: str, save: Callable[[], None] | None = None) -> None:
        """End the job with a reason; raise LeaseLost when it is no longer this worker's.

        ``save`` writes what there is to know of it, in the same transaction.
        """
        self._fail("failed", code, message, save)

    def refuse(self, code: str, message: str, save: Callable[[], None] | None = None) -> None:
        """End the job because of what a person gave it; otherwise like ``fail``."""
        self._fail("refused", code, message, save)

    def stop(self) -> None:
        """End the job as was asked; raise LeaseLost when it is not this worker's to stop."""
        if not self._end("cancelled", ~_NOT_CANCELLED, state=State.CANCELLED):
            self._lost()

    def release(self) -> None:
        """Give the job back because the worker stops; it does not count as a try."""
        back = {"tries": models.F("tries") - 1, **_waiting()}
        mine = Q(state=State.RUNNING) & _NOT_CANCELLED
        if self._move("released", mine, self.worker, **back):
            transaction.on_commit(self.notify)
        else:
            self.stop()

    # Moves of people and of the sweeper.

    def cancel(self, by: str = "") -> bool:
        """Cancel a waiting job, or ask the worker of a running one to stop; False if it has ended.

        A running job whose worker is alive stops within two seconds.
        """
        now: dict[str, Any] = {"cancel_requested_at": Now()}
        ended: dict[str, Any] = {"state": State.CANCELLED, "finished_at": Now()}
        running = Q(state=State.RUNNING) & _NOT_CANCELLED
        while True:
            self.refresh_from_db()
            if self.has_ended or self.cancel_requested_at:
                return not self.has_ended
            if self._move("cancelled", Q(state=State.QUEUED), by, **now, **ended):
                return True
            if self._move("cancel asked", running, by, **now):
                return True
            # A worker took the job or gave it back since it was read: look again.

    def restart(self, by: str = "") -> bool:
        """Queue a failed or cancelled job once more, with fresh tries."""
        fresh: dict[str, Any] = {"tries": 0, "cancel_requested_at": None}
        fresh |= {"error_code": "", "error_message": ""}
        ended = Q(state__in=(State.FAILED, State.CANCELLED))
        again = {"queued_at": Now(), **fresh, **_waiting()}
        moved = self._move("restarted", ended, by, _asked(), **again)
        if moved:
            transaction.on_commit(self.notify)
        return moved

    def reclaim(self) -> bool:
        """Take a job from a silent worker; end it if that was asked or happened too often."""
        lost = Q(state=State.RUNNING) & EXPIRED
        cancelled = {"state": State.CANCELLED, **_ended()}
        if self._move("cancelled", lost & ~_NOT_CANCELLED, self.worker, **cancelled):
            return True
        if self._move("lost", lost & Q(tries__gte=MAX_TRIES), self.worker, **_given_up()):
            return True
        again = lost & Q(tries__lt=MAX_TRIES) & _NOT_CANCELLED
        moved = self._move("reclaimed", again, self.worker, **_waiting())
        if moved:
            transaction.on_commit(self.notify)
        return moved

    def notify(self) -> None:
        """Tell the broker that there is work. A broker that is away is no error: the sweeper tries
        again.

        The header lets a broker keep one unread message of a queue (pwmsite/folder_broker.py).
        """
        try:
            current_app.send_task(
                self.task_name,
                args=[str(self.pk), self.queue],
                queue=self.queue,
                retry=False,
                headers={"merge": True},
            )
        except Exception as error:  # any error of the transport
            log.warning("The broker did not take the message of %s: %s.", self, error)
            return
        waiting = type(self)._base_manager.filter(pk=self.pk, state=State.QUEUED)
        waiting.update(message_sent_at=Now(), notifications=models.F("notifications") + 1)

    # What a kind of job may add.

    def in_words(self) -> str:
        """Say which job this is to the person who asked for it, after "Your"."""
        return str(self._meta.verbose_name)

    def after_move(self, event: str) -> None:
        """Do what belongs to every move, in its transaction: refunds, a new version of a page."""

    def result_count(self) -> int:
        """Count the rows that the job produced; check_invariants compares them with the state."""
        return 0

    def expected_result_count(self) -> int:
        """Say how many rows a succeeded job of this kind must have produced."""
        return 0

    def kept_files(self) -> set[str]:
        """Name the files that the job's rows promise; other files of its tries are deleted.

        Write them while the job runs: files of a try that has ended are kept by a row or go.
        """
        return set()

    def kept_in(self, storage: str) -> set[str]:
        """Name those of the kept files that lie in ``storage``, an alias of STORAGES."""
        return self.kept_files() if storage == self.files_storage else set()

    # How a move is made.

    def _mine(self) -> models.QuerySet[Job]:
        return type(self)._base_manager.filter(pk=self.pk, state=State.RUNNING, token=self.token)

    def _lost(self) -> NoReturn:
        raise LeaseLost(f"{self} is no longer held with token {self.token}.")

    def _fail(self, event: str, code: str, message: str, save: Callable[[], None] | None) -> None:
        why = {"error_code": code, "error_message": message}
        with transaction.atomic():
            if not self._end(event, Q(), detail=f"{code}: {message}", state=State.FAILED, **why):
                self._lost()
            if save:
                save()

    def _end(self, event: str, where: Q, detail: str = "", **changes: Any) -> bool:
        running = Q(state=State.RUNNING) & where
        return self._move(event, running, self.worker, detail, **_ended(), **changes)

    def _move(self, event: str, where: Q, by: str = "", detail: str = "", **changes: Any) -> bool:
        """Make one move and record it, or find that the row has moved on and do nothing."""
        row = type(self)._base_manager.filter(where, pk=self.pk, token=self.token)
        with transaction.atomic():
            moved = bool(row.update(**changes))
            if moved:
                self.token += event == "claimed"
                self._record(event, by, detail)
        return moved

    def _record(self, event: str, by: str = "", detail: str = "") -> None:
        self.events.create(event=event, token=self.token, worker=by[:200], detail=detail)
        transaction.on_commit(lambda: log.info("%s: %s.", self, event))
        self.after_move(event)
        if self.started_by_id:
            transaction.on_commit(lambda: mail.notify_owner(self, event))


_REQUEST = "request "


def _asked() -> str:
    """Say in which request a job is asked for, so that its log lines and the request's meet."""
    request_id = get_contextvars().get("request_id", "")
    return f"{_REQUEST}{request_id}" if request_id else ""


_NOT_CANCELLED = Q(cancel_requested_at__isnull=True)


def _renewed() -> dict[str, Any]:
    return {"lease_expires_at": Now() + LEASE, "heartbeat_at": Now()}


def _ended() -> dict[str, Any]:
    return {"finished_at": Now(), "lease_expires_at": None}


def _waiting() -> dict[str, Any]:
    """Back to the queue, with its message still to be sent."""
    unsent = {"message_sent_at": None, "notifications": 0}
    free = {"worker": "", "lease_expires_at": None, "finished_at": None, "phase": "", "percent": 0}
    return {"state": State.QUEUED, **free, **unsent}


def _given_up() -> dict[str, Any]:
    message = (
        f"The worker was lost {MAX_TRIES} times in this job. Start it again; if that happens "
        "once more, tell the operator: it may need more memory than the server has."
    )
    return {"state": State.FAILED, "error_code": "lost", "error_message": message, **_ended()}


def kinds() -> list[type[Job]]:
    """List every kind of job that the installed apps define."""
    return [model for model in apps.get_models() if issubclass(model, Job)]


class JobEvent(AppendOnly):
    """One move of one job, written in its transaction. Rows are added, never changed.

    A subclass adds ``job``, a foreign key to its kind of job with ``related_name="events"``.
    """

    at = models.DateTimeField(db_default=Now(), editable=False)
    event = models.CharField(max_length=20)
    token = models.PositiveIntegerField()
    worker = models.CharField("by", max_length=200, blank=True)
    detail = models.TextField(blank=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta(AppendOnly.Meta):
        abstract = True
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.event}"

    @property
    def by(self) -> str:
        """Who made the move, for everybody to read: a person's name, or a worker without its host.

        A worker is named ``host:process``, and no username has a colon.
        """
        return "a worker" if ":" in self.worker else self.worker
