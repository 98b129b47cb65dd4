"""A slot of the tests' own, and what must not be left in it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leaderboards.sandbox import execute, slots
from leaderboards.sandbox.launch import process_tree
from leaderboards.sandbox.program import Limits, Outcome, Script
from tests.needs import needs

SMALL = Limits(
    wall_seconds=60,
    cpu_seconds=30,
    memory_bytes=200 << 20,
    processes=16,
    output_bytes=1 << 20,
    log_bytes=1 << 20,
    work_bytes=32 << 20,
    files=200,
)


@pytest.fixture(autouse=True)
def _bubblewrap():
    needs("bwrap", "bubblewrap")


@pytest.fixture
def slot(worker_id, monkeypatch) -> slots.Slot:
    """Give every run of this process of the tests one slot that no other process takes."""
    number = 50 + int(worker_id.removeprefix("gw")) if worker_id != "master" else 49
    user = slots.FIRST_USER + number if os.geteuid() == 0 else None

    @contextmanager
    def mine(most: int, wait: Callable[[], None]) -> Iterator[slots.Slot]:
        lock = os.open(slots._folder() / f"slot-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield slots.Slot(number, lock, user)
        finally:
            os.close(lock)

    monkeypatch.setattr(execute, "free_slot", mine)
    return slots.Slot(number, -1, user)


@pytest.fixture
def run(slot) -> Iterator[Callable[..., Outcome]]:
    """Run a script under all guards; afterwards nothing of it may be left."""
    mounts = Path("/proc/self/mountinfo").read_text()

    def run(source: str | bytes, challenge: bytes = b"", beat=execute.silent, **limits) -> Outcome:
        limits = {**SMALL.__dict__, **limits}
        source = source.encode() if isinstance(source, str) else source
        outcome = execute.run_unchecked(Script(source), challenge, Limits(**limits), beat=beat)
        assert left_of(slot) == []
        return outcome

    yield run
    assert Path("/proc/self/mountinfo").read_text() == mounts


@pytest.fixture
def without(monkeypatch):
    """Change what the launcher is told by a function."""

    def without(change):
        told = execute.configuration

        def changed(*given):
            config = told(*given)
            change(config)
            return config

        monkeypatch.setattr(execute, "configuration", changed)

    return without


def left_of(slot: slots.Slot) -> list[str]:
    """Return what a run left: processes, control groups, folders of its stage."""
    left = [f"process {pid}" for pid in process_tree.processes_of(slot.user)] if slot.user else []
    groups = Path("/sys/fs/cgroup").glob(f"**/pwm-run-{slot.number}")
    left += [str(group) for group in groups]
    return left + [str(path) for path in Path("/tmp").glob("inputs/challenge.h5")]
