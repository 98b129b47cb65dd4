"""One command runs the whole site, starts again what dies, and leaves nothing behind."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pwmsite import serve
from tests.sites import children_of, tables

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0  # seconds; only ends a wait that would go on for ever


def eventually(fact: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if fact():
            return
        time.sleep(0.1)
    raise AssertionError(f"It did not happen within {PATIENCE:.0f} s: {what}.")


def descendants(pid: int) -> set[int]:
    """Find the processes that ``pid`` started, and those that they started."""
    children = children_of(pid)
    return set(children).union(*map(descendants, children))


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Site:
    """The site as ``make run`` starts it, with its state in ``var`` and its words in a file."""

    def __init__(self, var: Path, listener: socket.socket) -> None:
        self.port = listener.getsockname()[1]
        self.words = var / f"words-{self.port}"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PWM_", "PYTEST_"))}
        with self.words.open("w") as words:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pwmsite.serve", str(listener.fileno())],
                cwd=ROOT,
                env=inherited | {"PWM_VAR": str(var)},
                pass_fds=(listener.fileno(),),
                stdout=words,
                stderr=words,
            )

    def said(self, sentence: str) -> bool:
        assert self.process.poll() is None, self.words.read_text()
        return sentence in self.words.read_text()

    def answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as page:
                return page.status == 200
        except (urllib.error.URLError, TimeoutError):
            return False

    def worker(self) -> int:
        children = children_of(self.process.pid)
        (worker,) = (pid for pid in children if "people@" in command_of(pid))
        return worker


@contextmanager
def site(var: Path) -> Iterator[Site]:
    database = var / "pwm.sqlite3"
    if not database.exists():
        database.write_bytes(tables())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        running = Site(var, listener)
        try:
            yield running
        finally:
            running.process.terminate()
            running.process.wait()


def is_open(path: Path) -> bool:
    """Say whether another user of the machine may read it; a folder's files, when it is closed."""
    with suppress(FileNotFoundError):
        return path.is_file() and bool(path.stat().st_mode & 0o077)
    return False


def test_the_site_starts_survives_a_killed_worker_and_stops_whole(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "left.txt").write_text("by an older version")
    with site(tmp_path) as running:
        eventually(lambda: running.said("PWM is at http://127.0.0.1:"), "the site answers")
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
        assert (
            len(re.findall(r"Administrator: admin +Password: \S{12,}", running.words.read_text()))
            == 1
        )
        eventually(lambda: running.answers("/readyz"), "a worker has reported")
        # What programs run in has no secret and must be read by them, once they are let into it.
        ours = [p for p in tmp_path.rglob("*") if "runtime" not in p.relative_to(tmp_path).parts]
        assert [path for path in [tmp_path, *ours] if is_open(path)] == []

        os.kill(running.worker(), signal.SIGKILL)
        told = "The worker stopped (killed by signal 9, SIGKILL); starting it again in 1 s."
        eventually(lambda: running.said(told), "the death of the worker is told")
        eventually(
            lambda: "people@" in str([command_of(p) for p in descendants(running.process.pid)]),
            "the worker is started again",
        )

        everything = descendants(running.process.pid)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(PATIENCE) == 0
        # The pool of the killed worker is nobody's child: it ends by itself.
        eventually(
            lambda: not [pid for pid in everything if "python" in command_of(pid)],
            "no process is left",
        )
        assert "Traceback" not in running.words.read_text()

    with site(tmp_path) as running:
        eventually(lambda: running.said("PWM is at http://127.0.0.1:"), "the site answers again")
        assert "Password" not in running.words.read_text()


def test_a_killed_supervisor_takes_the_site_with_it(tmp_path: Path) -> None:
    with site(tmp_path) as running:
        eventually(lambda: running.said("PWM is at http://127.0.0.1:"), "the site answers")
        everything = descendants(running.process.pid)
        running.process.kill()
        running.process.wait()
        eventually(
            lambda: not [pid for pid in everything if "python" in command_of(pid)],
            "web server and worker are gone",
        )


def names(memory: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, serve.Program]:
    monkeypatch.setattr(serve, "memory", lambda: memory)
    monkeypatch.delenv("PWM_WORKERS", raising=False)
    return {program.name: program for program in serve.programs(3, serve.plan())}


def queues(program: serve.Program) -> list[str]:
    """List the queues that a worker serves; none for another program."""
    given = program.command
    return given[given.index("--queues") + 1].split(",") if "--queues" in given else []


