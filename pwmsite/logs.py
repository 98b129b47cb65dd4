"""Logs: one line per event, with the job it belongs to; JSON in production, readable at home."""

import logging
from typing import Any

import structlog
from structlog.typing import Processor

ALWAYS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(as_json: bool, level: str) -> dict[str, Any]:
    """Set up structlog and return Django's ``LOGGING``; both write through the same handler.

    Requests have a line each in production; at home, where one person looks at the terminal, with
    the level DEBUG alone.
    """
    logging.captureWarnings(True)
    access = level if as_json or level == "DEBUG" else "WARNING"
    ours = {"handlers": [], "level": level, "propagate": True}
    structlog.configure(
        processors=[*ALWAYS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        last += [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": ALWAYS,
                "processors": last,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django and gunicorn add handlers of their own to these; ours at the root is enough.
            "django": ours,
            "django.server": ours,
            # Every 4xx has its line in the log of requests, without the keys that a path may hold.
            "django.request": {"level": "ERROR"},
            "gunicorn.error": ours,
            # What Celery says of a message ("succeeded", for a job that was given back too) is not
            # what became of the job, which the job's own moves tell.
            "celery.app.trace": {"level": "WARNING"},
            "pwmsite.access": {"level": access},
        },
    }
