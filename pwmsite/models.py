"""The workers of the site, its mails, and the keys by which programs use it in a person's name."""

import hashlib
import secrets
from collections import Counter
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from leaderboards.programs import Runner
from modalities.jobs import Job, JobEvent, JobQuerySet, State

# A worker reports every BEAT; after SILENCE without a report it counts as gone.
BEAT = timedelta(seconds=10)
SILENCE = 3 * BEAT
FORGOTTEN = timedelta(days=1)
# Between two tries of a mail: 1, 2, 4 … minutes, 4 hours at most; two days in all.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=4)
MOST_FAILURES = 19
LATE = timedelta(minutes=2)  # a mail that waits longer finds no worker
PREFIX = "pwm_"  # so that scanners for leaked secrets recognise a token


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> "WorkerQuerySet":
        """Those that reported lately by the database's clock, the only one that all share."""
        return self.filter(seen_at__gt=Now() - SILENCE, seen_at__lte=Now() + SILENCE)

    def runners(self) -> "list[Runner]":
        """List those that start people's programs, with the guards that are missing there."""
        return [
            Runner(worker.name, tuple(g["name"] for g in worker.guards if not g["holds"]))
            for worker in self.alive().filter(sandbox__isnull=False)
        ]

    def processes_by_queue(self) -> "Counter[str]":
        """Count, for each queue that living workers serve, the processes that may take its jobs."""
        counted: Counter[str] = Counter()
        for worker in self.alive():
            counted.update(dict.fromkeys(worker.queues, worker.processes))
        return counted


class Worker(models.Model):
    """A Celery worker as it last described itself."""

    name = models.CharField(max_length=200, primary_key=True)
    queues = models.JSONField(default=list)
    processes = models.PositiveSmallIntegerField()
    sandbox = models.JSONField(
        null=True, help_text="What its preflight found, where it starts people's programs."
    )
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def guards(self) -> list[dict[str, Any]]:
        """Give name, holds and detail of each guard of its sandbox; empty where it has none."""
        return list((self.sandbox or {}).get("guards", ()))

    @property
    def is_alive(self) -> bool:
        return Worker.objects.alive().filter(pk=self.pk).exists()


class MailQuerySet(JobQuerySet["Mail"]):
    def to_retry(self) -> Self:
        """Those that the mail server did not take, and that are sent again."""
        return self.filter(state=State.FAILED, retry_at__isnull=False)

    def given_up(self) -> Self:
        return self.filter(state=State.FAILED, retry_at__isnull=True)

    def late(self) -> Self:
        """Those that show that mail does not go out at the moment."""
        waits = Q(state=State.QUEUED, queued_at__lt=Now() - LATE)
        return self.filter(waits | Q(pk__in=self.to_retry().values("pk")))

    def retry_due(self) -> int:
        """Queue the mails whose pause is over; count them."""
        return sum(mail.restart("back-off") for mail in self.to_retry().filter(retry_at__lt=Now()))


class Mail(Job):
    """One mail on its way, enciphered (``mail.seal``); when it has ended, only that there was one.

    failures: how often the mail server did not take it; retry_at: when it is sent again.
    """

    task_name = "pwmsite.tasks.send_mail"
    default_queue = "mail"

    letter = models.TextField(blank=True, editable=False)
    failures = models.PositiveSmallIntegerField(default=0, editable=False)
    retry_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar = MailQuerySet.as_manager()

    class Meta(Job.Meta):
        ordering = ("-queued_at",)

    def __str__(self) -> str:
        return f"mail {self.pk}"

    def after_move(self, event: str) -> None:
        """Choose the time of the next try, or forget what the mail said."""
        row = Mail.objects.filter(pk=self.pk)
        if event in ("failed", "lost") and self.failures + 1 < MOST_FAILURES:
            pause = min(FIRST_PAUSE * 2**self.failures, LONGEST_PAUSE)
            row.update(failures=F("failures") + 1, retry_at=Now() + pause)
        elif event in ("succeeded", "refused", "failed", "lost", "cancelled"):
            row.update(letter="", retry_at=None)
        elif event == "restarted":
            row.update(retry_at=None)


class MailEvent(JobEvent):
    job = models.ForeignKey(Mail, on_delete=models.PROTECT, related_name="events")


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def make(self, user: Any, name: str) -> tuple["ApiToken", str]:
        """Make a token; return its row and its text, which nobody can read again."""
        text = PREFIX + secrets.token_urlsafe(32)
        row = self.create(user=user, name=name, digest=digest(text), hint=text[: len(PREFIX) + 4])
        return row, text

    def known(self, text: str) -> "ApiToken | None":
        """Find the token with this text, if its owner may log in, and note that it was used.

        The use is written once a minute at most, so that reading costs no write.
        """
        row = self.filter(digest=digest(text), user__is_active=True).select_related("user").first()
        if row is not None and row.was_used_long_ago():
            self.filter(pk=row.pk).update(last_used_at=Now())
        return row


class ApiToken(models.Model):
    """A person's key to the API. Only its SHA-256 is kept: it has 256 random bits, so that a slow
    hash would add nothing, and a stolen database opens nothing."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    def was_used_long_ago(self) -> bool:
        """Say whether the last noted use is more than a minute ago."""
        since = timezone.now() - timedelta(minutes=1)
        return self.last_used_at is None or self.last_used_at < since


def digest(text: str) -> str:
    """Hash a token as it is kept."""
    return hashlib.sha256(text.encode()).hexdigest()
