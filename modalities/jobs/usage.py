"""What a stretch of work costs: CPU time and the peak of memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc/self")


@dataclass
class Usage:
    """Known when the measured block has ended.

    cpu_seconds: of all threads of this process, and of the children that it waited for.
    peak_memory_mb: this process's largest resident set (MiB); None where the kernel does not tell.
    """

    cpu_seconds: float = 0.0
    peak_memory_mb: float | None = None


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure the block: ``with measured() as usage: …``, then read ``usage``.

    The peak is the kernel's own, set back when the block begins, so no short rise is missed. It
    belongs to the process: whatever was loaded before counts, the memory of children does not, and
    a block inside another sets back the outer one's peak. A kernel that is not Linux, or that
    refuses to set the peak back, gives None: an older peak may be of any size.
    """
    usage = Usage()
    begun = _cpu_seconds()
    can_tell = _reset_peak()
    try:
        yield usage
    finally:
        usage.cpu_seconds = _cpu_seconds() - begun
        usage.peak_memory_mb = _peak_memory_mb() if can_tell else None


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _reset_peak() -> bool:
    """Set VmHWM to what the process holds now (proc(5): clear_refs, value 5)."""
    try:
        (PROC / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_memory_mb() -> float | None:
    for line in (PROC / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None
