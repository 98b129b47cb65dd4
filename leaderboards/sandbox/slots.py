"""Places for runs: each has a user id of its own, and at most one run at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

# systemd's list of ids (UIDS-GIDS) leaves 1879048192 to 2147483647 to nobody.
FIRST_USER = 1_900_000_000


@dataclass(frozen=True)
class Slot:
    """A place that is ours until the descriptor of its lock is closed, here and in the launcher.

    user: the user id that only runs in this place have; None where we are not root.
    """

    number: int
    lock: int
    user: int | None


@contextmanager
def free_slot(most: int, wait: Callable[[], None]) -> Iterator[Slot]:
    """Hold the first free of ``most`` slots; call ``wait`` twice a second while all are taken."""
    folder = _folder()
    while (slot := _take(folder, most)) is None:
        wait()
        time.sleep(0.5)
    try:
        yield slot
    finally:
        os.close(slot.lock)


def _take(folder: Path, most: int) -> Slot | None:
    for number in range(most):
        lock = os.open(folder / f"slot-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return Slot(number, lock, FIRST_USER + number if os.geteuid() == 0 else None)
    return None


def _folder() -> Path:
    # User ids are the machine's, so that two sites of root share the list.
    folder = Path("/run/pwm-programs") if os.geteuid() == 0 else Path(settings.VAR_DIR) / "slots"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