def test_a_machine_with_little_memory_computes_one_thing_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    little, much = names(2 << 30, monkeypatch), names(8 << 30, monkeypatch)
    assert len(much) == len(little) + 1
    worker = little["The worker"]
    assert worker.waits_for is little["Filling the site"]
    assert worker.command[worker.command.index("--concurrency") + 1] == "1"
    served = [
        sorted(queue for p in plan.values() for queue in queues(p)) for plan in (little, much)
    ]
    assert served[0] == served[1]
    assert set(queues(little["The runner"])).isdisjoint(queues(worker))


def test_programs_have_a_process_of_their_own_that_gets_no_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for memory in (2 << 30, 8 << 30):
        runner = names(memory, monkeypatch)["The runner"]
        assert runner.command[runner.command.index("--queues") + 1] == "programs"
        assert runner.command[runner.command.index("--concurrency") + 1] == "1"
        assert runner.environment["PWM_RUNNER"] == "1"
    monkeypatch.setenv("PWM_DATA_KEY", "a secret")
    runner.command = ["sh", "-c", f"env > {tmp_path}/env"]
    runner.start()
    assert runner.process
    runner.process.wait()
    told = (tmp_path / "env").read_text()
    assert "PWM_RUNNER=1" in told
    assert "a secret" not in told


@pytest.mark.parametrize(
    ("cores", "gigabytes", "asked", "site", "people", "words"),
    [
        (1, 2, "", 1, 0, "1 core, 2.1 GB of memory: one process computes everything, after"),
        (8, 2, "", 1, 0, "8 cores, 2.1 GB of memory: one process"),
        (1, 8, "", 1, 2, "1 core, 8.6 GB of memory: 2 processes compute for people, 1 for the"),
        (2, 4, "", 1, 2, ": 2 processes compute for people, 1 for the site."),
        (8, 8, "", 5, 2, ": 2 processes compute for people, 5 for the site."),
        (2, 24, "", 2, 2, ": 2 processes compute for people, 2 for the site."),
        (2, 2, "3", 3, 3, ": 3 processes compute for people, 3 for the site."),
    ],
)
def test_cores_and_memory_decide_how_many_processes_compute(
    monkeypatch: pytest.MonkeyPatch,
    cores: int,
    gigabytes: int,
    asked: str,
    site: int,
    people: int,
    words: str,
) -> None:
    monkeypatch.setenv("PWM_WORKERS", asked)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(serve, "memory", lambda: gigabytes << 30)
    found = serve.plan()
    assert (found.site, found.people) == (site, people)
    assert words in str(found)


def test_a_program_that_waits_for_another_starts_when_that_has_ended(tmp_path: Path) -> None:
    first = serve.Program("First", ["cat"], runs_once=True)
    second = serve.Program("Second", ["sleep", "3600"], waits_for=first)
    read, write = os.pipe()
    first.command = ["sh", "-c", f"read line <&{read}"]
    first.passed = (read,)
    for program in (first, second):
        program.watch()
    assert second.process is None
    os.close(write)
    first.process.wait()
    for program in (first, second):
        program.watch()
    assert second.process is not None
    second.signal(signal.SIGKILL)
    second.process.wait()
    os.close(read)


def test_a_program_that_is_nice_is_so_towards_other_sessions_too() -> None:
    """Otherwise baselines get as much of the processors as what people wait for."""
    nice = serve.Program("One", ["sleep", "60"], {}, niceness=15)
    nice.start()
    assert nice.process
    try:
        assert os.getpriority(os.PRIO_PROCESS, nice.process.pid) == 15
        group = Path(f"/proc/{nice.process.pid}/autogroup")
        if group.exists():  # a matter of the kernel
            assert group.read_text().endswith("nice 15\n")
    finally:
        nice.process.kill()
        nice.process.wait()


def test_the_memory_of_this_machine_is_known() -> None:
    assert serve.memory() > 1 << 29


def test_being_asked_to_stop_raises_nothing_that_could_be_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Around a fork Python prints an exception of a signal's handler and goes on."""
    monkeypatch.setattr(serve, "asked_to_stop", threading.Event())
    serve._ask_to_stop(signal.SIGINT, None)
    serve._ask_to_stop(signal.SIGTERM, None)
    serve.supervise([serve.Program("Never started", ["false"])], "http://127.0.0.1:9/")
