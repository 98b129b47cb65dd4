"""Find out whether every guard of the sandbox holds on this machine.

First what it is made of, each part by itself, so that a missing one has its name; then, as a proof,
a program that must get nowhere and one that must work, since a sandbox that stops everything is
broken too.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import canary, walls
from .execute import counted_by_kernel, run_unchecked
from .program import Limits, Outcome, Reason, Script
from .runtime import runtime
from .slots import FIRST_USER
from .system_calls import filter_for

PROBE = Path(__file__).resolve().parent / "launch" / "probe.py"
LIMITS = Limits(
    wall_seconds=60,
    cpu_seconds=20,
    memory_bytes=512 << 20,
    processes=16,
    output_bytes=1 << 20,
    log_bytes=1 << 16,
    work_bytes=16 << 20,
    files=100,
)


@dataclass(frozen=True)
class Guard:
    """One guard, whether it holds here, and a sentence about it."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Preflight:
    """All guards of this machine, as far as they were tried.

    A guard that is missing is the last of its kind, since nothing can be tried without it.
    ``dataclasses.asdict`` of it can be written as JSON.
    """

    guards: tuple[Guard, ...]

    @property
    def ok(self) -> bool:
        """Whether programs are run here."""
        return bool(self.guards) and all(guard.holds for guard in self.guards)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the guards that do not hold."""
        return tuple(guard.name for guard in self.guards if not guard.holds)


# A guard may be missing for a moment only, on a machine that is short of memory or time.
AGAIN_AFTER_SECONDS = 60.0

_found: Preflight | None = None
_found_at = 0.0
_one_at_a_time = threading.Lock()


def preflight(*, fresh: bool = False) -> Preflight:
    """Try all guards; it takes a second or two, once per process, and again where one is missing.

    ``fresh``: now, whatever was found before.
    """
    global _found, _found_at
    with _one_at_a_time:
        is_old = time.monotonic() - _found_at > AGAIN_AFTER_SECONDS
        if fresh or _found is None or (is_old and not _found.ok):
            _found = Preflight(tuple(_tried()))
            _found_at = time.monotonic()
        return _found


def _tried() -> Iterator[Guard]:
    """Yield the guards in the order in which they need each other, up to one that is missing."""
    for stage in (_machine, _kernel, _bounds, _files, _canaries):
        guards = list(stage())
        yield from guards
        if not all(guard.holds for guard in guards):
            return


def _machine() -> Iterator[Guard]:
    try:
        filter_for()
        yield Guard("architecture", True, f"There is a filter for {platform.machine()}.")
    except KeyError:
        yield Guard("architecture", False, f"No filter is known for {platform.machine()}.")
    path = shutil.which("bwrap")
    if path is None:
        yield Guard("bubblewrap", False, "The program bwrap is not installed.")
        return
    done = subprocess.run([path, "--help"], capture_output=True, text=True, check=False, timeout=20)
    if "--disable-userns" in done.stdout + done.stderr:
        yield Guard("bubblewrap", True, f"{path} is there.")
    else:
        yield Guard("bubblewrap", False, f"{path} is older than 0.8 and lacks --disable-userns.")


def _kernel() -> Iterator[Guard]:
    user = str(FIRST_USER) if os.geteuid() == 0 else ""
    done = subprocess.run(
        [sys.executable, "-I", str(PROBE), user],
        capture_output=True,
        text=True,
        env={},
        check=False,
        timeout=60,
    )
    for line in done.stdout.splitlines():
        name, holds, detail = json.loads(line)
        yield Guard(name, holds, _who_runs() if name.startswith("user id") and holds else detail)
    if done.returncode != 0:
        yield Guard("kernel", False, f"The probe of the kernel ended with {done.returncode}.")
    if not user:
        yield Guard("user id", True, _who_runs())


def _who_runs() -> str:
    if os.geteuid() == 0:
        return f"Programs run as users {FIRST_USER} and up, one for each place; never as root."
    return (
        f"Programs run as this worker's own user {os.geteuid()}, seen as {walls.USER_INSIDE} from "
        "inside; started as root, the worker would give each place a user id of its own."
    )


def _bounds() -> Iterator[Guard]:
    counted = counted_by_kernel()
    if "memory" in counted:
        yield Guard("memory", True, "A control group bounds the memory of each run.")
    else:
        yield Guard(
            "memory",
            True,
            "No control group can be written here, so that a watch looks at the memory of all "
            "processes twenty times a second, and one program runs at a time.",
        )
    if "pids" in counted:
        yield Guard("processes", True, "A control group bounds the number of processes.")
    else:
        yield Guard("processes", True, "A limit of each user bounds the number of processes.")


def _files() -> Iterator[Guard]:
    try:
        made = runtime()
        detail = f"{made.size_bytes >> 20} MB in {made.root.parent.name}."
        yield Guard("runtime", True, detail)
    except Exception as error:
        yield Guard("runtime", False, f"The root file system of scripts cannot be made: {error}.")


def _canaries() -> Iterator[Guard]:
    with tempfile.TemporaryDirectory() as folder:
        yield _good(Path(folder))
        yield _attacks(Path(folder))
    bomb = run_unchecked(Script(canary.FORK_BOMB), b"", LIMITS)
    yield Guard("a fork bomb is stopped", bomb.reason == Reason.PROCESSES, _text(bomb))


def _good(folder: Path) -> Guard:
    """A program that computes and writes must succeed."""
    import h5py  # the web server never comes here

    with h5py.File(folder / "challenge.h5", "w") as challenge:
        challenge["y"] = [1.0, 2.0]
    outcome = run_unchecked(Script(canary.GOOD), (folder / "challenge.h5").read_bytes(), LIMITS)
    return Guard(
        "a good program works",
        outcome.reason == Reason.DONE and bool(outcome.output),
        _text(outcome),
    )


def _attacks(folder: Path) -> Guard:
    """A program that tries to get out must get nowhere, and live to tell."""
    folder.chmod(0o755)
    (folder / "canary").write_text("of the machine")
    name = "nothing gets out"
    with socket.create_server(("127.0.0.1", 0)) as server:
        environment = [*walls.ENVIRONMENT, "PWD"]
        port = server.getsockname()[1]
        program = canary.attacks(str(folder / "canary"), port, os.getpid(), environment)
        outcome = run_unchecked(Script(program), b"", LIMITS)
    if outcome.reason != Reason.DONE:
        return Guard(name, False, _text(outcome))
    try:
        escaped = json.loads(outcome.output)
    except ValueError:
        escaped = ["answers in no proper form"]
    words = ", ".join(str(attack).replace("_", " ") for attack in escaped)
    return Guard(name, not escaped, f"A program {words}." if escaped else "Every attack failed.")


def _text(outcome: Outcome) -> str:
    log = outcome.log[-300:].decode("utf-8", "replace").strip()
    return f"{outcome.detail} {log}".strip()
