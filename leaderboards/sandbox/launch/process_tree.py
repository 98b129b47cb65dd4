"""Look at all processes that descend from one: how many, what memory, what CPU time.

Standard library only. A process whose parent ended belongs to the sandbox's first process, which
descends from bubblewrap too, so nothing leaves the tree.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Tree:
    """A snapshot: process ids, number of threads of all, CPU seconds with those that ended."""

    pids: tuple[int, ...]
    threads: int
    cpu_seconds: float

    def memory_bytes(self, enough: int) -> int:
        """Return the memory that its processes hold; look closely only if it seems to be enough.

        Pages that parent and child still share count for each in the quick sum, and in parts in the
        close one.
        """
        quick = sum(_own_memory(pid) for pid in self.pids)
        if quick <= enough:
            return quick
        return sum(_share_of_memory(pid) for pid in self.pids)


def tree_below(top: int) -> Tree:
    """Take a snapshot of the processes below ``top``, itself included."""
    processes = dict(_processes())
    members, found = {top}, True
    while found:
        found = False
        for pid, (parent, _, _) in processes.items():
            if parent in members and pid not in members:
                members.add(pid)
                found = True
    mine = [processes[pid] for pid in members if pid in processes]
    return Tree(
        tuple(members), sum(threads for _, threads, _ in mine), sum(cpu for _, _, cpu in mine)
    )


def processes_of(user: int) -> list[int]:
    """Return the processes of a user, those that ended and were not waited for left out."""
    found = []
    for pid in _pids():
        with suppress(OSError, ValueError):
            status = _fields(pid)
            if status["Uid"].split()[1] == str(user) and not status["State"].startswith(" Z"):
                found.append(pid)
    return found


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _processes() -> Iterator[tuple[int, tuple[int, int, float]]]:
    """Yield each process of this machine: its id, then its parent, threads and CPU seconds."""
    for pid in _pids():
        with suppress(OSError):
            # The name, in parentheses, may hold anything.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            cpu = sum(map(int, fields[11:15])) / _TICKS
            yield pid, (int(fields[1]), int(fields[17]), cpu)


def _fields(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: " " + value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _own_memory(pid: int) -> int:
    with suppress(OSError, ValueError):
        fields = _fields(pid)
        sizes = (fields.get(key, "0").split()[0] for key in ("RssAnon", "VmSwap", "VmPTE"))
        return sum(map(int, sizes)) << 10
    return 0


def _share_of_memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # a process that hides its memory counts in full
        return _own_memory(pid)
    sizes = {line.split(":")[0]: line.split()[1] for line in lines[1:]}
    return sum(int(sizes.get(key, "0")) for key in ("Pss_Anon", "SwapPss")) << 10
