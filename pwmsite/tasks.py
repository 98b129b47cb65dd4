"""Sending mail, and housekeeping: what the clock asks for once an hour."""

from celery import shared_task
from django.core.files.storage import storages
from django.core.management import call_command

from leaderboards import keeping
from modalities.jobs.files import delete_orphans
from modalities.jobs.worker import run_next
from modalities.storage import WholeFileStorage

from . import mail
from .models import Mail


@shared_task
def send_mail(pk: str, queue: str) -> None:
    """Send the mail that has waited longest in ``queue``."""
    run_next(Mail, queue, mail.send)


@shared_task
def keep_house() -> None:
    """Remove sessions that have ended, files that nobody finished or keeps, and old arrays."""
    call_command("clearsessions")
    remove_unfinished()
    delete_orphans()
    keeping.sweep_uploads()
    keeping.forget_failed()
    keeping.forget_runs()
    keeping.thin_arrays()


def remove_unfinished() -> int:
    """Remove what writers left behind when they died; count the files."""
    left = [
        path
        for storage in (storages["default"], storages["private"], storages["runs"])
        if isinstance(storage, WholeFileStorage)
        for path in storage.unfinished()
    ]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)
