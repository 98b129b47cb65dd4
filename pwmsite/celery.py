"""The Celery application; its settings are Django's, with the prefix ``CELERY_``."""

import os
from collections.abc import Sequence

import structlog
from celery import Celery, Task, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pwmsite.settings")

app = Celery("pwm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add("pwmsite.heartbeat:Heartbeat")


@signals.setup_logging.connect
def keep_our_logging(**kwargs: object) -> None:
    """Leave logging as the settings made it; that there is a receiver stops Celery's own."""


@signals.task_prerun.connect
def name_job_in_logs(task: Task, args: Sequence[object], **kwargs: object) -> None:
    """Put the task and its job (the first argument, by convention) on every line that it logs."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name)
    if args:
        structlog.contextvars.bind_contextvars(job=str(args[0]))
