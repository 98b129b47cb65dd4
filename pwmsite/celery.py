"""The Celery application; its settings are Django's, with the prefix ``CELERY_``."""

import gc
import json
import multiprocessing
import os
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from celery import Celery, Task, signals
from celery.platforms import SecurityWarning
from celery.worker import WorkController

log = structlog.get_logger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pwmsite.settings")

# Celery warns root of pickled messages; ours are JSON and hold the id of a row.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("pwm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add("pwmsite.presence:Presence")


def say(message: str, file: object = None) -> None:
    """Write what Celery says in its handlers of signals as a line like all others.

    Not by way of logging: the signal may have come in the middle of another line.
    """
    line = {"event": message, "level": "info", "logger": "celery", "timestamp": f"{_now()}Z"}
    os.write(2, f"{json.dumps(line)}\n".encode())


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


@signals.setup_logging.connect
def keep_our_logging(**kwargs: object) -> None:
    """Leave logging as the settings made it; that there is a receiver stops Celery's own."""
    from celery.apps import worker
    from django.conf import settings

    if settings.PRODUCTION:
        worker.safe_say = say


@signals.worker_init.connect
def prepare_to_stop(**kwargs: object) -> None:
    """Before the pool is forked, make what tells its processes that the worker stops."""
    from modalities.jobs import worker

    worker.stopping = multiprocessing.get_context("fork").Event()


@signals.worker_before_create_process.connect
def share_what_is_loaded(**kwargs: object) -> None:
    """Before a process is forked: the collector would write to all that both could share."""
    gc.freeze()


@signals.celeryd_after_setup.connect
def refuse_to_start_in_vain(instance: WorkController, **kwargs: object) -> None:
    """End a worker that lacks what its queues need, before it takes a job."""
    from leaderboards.can_score import why_not

    if problem := why_not(instance.app.amqp.queues.consume_from):
        log.critical("The worker does not start.", reason=problem)
        raise SystemExit(1)


@signals.worker_shutting_down.connect
def give_jobs_back(**kwargs: object) -> None:
    """Let running jobs go back to their queue at once; a long one would hold up the shutdown."""
    from modalities.jobs import worker

    if worker.stopping is not None:
        worker.stopping.set()


@signals.worker_process_init.connect
def start_sweeper(**kwargs: object) -> None:
    """Sweep in every process of the pool: none of them is needed, any of them is enough."""
    from modalities.jobs.sweeper import Sweeper

    Sweeper().start()


@signals.before_task_publish.connect
def carry_request_id(headers: dict[str, object], **kwargs: object) -> None:
    """Send the id of the request that a message comes from along with it."""
    if request_id := structlog.contextvars.get_contextvars().get("request_id"):
        headers["request_id"] = request_id


@signals.task_prerun.connect
def name_message_in_logs(task: Task, args: Sequence[object], **kwargs: object) -> None:
    """Put the task and the job of its message on every line; the job that runs adds its own id."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, message=task.request.id)
    if request_id := task.request.get("request_id"):
        structlog.contextvars.bind_contextvars(request_id=request_id)
    if args:
        structlog.contextvars.bind_contextvars(notified_for=str(args[0]))
