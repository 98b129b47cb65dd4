"""Background work that survives crashes: jobs as rows, with leases, and the workers that run them.

The row owns the job; a broker's message only says that there is work. It may be lost, late or
duplicated.

    QUEUED ──claim──▶ RUNNING ──succeed / fail / stop──▶ SUCCEEDED | FAILED | CANCELLED
      ▲                  │
      └─ reclaim, release ┘     (the third lost lease: FAILED, code "lost")

A job may have several steps, each in a queue of its own: ``hand over`` leads from RUNNING back to
QUEUED, in the queue of the next one.
"""

from .models import Job, JobEvent, JobQuerySet, LeaseLost, kinds
from .rules import BACKGROUND, ENDED, LEASE, LIVE, State
from .worker import HandOver, JobFailed, JobRefused, NotHere

__all__ = [
    "BACKGROUND",
    "ENDED",
    "LEASE",
    "LIVE",
    "HandOver",
    "Job",
    "JobEvent",
    "JobFailed",
    "JobQuerySet",
    "JobRefused",
    "LeaseLost",
    "NotHere",
    "State",
    "kinds",
]
