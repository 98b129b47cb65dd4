"""Kills that strike while somebody's program runs: nothing survives, and the credits are right."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.needs import FULL
from tests.sites import PLAIN, Site, children_of, site, wait

PREPARE = """
import hashlib, json, os
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from leaderboards import programs, sandbox
from leaderboards.models import *
from modalities.jobs import invariants
from modalities.management.commands.build_datasets import build
from modalities.models import Modality

stem = Modality.objects.get(key="stem")
build(stem, "hidden")
person = User.objects.create_user("ann")
method = Method.objects.get(physics_name="wiener")

def send(source):
    global job
    upload = SimpleUploadedFile("algo.py", source.encode())
    upload.sha256 = hashlib.sha256(source.encode()).hexdigest()
    job, is_new = programs.submit_program(
        person, upload, modality=stem, method=method, tier="hidden", form="script")
    return str(job.pk)

def read():
    job.refresh_from_db()
    return job.state, job.token, job.error_code, job.worker

def balance():
    return CreditAccount.objects.of(person).balance
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    given = {"PWM_LEASE_SECONDS": "5", "PWM_RUNTIME": os.environ["PWM_RUNTIME"]}
    with site(folder, DJANGO_SETTINGS_MODULE=PLAIN, **given) as made:
        made.migrate()
        made.manage("sync_catalogue")
        made.do(PREPARE)
        missing = made.do("sandbox.preflight().missing")
        if missing:
            pytest.skip(f"No sandbox here: {', '.join(missing)}.")
        made.environment |= {"PWM_RUNNER": "1"}  # of the workers from now on
        yield made


def tree(pid: int) -> list[int]:
    """List all processes below ``pid``."""
    found = children_of(pid)
    return found + [below for child in found for below in tree(child)]


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    return False


def program_of(process: int) -> list[int]:
    """Give the processes below that of a job once the program itself is among them."""
    below = tree(process)
    for pid in below:
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"python3") and any(w.endswith(b"submission.h5") for w in words):
                return below
    return []


def strike(live: Site, kill: Callable[[int, list[int]], None]) -> bool:
    """Wait until the program runs, and kill; say whether its job was held then."""

    def running() -> tuple[int, list[int], int] | None:
        state, token, _, name = live.do("read()")
        if state in ("failed", "succeeded", "cancelled"):
            return 0, [], token
        process = int(name.rsplit(":", 1)[1]) if state == "running" else 0
        found = program_of(process) if process else []
        return (process, found, token) if found else None

    process, found, token = wait(running, pause=0.05)
    if not process:
        return False  # it was over before it could be hit
    os.kill(process, signal.SIGSTOP)  # it keeps what it holds
    held = live.do("read()")[:2] == ["running", token]
    kill(process, found)
    wait(lambda: not any(is_alive(pid) for pid in [process, *found]))
    return held


def kill_process(process: int, found: list[int]) -> None:
    os.kill(process, signal.SIGKILL)


def ended(live: Site) -> bool:
    return bool(live.do("read()")[0] in ("failed", "succeeded", "cancelled"))


if FULL:  # two minutes of leases that end

    def test_program_whose_worker_is_killed_each_time_costs_nothing(live: Site):
        worker = live.worker(1, "--queues", "programs")
        live.do("send(given[0])", "import time\ntime.sleep(3600)")
        assert live.do("balance()") == 90
        hits = 0
        for number in range(3):
            if number == 1:  # the whole worker, as a power cut would
                hits += strike(live, lambda process, found, w=worker: w.kill())
                worker = live.worker(1, "--queues", "programs")
            else:
                hits += strike(live, kill_process)
            wait(lambda number=number: live.do("read()")[1] > number + 1 or ended(live))
        sys.stdout.write(f"{hits} kills struck while the program ran\n")
        assert hits == 3
        assert live.do("read()")[:3] == ["failed", 3, "lost"]
        assert live.do("balance()") == 100
        assert live.do("invariants.problems()") == []
        live.kill_workers()


def told_by(pid: int) -> Iterator[str]:
    """Give what a process holds open and what its environment says."""
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            yield os.readlink(path)
    with suppress(OSError):
        yield Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")


def test_program_whose_worker_is_killed_runs_again_and_is_paid_for_once(live: Site):
    """On the way it is seen that neither the runner nor the program knows a key or the truth."""
    worker = live.worker(1, "--queues", "programs")
    before, hit, number = live.do("balance()"), False, 0
    of_runner: list[str] = []
    of_program: list[str] = []

    def look_and_kill(process: int, found: list[int]) -> None:
        for pid in (worker.pid, process):
            of_runner.extend(told_by(pid))
        for pid in found:
            of_program.extend(told_by(pid))
        os.kill(process, signal.SIGKILL)

    while not hit:
        number += 1
        live.do("send(given[0])", f"import time\ntime.sleep(4)\nprint({number})")
        hit = strike(live, look_and_kill)
        wait(lambda: ended(live))
    assert live.do("read()")[:3] == ["failed", 2, "no_output"]
    assert [*live.do("[e.event for e in job.events.all()]")] == [
        *("queued", "claimed", "reclaimed", "claimed", "refused")
    ]
    assert live.do("balance()") == before - 10 * number
    assert live.do("invariants.problems()") == []
    live.kill_workers()
    secret = (live.folder / "data_key").read_text().strip()
    for told in ("\n".join(of_runner), "\n".join(of_program)):
        assert not {w for w in (str(live.folder / "truth"), secret, "PWM_DATA_KEY=") if w in told}
    assert "pwm.sqlite3" in "\n".join(of_runner), "it would be seen, as this one is"
    assert str(live.folder) not in "\n".join(of_program)


@pytest.mark.parametrize("part", ["launcher.py", "bwrap"])
def test_program_whose_sandbox_is_killed_runs_again_and_is_paid_for_once(live: Site, part: str):
    live.worker(1, "--queues", "programs")
    before = live.do("balance()")
    live.do("send(given[0])", f"import time\ntime.sleep(8)\nprint({part!r})")

    def running() -> list[int]:
        state, _, _, name = live.do("read()")
        return program_of(int(name.rsplit(":", 1)[1])) if state == "running" else []

    found = wait(running, pause=0.05)
    hit = next(pid for pid in found if part.encode() in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(hit, signal.SIGKILL)
    wait(lambda: not any(is_alive(pid) for pid in found))
    again = wait(running, pause=0.05)
    assert not set(again) & set(found), "it was started once more"
    wait(lambda: ended(live))
    assert live.do("read()")[:3] == ["failed", 1, "no_output"]
    assert live.do("balance()") == before - 10
    assert live.do("invariants.problems()") == []
    live.kill_workers()
