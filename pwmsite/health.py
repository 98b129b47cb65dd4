"""Is the site alive (``/healthz``), and can it do its work (``/readyz``)?

``/healthz`` touches nothing: a process that answers is alive, and a restart would repair nothing
else. ``/readyz`` checks each thing that the site depends on and names what is missing, without its
address or the error's text, because anybody may read it.
"""

from collections.abc import Callable

import structlog
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from leaderboards import programs
from pwmsite.models import SILENCE, Worker
from pwmsite.static_files import can_draw_pages

log = structlog.get_logger(__name__)
REMEMBERED = 5  # seconds that an answer is cached, so that asking costs next to nothing
BROKER_WAIT = 2.0


class NotReady(Exception):
    """A check failed; the message is for everybody to read."""


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotReady("The database is older than the program: run manage.py migrate.")


def check_broker() -> None:
    with current_app.connection_for_write(connect_timeout=BROKER_WAIT) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_WAIT)
        broker.default_channel  # noqa: B018 - opening it is the check


def check_cache() -> None:
    """Ask a shared cache for an answer: everywhere else an error of it counts as a miss."""
    if ping := getattr(cache, "ping", None):
        ping()


def check_storage() -> None:
    """Write a file and delete it, so that a full or read-only disk is found."""
    default_storage.delete(default_storage.save("readyz", ContentFile(b"ok")))


def check_static() -> None:
    if not can_draw_pages():
        raise NotReady(
            "This machine has no static files of this release, so that no page can be drawn: see "
            "that PWM_STATIC can be written, and start the web server again."
        )


def check_worker() -> None:
    if not Worker.objects.alive().exists():
        raise NotReady(
            f"No worker has reported for {SILENCE.seconds} s: nothing is computed until one starts."
        )


def check_queues() -> None:
    """A worker that died or was never started leaves its queues behind, while others go on."""
    served = Worker.objects.processes_by_queue()
    if unserved := [name for name in settings.PWM_QUEUES if name not in served]:
        raise NotReady(
            f"No worker serves {' and '.join(unserved)}: what waits there stays until one starts."
        )


def check_sandbox() -> None:
    """Only runners can tell; where none lives, its queue is unserved, which is said above."""
    if blocked := programs.why_blocked():
        raise NotReady(f"{blocked} /operations/ says what is wrong with it.")


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "migrations": check_migrations,
    "broker": check_broker,
    "cache": check_cache,
    "storage": check_storage,
    "worker": check_worker,
    "queues": check_queues,
    "sandbox": check_sandbox,
}
# A home whose machine has no sandbox is ready for all else; in production a runner is there to run.
OPTIONAL_AT_HOME = ("sandbox",)
# Every machine answers for itself: what another one has found out says nothing here.
OWN_CHECKS: dict[str, Callable[[], None]] = {"static": check_static}


def outcome(name: str, check: Callable[[], None]) -> str:
    """Run one check; return ``ok`` or the sentence that says what is wrong."""
    try:
        check()
    except NotReady as reason:
        return str(reason)
    except Exception as error:  # any error of a driver means that the site is not ready
        log.warning("A part of the site cannot be used.", part=name, error=str(error))
        return f"The {name} cannot be used; the log says why."
    return "ok"


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    answers = cache.get("readyz")
    if answers is None:
        answers = {name: outcome(name, check) for name, check in CHECKS.items()}
        cache.set("readyz", answers, REMEMBERED)
    answers |= {name: outcome(name, check) for name, check in OWN_CHECKS.items()}
    optional = () if settings.PRODUCTION else OPTIONAL_AT_HOME
    ready = all(answer == "ok" for name, answer in answers.items() if name not in optional)
    return JsonResponse({"ready": ready, "checks": answers}, status=200 if ready else 503)
