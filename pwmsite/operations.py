"""How the site is doing, in numbers: for the operators' page, and for Prometheus.

Both show the same facts. Neither is for the public: the page asks for staff, ``/metrics`` for the
token in PWM_METRICS_TOKEN and is not there without one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage
from django.db.models import Count, Max, Min
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from modalities.jobs import Job, State, kinds
from pwmsite.admin_site import staff_only
from pwmsite.health import CHECKS, OWN_CHECKS, outcome
from pwmsite.models import Mail, Worker

LATELY = timedelta(days=7)


@dataclass(frozen=True)
class Queue:
    """The jobs of one kind in one queue: how many wait and since when, how many run, how the others
    ended."""

    kind: str
    name: str
    waiting: int
    oldest: datetime | None
    running: int
    succeeded: int
    failed: int
    cancelled: int

    @property
    def oldest_seconds(self) -> float:
        return (timezone.now() - self.oldest).total_seconds() if self.oldest else 0.0


@dataclass(frozen=True)
class Failure:
    """One way in which jobs of a kind failed lately."""

    kind: str
    code: str
    times: int
    last_at: datetime


@dataclass(frozen=True)
class Disk:
    """A place where files lie; sizes in bytes, None where the place does not tell."""

    name: str
    where: str
    free: int | None
    total: int | None

    @property
    def used_percent(self) -> int | None:
        return round(100 * (1 - self.free / self.total)) if self.total and self.free else None


def queues_of(kind: type[Job]) -> list[Queue]:
    """List the queues in which jobs of ``kind`` have ever waited, and its default one."""
    rows = kind._default_manager.order_by()
    counts = {
        (name, state): count
        for name, state, count in rows.values_list("queue", "state").annotate(Count("pk"))
    }
    oldest = dict(rows.queued().values_list("queue").annotate(Min("queued_at")))
    return [
        Queue(
            kind=str(kind._meta.verbose_name),
            name=name,
            waiting=counts.get((name, State.QUEUED), 0),
            oldest=oldest.get(name),
            running=counts.get((name, State.RUNNING), 0),
            succeeded=counts.get((name, State.SUCCEEDED), 0),
            failed=counts.get((name, State.FAILED), 0),
            cancelled=counts.get((name, State.CANCELLED), 0),
        )
        for name in sorted({kind.default_queue} | {name for name, _ in counts})
    ]


def processes_of_queues() -> dict[str, int]:
    """Count the processes that may take jobs of each queue, 0 where no worker serves it."""
    served = Worker.objects.processes_by_queue()
    return {queue: served[queue] for queue in settings.PWM_QUEUES}


def failures() -> list[Failure]:
    """Count what went wrong lately by kind and error code, the most frequent first."""
    found = [
        Failure(str(kind._meta.verbose_name), code, times, last_at)
        for kind in kinds()
        for code, times, last_at in kind._default_manager.order_by()
        .filter(state=State.FAILED, finished_at__gt=timezone.now() - LATELY)
        .values_list("error_code")
        .annotate(Count("pk"), Max("finished_at"))
    ]
    return sorted(found, key=lambda failure: -failure.times)


def mails() -> dict[str, int]:
    """Count the mails: waiting for a worker, for another try, sent, and given up."""
    rows = Mail.objects.order_by()
    return {
        "waiting": rows.live().count(),
        "to_retry": rows.to_retry().count(),
        "sent": rows.succeeded().count(),
        "given_up": rows.given_up().count(),
    }


def disks() -> list[Disk]:
    places = [("State", settings.VAR_DIR)]
    if isinstance(default_storage, FileSystemStorage):
        places.append(("Files", Path(default_storage.location)))
    found = []
    for name, path in places:
        usage = shutil.disk_usage(path) if path.exists() else None
        found.append(Disk(name, str(path), usage and usage.free, usage and usage.total))
    if not isinstance(default_storage, FileSystemStorage):
        bucket = getattr(default_storage, "bucket_name", "")
        found.append(Disk("Files", f"bucket {bucket}", None, None))
    return found


@never_cache
@require_safe
@staff_only
def page(request: HttpRequest) -> HttpResponse:
    """Show the operators what waits, who works, what failed and what is left of the disk."""
    context = {
        "checks": [(name, outcome(name, check)) for name, check in (CHECKS | OWN_CHECKS).items()],
        "queues": [queue for kind in kinds() for queue in queues_of(kind)],
        "workers": Worker.objects.all(),
        "runners": Worker.objects.alive().filter(sandbox__isnull=False),
        "failures": failures(),
        "mails": [(state.replace("_", " "), count) for state, count in mails().items()],
        "disks": disks(),
        "days": LATELY.days,
    }
    return render(request, "operations.html", context)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus, if it brings the token (``Authorization: Bearer …``)."""
    token = settings.PWM_METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not token or not constant_time_compare(given, token):
        raise Http404
    return HttpResponse("\n".join(lines()) + "\n", content_type="text/plain; version=0.0.4")


def lines() -> Iterator[str]:
    """Write the facts in Prometheus' text format."""
    yield "# TYPE pwm_jobs gauge"
    queues = [queue for kind in kinds() for queue in queues_of(kind)]
    for queue in queues:
        labels = f'kind="{queue.kind}",queue="{queue.name}"'
        for state in ("waiting", "running", "succeeded", "failed", "cancelled"):
            yield f'pwm_jobs{{{labels},state="{state}"}} {getattr(queue, state)}'
    yield "# TYPE pwm_oldest_waiting_seconds gauge"
    for queue in queues:
        labels = f'kind="{queue.kind}",queue="{queue.name}"'
        yield f"pwm_oldest_waiting_seconds{{{labels}}} {queue.oldest_seconds:.1f}"
    yield "# TYPE pwm_failures_lately gauge"
    for failure in failures():
        labels = f'kind="{failure.kind}",code="{failure.code}"'
        yield f"pwm_failures_lately{{{labels}}} {failure.times}"
    yield "# TYPE pwm_mails gauge"
    for state, count in mails().items():
        yield f'pwm_mails{{state="{state}"}} {count}'
    alive = list(Worker.objects.alive())
    yield "# TYPE pwm_workers gauge"
    yield f"pwm_workers {len(alive)}"
    yield "# TYPE pwm_worker_processes gauge"
    yield f"pwm_worker_processes {sum(worker.processes for worker in alive)}"
    yield "# TYPE pwm_sandbox_ok gauge"
    for runner in Worker.objects.runners():
        yield f'pwm_sandbox_ok{{worker="{runner.name}"}} {int(not runner.missing)}'
    yield "# TYPE pwm_queue_processes gauge"
    for name, processes in processes_of_queues().items():
        yield f'pwm_queue_processes{{queue="{name}"}} {processes}'
    yield "# TYPE pwm_disk_free_bytes gauge"
    for disk in disks():
        if disk.free is not None:
            yield f'pwm_disk_free_bytes{{place="{disk.name}"}} {disk.free}'
