"""The words for bubblewrap, and the limits of each process: what a program sees and may use."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from .program import Limits

# Where the launcher lays out what a run takes: launch/own_mounts.py.
STAGE = Path("/tmp")  # noqa: S108
CHALLENGE, PROGRAM, OUTPUT = "/challenge/challenge.h5", "/program/algo.py", "submission.h5"
USER_INSIDE = "1000"
MOST_AT_TOP = 100
# One thread for each library: threads count as processes, and CPU time as what all of them use.
ENVIRONMENT = {
    "HOME": "/work",
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "TMPDIR": "/work",
}
OURS = {"challenge", "dev", "proc", "program", "sys", "tmp", "work"}
_NAMESPACES = ("--unshare-user", "--unshare-all", "--disable-userns")


def arguments(
    root: Path, inputs: dict[str, str], environment: dict[str, str], workdir: str = "/work"
) -> list[str]:
    """Return the words that put a program into a root file system of its own.

    inputs: name of a file below the stage's ``inputs`` -> where the program finds it. workdir: the
    folder that it starts in.
    """
    words = [*_NAMESPACES, "--cap-drop", "ALL", "--new-session", "--die-with-parent"]
    words += ["--hostname", "run", "--uid", USER_INSIDE, "--gid", USER_INSIDE, "--clearenv"]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    words += _root_folders(root)
    words += ["--proc", "/proc", "--dir", "/dev"]
    for device in ("null", "random", "urandom"):
        words += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for name, to in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        words += ["--symlink", f"/proc/self/fd{to}", f"/dev/{name}"]
    for name, place in inputs.items():
        words += ["--ro-bind", str(STAGE / "inputs" / name), place]
    words += ["--bind", str(STAGE / "work"), "/work"]
    words += ["--symlink", "/work", "/tmp", "--symlink", "/work", "/dev/shm"]  # noqa: S108
    return [*words, "--chdir", workdir, "--remount-ro", "/"]


def _root_folders(root: Path) -> list[str]:
    """Show what lies at the top of a root file system, each read-only, links as links."""
    words = []
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name)[:MOST_AT_TOP]:
        if entry.name in OURS:
            continue
        if entry.is_symlink():
            words += ["--symlink", os.readlink(entry.path), f"/{entry.name}"]
        elif entry.is_dir() or entry.is_file():
            words += ["--ro-bind", str(STAGE / "root" / entry.name), f"/{entry.name}"]
    return words


def of_each_process(limits: Limits) -> list[tuple[int, int, int]]:
    """Return what no single process may exceed, as (which, soft, hard).

    What counts for all of them together is bounded from outside; these hold where nobody looks.
    """
    # What is meant to end a run for its memory is the count of all of it, which says so.
    data = limits.memory_bytes * 5 // 4 + (256 << 20)
    # One byte, not none: a core of no bytes is still handed to a program that takes cores.
    core = 1
    same = (
        (resource.RLIMIT_DATA, data),
        (resource.RLIMIT_CORE, core),
        (resource.RLIMIT_FSIZE, limits.work_bytes),
        (resource.RLIMIT_NOFILE, 512),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        # Above what the control group allows, since only that one counts what it refuses.
        (resource.RLIMIT_NPROC, limits.processes + 8),
    )
    # A second apart, so that SIGXCPU ends the process and says why.
    cpu = (resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)
    return [cpu, *((which, value, value) for which, value in same)]
