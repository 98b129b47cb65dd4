"""The workers of the site: who is there to compute, on which machine, and when it last said so."""

from datetime import timedelta

from django.db import models
from django.utils import timezone

# A worker reports every BEAT; after SILENCE without a report it is taken for gone.
BEAT = timedelta(seconds=10)
SILENCE = 3 * BEAT
FORGOTTEN = timedelta(days=1)


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> "WorkerQuerySet":
        return self.filter(seen_at__gt=timezone.now() - SILENCE)


class Worker(models.Model):
    """A Celery worker as it last described itself."""

    name = models.CharField(max_length=200, primary_key=True)
    queues = models.JSONField(default=list)
    processes = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_alive(self) -> bool:
        return self.seen_at > timezone.now() - SILENCE
