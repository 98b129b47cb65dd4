"""Let the kernel count and bound what all processes of a run use together, where it lets us.

Standard library only. cgroup v2 is used in a folder that the operator delegated and named, v1 below
the groups that this process is in; where neither can be written, the launcher's watch takes over.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path


class Groups:
    """The control groups of one run, made on entry and removed on ``close``."""

    def __init__(self, name: str, delegated: str, memory_bytes: int, processes: int) -> None:
        self._folders: dict[str, Path] = {}
        if delegated:
            self._make_v2(Path(delegated) / name, memory_bytes, processes)
        else:
            self._make_v1(name, memory_bytes, processes)

    @property
    def controllers(self) -> tuple[str, ...]:
        return tuple(self._folders)

    @property
    def bounds_memory(self) -> bool:
        return "memory" in self._folders

    @property
    def bounds_processes(self) -> bool:
        return "pids" in self._folders

    @property
    def measures_cpu(self) -> bool:
        return "cpuacct" in self._folders

    def doors(self) -> list[int]:
        """Open the files into which a process writes 0 to join."""
        files = sorted({folder / "cgroup.procs" for folder in self._folders.values()})
        return [os.open(file, os.O_WRONLY | os.O_CLOEXEC) for file in files]

    def out_of_memory(self) -> bool:
        """Whether the kernel ended a process of the run because its memory was used up."""
        return self._counted("memory", ("memory.events", "memory.oom_control"), "oom_kill") > 0

    def refused_processes(self) -> bool:
        """Whether the kernel refused the run a process or a thread."""
        return self._counted("pids", ("pids.events",), "max") > 0

    def peak_memory(self) -> int:
        return self._number("memory", ("memory.peak", "memory.max_usage_in_bytes"))

    def cpu_seconds(self) -> float:
        if "cpuacct" in self._folders and (self._folders["cpuacct"] / "cpu.stat").exists():
            return self._counted("cpuacct", ("cpu.stat",), "usage_usec") / 1e6
        return self._number("cpuacct", ("cpuacct.usage",)) / 1e9

    def close(self) -> None:
        """Remove the groups; what is left in them is killed first."""
        for folder in set(self._folders.values()):
            for _ in range(100):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    _kill_all(folder)
                    time.sleep(0.02)
        self._folders = {}

    def _make_v2(self, folder: Path, memory_bytes: int, processes: int) -> None:
        with suppress(OSError):
            (folder.parent / "cgroup.subtree_control").write_text("+memory +pids +cpu")
        _new(folder)
        (folder / "memory.max").write_text(str(memory_bytes))
        (folder / "memory.oom.group").write_text("1")
        with suppress(OSError):
            (folder / "memory.swap.max").write_text("0")
        (folder / "pids.max").write_text(str(processes))
        self._folders = {"memory": folder, "pids": folder, "cpuacct": folder}

    def _make_v1(self, name: str, memory_bytes: int, processes: int) -> None:
        limits = {
            "memory": {
                "memory.limit_in_bytes": memory_bytes,
                "memory.memsw.limit_in_bytes": memory_bytes,
            },
            "pids": {"pids.max": processes},
            "cpuacct": {},
        }
        for controller, mine in _own_v1_groups().items():
            if controller not in limits:
                continue
            folder = mine / name
            try:
                _new(folder)
                for file, limit in limits[controller].items():
                    # Without swap accounting there is no such file.
                    if file != "memory.memsw.limit_in_bytes" or (folder / file).exists():
                        (folder / file).write_text(str(limit))
            except OSError:
                with suppress(OSError):
                    folder.rmdir()
                continue
            self._folders[controller] = folder

    def _counted(self, controller: str, files: tuple[str, ...], word: str) -> int:
        if controller not in self._folders:
            return 0
        for file in files:
            with suppress(OSError):
                for line in (self._folders[controller] / file).read_text().splitlines():
                    key, _, value = line.partition(" ")
                    if key == word:
                        return int(value)
        return 0

    def _number(self, controller: str, files: tuple[str, ...]) -> int:
        if controller not in self._folders:
            return 0
        for file in files:
            with suppress(OSError, ValueError):
                return int((self._folders[controller] / file).read_text())
        return 0


def _new(folder: Path) -> None:
    """Make a group, or empty the one that a killed launcher left."""
    with suppress(FileExistsError):
        folder.mkdir()
        return
    for _ in range(100):
        try:
            folder.rmdir()
            break
        except OSError:
            _kill_all(folder)
            time.sleep(0.02)
    folder.mkdir()


def _kill_all(folder: Path) -> None:
    with suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(OSError):
                os.kill(int(pid), 9)


def _own_v1_groups() -> dict[str, Path]:
    """Return controller -> folder of the group that this process is in, for mounted v1 trees."""
    paths = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update({controller: path for controller in controllers.split(",") if controller})
    groups = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, after = line.partition(" - ")
        root, at = fields.split()[3:5]
        kind, _, options = after.split()[:3]
        for controller in options.split(",") if kind == "cgroup" else ():
            if controller in paths:
                # In a container the tree is mounted from the container's own group on.
                inside = os.path.relpath(paths[controller], root)
                groups[controller] = Path(at) if inside.startswith("..") else Path(at) / inside
    return groups


def usable(name: str, delegated: str) -> tuple[str, ...]:
    """Try to make the groups of a run and remove them; return the controllers that worked."""
    try:
        groups = Groups(name, delegated, 1 << 30, 64)
    except OSError:
        return ()
    try:
        return groups.controllers
    finally:
        groups.close()
