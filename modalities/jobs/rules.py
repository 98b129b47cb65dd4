"""What a job's row may say: its states, and the rules by which the database refuses the rest."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import ExpressionWrapper, Q
from django.db.models.functions import Now

LEASE = timedelta(seconds=getattr(settings, "PWM_LEASE_SECONDS", 30))
MAX_TRIES = 3
# Messages are sent again only for the first jobs of a queue, once a lease: behind long jobs,
# messages wait as jobs do, and a new one for each waiting job would be a flood.
HEAD_OF_QUEUE = 20
# What the site computes by itself waits in this queue, which has workers of its own: people's work
# never waits behind it.
BACKGROUND = "hidden"
# In every queue what people asked for comes first.
OF_THE_SITE = Q(started_by__isnull=True)
QUEUE_ORDER = (ExpressionWrapper(OF_THE_SITE, models.BooleanField()), "queued_at", "pk")


class State(models.TextChoices):
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


LIVE = (State.QUEUED, State.RUNNING)
ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)

# Taken from its worker by time; or the database's clock went back, and the lease ends too late.
EXPIRED = Q(lease_expires_at__lt=Now()) | Q(lease_expires_at__gt=Now() + 2 * LEASE)
OVERDUE = (
    Q(message_sent_at__isnull=True)
    | Q(notifications__lte=1, message_sent_at__lt=Now() - LEASE / 2)
    | Q(message_sent_at__lt=Now() - LEASE)
    | Q(message_sent_at__gt=Now() + LEASE)
)


def _rule(name: str, condition: Q, message: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        name=f"%(app_label)s_%(class)s_{name}", condition=condition, violation_error_message=message
    )


_HELD = ~Q(worker="") & Q(
    lease_expires_at__isnull=False, heartbeat_at__isnull=False, started_at__isnull=False
)

# Django puts the names of the concrete model into the constraints' names.
CONSTRAINTS = (
    _rule("queue_named", ~Q(queue=""), "A job waits in a queue that has a name."),
    _rule("state_known", Q(state__in=State.values), "There is no such state."),
    _rule(
        "running_held",
        (Q(state=State.RUNNING) & _HELD)
        | Q(state=State.QUEUED, lease_expires_at__isnull=True, worker="")
        | Q(state__in=ENDED, lease_expires_at__isnull=True),
        "A job has a lease while it runs, and only then.",
    ),
    _rule(
        "ended_at",
        Q(state__in=ENDED, finished_at__isnull=False) | Q(state__in=LIVE, finished_at__isnull=True),
        "A job has an end when it has ended, and only then.",
    ),
    _rule(
        "failure_explained",
        (Q(state=State.FAILED) & ~Q(error_code="") & ~Q(error_message=""))
        | (~Q(state=State.FAILED) & Q(error_code="", error_message="")),
        "A failed job says why; no other does.",
    ),
    _rule(
        "cancel_asked",
        ~Q(state=State.CANCELLED) | Q(cancel_requested_at__isnull=False),
        "A job is cancelled only on request.",
    ),
    _rule(
        "waiting_not_cancelled",
        ~Q(state=State.QUEUED) | Q(cancel_requested_at__isnull=True),
        "A waiting job is cancelled at once.",
    ),
    _rule(
        "percent_fits",
        Q(percent__lte=100) & (~Q(state=State.SUCCEEDED) | Q(percent=100)),
        "Percent runs from 0 to 100, and ends there.",
    ),
    _rule(
        "tries_fit",
        Q(tries__lte=MAX_TRIES, token__gte=models.F("tries"))
        & (~Q(state=State.RUNNING) | Q(tries__gte=1)),
        f"A job is tried at most {MAX_TRIES} times.",
    ),
)
