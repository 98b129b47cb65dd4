"""What keeps work from getting stuck: expired leases end, overdue messages are sent again.

Every process of every worker and web server sweeps for itself; a sweep is a handful of conditional
UPDATEs, so that any number of sweepers at once do no harm, and no process is needed for it alone.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from django.db import Error, connection

from .models import kinds
from .rules import LEASE

log = logging.getLogger(__name__)

PERIOD = LEASE.total_seconds() / 6
# What apps want done a few times per lease, in any process; each returns how much it did.
ALSO: list[Callable[[], int]] = []


def sweep() -> dict[str, int]:
    """Take back the jobs of silent workers and send overdue messages again; count both."""
    counts = {"reclaimed": 0, "notified": 0}
    for kind in kinds():
        for job in kind._default_manager.expired():
            counts["reclaimed"] += job.reclaim()
        for job in kind._default_manager.overdue():
            job.notify()
            counts["notified"] += 1
    for also in ALSO:
        also()
    return counts


class Sweeper(threading.Thread):
    """Sweep for as long as the process lives, at once and then a few times per lease."""

    def __init__(self) -> None:
        super().__init__(name="sweeper", daemon=True)

    def run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                sweep()
            except Error as error:
                log.warning("No sweep, the database is unreachable: %s", error)
            except Exception:
                log.exception("A sweep failed.")
            finally:
                connection.close()
            pause.wait(PERIOD * random.uniform(0.7, 1.3))  # noqa: S311 - apart, not secret
