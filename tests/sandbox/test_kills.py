"""Who or whatever dies while a program runs, the program dies too, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from leaderboards.sandbox.launch.process_tree import _processes
from leaderboards.sandbox.runtime import runtime
from tests.sandbox.conftest import left_of
from tests.sites import ROOT

SLEEPS = """
import os, time
for _ in range(3): os.fork()
time.sleep(600)"""


def words_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def until(condition, seconds: float = 120):
    """Return what the condition gives as soon as it gives something."""
    ends_at = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends_at, "It did not come to pass."
        time.sleep(0.05)
    return found


def chain(worker: int) -> dict[str, int]:
    """Wait until the program runs below this worker; return launcher, bubblewrap, first process."""

    def found() -> dict[str, int]:
        below: dict[int, list[int]] = {}
        for pid, (parent, _, _) in _processes():
            below.setdefault(parent, []).append(pid)
        for launcher in below.get(worker, []):
            for outer in below.get(launcher, []):
                for first in below.get(outer, []):
                    for program in below.get(first, []):
                        if program in below and words_of(program).startswith("/python/bin"):
                            return {"launcher": launcher, "bubblewrap": outer, "first": first}
        return {}

    return until(found)


@pytest.mark.parametrize(
    ("victim", "reason"),
    [("launcher", "server"), ("bubblewrap", "server"), ("first", "signal")],
)
def test_a_kill_in_a_run_leaves_nothing(victim, reason, run):
    struck = []

    def strike():
        struck.append(chain(os.getpid())[victim])
        os.kill(struck[0], signal.SIGKILL)

    thread = threading.Thread(target=strike)
    thread.start()
    outcome = run(SLEEPS)  # and looks that nothing is left
    thread.join()
    assert len(struck) == 1
    assert (outcome.reason, outcome.output) == (reason, b"")
    assert run("import sys; open(sys.argv[2], 'w').write('x')").reason == "done"


def test_what_a_beat_raises_ends_the_run_and_comes_through(run, slot):
    class Cancelled(Exception):
        pass

    beats = []

    def beat(phase, part):
        beats.append((phase, part))
        if chain(os.getpid()):
            raise Cancelled

    with pytest.raises(Cancelled):
        run(SLEEPS, beat=beat)
    assert left_of(slot) == []
    assert beats[0][0] == "running"


def test_beats_come_at_least_once_a_second_while_a_program_runs(run):
    times = []
    run(
        "import time; time.sleep(600)",
        beat=lambda *_: times.append(time.monotonic()),
        wall_seconds=3,
    )
    # Two a second are meant; a busy machine may be late.
    assert len(times) >= 4


WORKER = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
from django.conf import settings
settings.configure(PWM_RUNTIME={runtime!r}, PWM_RUN_CGROUP="")
from contextlib import contextmanager
from leaderboards.sandbox import execute, slots
from leaderboards.sandbox.program import Script

@contextmanager
def mine(most, wait):
    yield slots.Slot({number}, os.open({lock!r}, os.O_RDWR | os.O_CREAT), {user})

execute.free_slot = mine
execute.run_unchecked(Script({program!r}), b"", execute.Limits())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_program_does_not_outlive_the_worker(how, slot, tmp_path, settings):
    runtime()  # is there before the worker starts
    program = WORKER.format(
        runtime=str(settings.PWM_RUNTIME),
        number=slot.number,
        lock=str(tmp_path / "lock"),
        user=slot.user,
        program=SLEEPS.encode(),
    )
    worker = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.DEVNULL)
    found = chain(worker.pid)
    worker.send_signal(how)
    worker.wait()
    until(lambda: not any(map(words_of, found.values())))
    until(lambda: left_of(slot) == [])


@pytest.mark.skipif("os.geteuid() != 0", reason="Only root gives each slot a user of its own.")
def test_a_process_that_another_run_left_is_ended_before_the_next(run, slot):
    stale = subprocess.Popen(["sleep", "600"], user=slot.user, group=slot.user, extra_groups=[])
    assert run("import sys; open(sys.argv[2], 'w').write('x')").reason == "done"
    assert stale.wait() == -signal.SIGKILL
