"""A whole site for a test: its own folder, database, broker and workers, as separate processes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.servers import HOST, free_port, wait_for

ROOT = Path(__file__).resolve().parent.parent

# A folder that all processes of a run of tests share; tests/conftest.py sets it.
SHARED = Path()
PLAIN = "pwmsite.settings"

# Reads one expression or block per line, as JSON; answers with its value, as JSON.
CONSOLE = """
import io, json, sys, django
django.setup()
from django.core.management import call_command
from django.db import connection
def manage(*arguments):
    call_command(*arguments, stdout=(printed := io.StringIO()))
    return printed.getvalue()
names = {"manage": manage}
for line in sys.stdin:
    code, names["given"] = json.loads(line)
    try:
        try:
            answer = [True, eval(code, names)]
        except SyntaxError:
            answer = [True, exec(code, names)]
    except Exception as error:
        answer = [False, f"{type(error).__name__}: {error}"]
    finally:
        connection.close()
    print(json.dumps(answer, default=str), flush=True)
"""


class Site:
    """Processes that share one folder; ``environment`` says which servers they use."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("PWM_", "PYTEST"))}
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        home = {"PWM_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "tests.naps.settings"}
        self.environment = mine | threads | home | environment
        self.log = folder / "log.txt"
        self.workers: list[Worker] = []
        self.prefix: list[str] = []  # what the commands of worker and console are arguments of
        self._console: subprocess.Popen[str] | None = None

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py; return what it printed."""
        return str(self.do("manage(*given)", *arguments))

    def do(self, code: str, *given: Any) -> Any:
        """Evaluate ``code`` in a Django process of this site; ``given`` are its arguments."""
        if self._console is None:
            self._console = subprocess.Popen(
                [*self.prefix, sys.executable, "-c", CONSOLE],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._console.stdin
        assert self._console.stdout
        self._console.stdin.write(json.dumps([code, given]) + "\n")
        self._console.stdin.flush()
        worked, value = json.loads(self._console.stdout.readline())
        assert worked, f"{code}: {value}"
        return value

    def prepare(self) -> None:
        """Make the tables, and a purse for the tests' own kind of job."""
        self.migrate()
        self.do("from tests.naps.models import *")
        self.do("purse = Purse.objects.create(credits=CREDITS)")

    def migrate(self) -> None:
        """Make the tables; an SQLite file is made once for all tests of a run, and copied."""
        if "PWM_DATABASE_URL" not in self.environment:
            made = tables(self.environment["DJANGO_SETTINGS_MODULE"])
            (self.folder / "pwm.sqlite3").write_bytes(made)
            return
        self.manage("migrate", "--verbosity", "0")
        # Apps without migrations come second: their tables refer to the others.
        self.manage("migrate", "--run-syncdb", "--verbosity", "0")

    def worker(self, processes: int = 1, *options: str) -> Worker:
        """Start a worker with so many processes."""
        self.workers.append(Worker(self, processes, options))
        return self.workers[-1]

    @contextmanager
    def web(self, processes: int = 1) -> Iterator[int]:
        """Run the web server on a free port of this machine, and give that port once it listens."""
        port = free_port()
        bind = {"PWM_BIND": f"{HOST}:{port}", "PWM_WEB_PROCESSES": str(processes)}
        with self.log.open("ab") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "pwmsite/server.py"],
                cwd=ROOT,
                env=self.environment | bind,
                stdout=log,
                stderr=log,
            )
        try:
            wait_for(port, server)
            yield port
        finally:
            server.terminate()
            server.wait()

    def kill_workers(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.workers.clear()

    def close(self) -> None:
        if self._console:
            self._console.kill()
            self._console.communicate()


def children_of(pid: int) -> list[int]:
    """List the processes that ``pid`` started, in any of its threads (Celery forks in one)."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(child) for child in path.read_text().split()]
    return found


class Worker:
    """A Celery worker with its pool, in a process group of its own."""

    def __init__(self, site: Site, processes: int, options: tuple[str, ...] = ()) -> None:
        command = [sys.executable, "-m", "celery", "--quiet", "-A", "pwmsite", "worker"]
        command += ["--concurrency", str(processes), "--loglevel", "INFO"]
        command += ["--without-gossip", "--without-mingle", "--hostname", f"{id(self)}@test"]
        with site.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*site.prefix, *command, *options],
                cwd=ROOT,
                env=site.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def children(self) -> list[int]:
        """List the processes of the pool."""
        return children_of(self.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send ``number`` to the worker and its whole pool."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """Kill the worker and its pool, as a power cut would."""
        self.signal(signal.SIGKILL)
        self.process.wait()


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that ``make`` has filled, in one of the processes of a run for all of them.

    Nobody writes into it: what a test changes, it copies.
    """
    folder = SHARED / name
    with (SHARED / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            draft = Path(tempfile.mkdtemp(dir=SHARED))
            make(draft)
            draft.rename(folder)
    return folder


def tables(settings: str = PLAIN) -> bytes:
    """Return an SQLite database with the tables of these settings and no row of ours."""

    def migrate(folder: Path) -> None:
        if settings != PLAIN:
            (folder / "pwm.sqlite3").write_bytes(tables())
        with site(folder, DJANGO_SETTINGS_MODULE=settings) as made:
            made.manage("migrate", "--run-syncdb", "--verbosity", "0")

    return (made_once(f"tables of {settings}", migrate) / "pwm.sqlite3").read_bytes()


@contextmanager
def site(folder: Path, **environment: str) -> Iterator[Site]:
    """Make a site with an empty database; its worker processes end with the block."""
    made = Site(folder, **environment)
    try:
        yield made
    finally:
        made.kill_workers()
        made.close()


def wait(for_what: Callable[[], Any], seconds: float = 300.0, pause: float = 0.2) -> Any:
    """Wait until ``for_what()`` is true and return it; fail after ``seconds``.

    They only end what would go on for ever: a machine with a lot to do may need most of them.
    """
    deadline = time.monotonic() + seconds
    while not (value := for_what()):
        assert time.monotonic() < deadline, f"This did not come true in {seconds} s."
        time.sleep(pause)
    return value
