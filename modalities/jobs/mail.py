"""Mail to the person who started a job, when it has ended without them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import send_mail

if TYPE_CHECKING:
    from .models import Job

log = logging.getLogger(__name__)

SUBJECT = {
    "succeeded": "is done",
    "refused": "was refused",
    "failed": "has failed",
    "lost": "has failed",
}


def notify_owner(job: Job, event: str) -> None:
    """Write to the person who started ``job``, if ``event`` ended it and they have an address.

    A mail that cannot be sent is logged and nothing else: the job is what matters.
    """
    person = job.started_by
    if event not in SUBJECT or person is None or not person.email:
        return
    job.refresh_from_db()
    try:
        send_mail(
            f"Your {job.in_words()} {SUBJECT[event]}",
            _text(job, event),
            None,
            [person.email],
        )
    except Exception as error:  # any answer of a mail server
        log.warning("No mail about %s: %s.", job, error)


def _text(job: Job, event: str) -> str:
    text = job.error_message or "Its results are ready."
    if event == "refused":
        text += "\n\nThis page says what is wrong. Correct it, and send it again:"
    path = job.get_absolute_url() if hasattr(job, "get_absolute_url") else "/"
    return f"{text}\n\n{settings.PWM_SITE_URL.rstrip('/')}{path}\n"
