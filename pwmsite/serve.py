"""Run the whole site on one machine: web server, workers with their clock, one Ctrl-C for all.

``python -m pwmsite.serve FD`` is started by pwmsite/bootstrap.py with the listening socket as
file descriptor FD, which stays open while the web server is started again. A process that dies is
named and started again, later and later while it keeps dying. Each child leads a process group of
its own, so that what it started dies with it.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from pwmsite import features
from pwmsite.bootstrap import ROOT, say

GRACE = 8.0  # seconds that a process has to end by itself before it is killed
LONGEST_PAUSE = 30.0
HEALTHY = 60.0  # a process that lived so long starts again without a pause
# In bytes: what a computation for a tilt series takes, what everything else takes together, and
# below what two of them at once would be too much (docs/scale.md).
COMPUTATION, REST, LITTLE_MEMORY = 1 << 30, 1 << 30, 3 << 30
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the supervisor is gone, even after ``kill -9``."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Program:
    """One process of the site, started again whenever it ends, unless it is meant to end."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()  # variables that it is not given
    passed: tuple[int, ...] = ()
    niceness: int = 0
    runs_once: bool = False
    waits_for: "Program | None" = None  # starts once that one has ended, well or not
    has_run: bool = False
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = 1.0

    def start(self) -> None:
        def prepare() -> None:
            die_with_parent()
            os.nice(self.niceness)
            # Where the kernel shares time out among sessions (sched_autogroup, most desktops and
            # Debian), niceness counts inside of a session alone, unless the session has it too.
            with suppress(OSError):
                Path("/proc/self/autogroup").write_text(str(self.niceness))

        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if k not in self.withheld} | self.environment,
            pass_fds=self.passed,
            start_new_session=True,
            preexec_fn=prepare,
        )
        self.started_at = time.monotonic()

    def watch(self) -> None:
        """Start the process if it is due, and say so if it has ended by itself."""
        if self.process is None:
            may_start = self.waits_for is None or self.waits_for.has_run
            if may_start and time.monotonic() >= self.start_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        self.signal(signal.SIGKILL)  # what it left behind: children of a pool, an embedded clock
        self.process, self.has_run = None, True
        if self.runs_once and code == 0:
            self.start_at = float("inf")
            return
        if time.monotonic() - self.started_at > HEALTHY:
            self.pause = 1.0
        self.start_at = time.monotonic() + self.pause
        say(f"{self.name} stopped ({_why(code)}); starting it again in {self.pause:.0f} s.")
        self.pause = min(2 * self.pause, LONGEST_PAUSE)

    def signal(self, number: signal.Signals) -> None:
        """Send ``number`` to the process and, for SIGKILL, to all that it started."""
        if self.process is None:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except ProcessLookupError:
            pass

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


def _why(code: int) -> str:
    if code < 0:
        return f"killed by signal {-code}, {signal.Signals(-code).name}"
    return f"exit code {code}"


# What people wait for, what the site computes by itself, and people's programs.
QUEUES = {"people": "mail,scoring,gallery", "site": "hidden"}
QUEUES["one"] = ",".join(QUEUES.values())
QUEUES["programs"] = "programs"
SECRETS = ("PWM_DATA_KEY", "PWM_SIGNING_KEY", "PWM_TRUTH")


def memory() -> int:
    """Give the bytes of memory that the site may use: the machine's, or its container's."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # cgroups, version 2 and 1
        with suppress(OSError, ValueError):  # no such file, or the word "max"
            found = min(found, int(Path("/sys/fs/cgroup", name).read_text()))
    return found


def _worker(name: str, processes: int, *options: str) -> list[str]:
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "pwmsite", "worker"]
    command += [
        "--hostname",
        f"{name}@%h",
        "--queues",
        QUEUES[name],
        "--concurrency",
        str(processes),
    ]
    return [*command, "--without-gossip", "--without-mingle", "--loglevel", "WARNING", *options]


@dataclass(frozen=True)
class Plan:
    """How many processes compute, by the cores and the memory of the machine.

    ``site``: at what the site computes by itself. ``people``: at what people wait for, which is
    never behind the former; none where memory is so little that all share one process.
    """

    cores: int
    memory: int
    site: int
    people: int

    def __str__(self) -> str:
        machine = f"{self.cores} core{'s' * (self.cores > 1)}, {self.memory / 1e9:.1f} GB of memory"
        if not self.people:
            return f"{machine}: one process computes everything, after the data are made."
        return f"{machine}: {self.people} processes compute for people, {self.site} for the site."


def plan() -> Plan:
    """Decide it. ``PWM_WORKERS`` says how many, whatever the memory."""
    cores, bytes_ = len(os.sched_getaffinity(0)), memory()
    if asked := os.environ.get("PWM_WORKERS"):
        return Plan(cores, bytes_, int(asked), max(2, int(asked)))
    if bytes_ < LITTLE_MEMORY:
        return Plan(cores, bytes_, 1, 0)
    room = (bytes_ - REST) // COMPUTATION
    site = min(cores, max(1, room - 2))
    # Two for people at least: a file is scored in a second, a gallery takes minutes.
    return Plan(cores, bytes_, site, max(2, min(cores, room - site)))


def programs(listener: int, by: Plan) -> list[Program]:
    """Return the site's processes: web server, workers, and the one that fills an empty site."""
    python = sys.executable
    one_thread = {
        name: os.environ.get(name, "1") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    }
    web = [python, "-m", "gunicorn", "-c", "pwmsite/server.py"]
    site = Program("The web server", web, {"PWM_BIND": f"fd://{listener}"}, passed=(listener,))
    filling = Program(
        "Filling the site",
        [python, "manage.py", "fill"],
        one_thread,
        niceness=5,
        runs_once=True,
    )
    # One program at a time, whatever the size of the machine, in a process that knows no truth; a
    # long one keeps nobody's file waiting.
    runner = Program(
        "The runner",
        _worker("programs", 1),
        one_thread | {"PWM_RUNNER": "1"},
        withheld=SECRETS,
        niceness=10,
    )
    if not by.people:
        # One computation at a time: the data first, which take the most, then what is queued.
        # A process that has grown beyond 600 MB (given in KiB) is replaced after its job.
        alone = _worker("one", by.site, "--beat", "--max-memory-per-child", "600000")
        site.environment["PWM_WEB_PROCESSES"] = os.environ.get("PWM_WEB_PROCESSES", "1")
        worker = Program("The worker", alone, one_thread, niceness=5, waits_for=filling)
        found = [site, filling, worker, runner]
        for program in found:  # each thread's arena of malloc would keep what it once had
            program.environment |= {"MALLOC_ARENA_MAX": "2"}
        return found
    people, background = _worker("people", by.people, "--beat"), _worker("site", by.site)
    return [
        site,  # pages come first, then what people wait for
        Program("The worker", people, one_thread, niceness=5),
        Program("The background worker", background, one_thread, niceness=15),
        runner,
        filling,
    ]


def stop(running: list[Program]) -> None:
    """End all processes: ask first, wait, then kill what remains with all that it started."""
    for program in running:
        program.signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and not all(p.has_ended() for p in running):
        time.sleep(0.05)
    for program in running:
        program.signal(signal.SIGKILL)
        if program.process:
            program.process.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}healthz", timeout=2) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


# Set when somebody asks the site to stop (Ctrl-C or SIGTERM). A handler that raises can be lost: in
# what runs around a fork, Python prints an exception and goes on.
asked_to_stop = threading.Event()


def _ask_to_stop(number: int, frame: FrameType | None) -> None:
    asked_to_stop.set()


def supervise(running: list[Program], address: str) -> None:
    """Keep the site's processes running until somebody asks to stop.

    The web server, which comes first, has the machine to itself until it answers.
    """
    web, announced = running[0], False
    while not asked_to_stop.wait(0.1):
        for program in running if announced else [web]:
            program.watch()
        if not announced and answers(address):
            say(f"PWM is at {address} - Ctrl-C stops it.")
            announced = True


def keep_to_owner(state: Path) -> None:
    """Let no other user of the machine read what the site keeps.

    Files from now on are the owner's alone; so are the folder and, in it, database and keys.
    """
    os.umask(0o077)
    with suppress(OSError):  # `prepare` comes next, and says what is wrong with the folder
        state.mkdir(parents=True, exist_ok=True)
        state.chmod(0o700)
        for path in state.iterdir():
            if path.is_file() and not path.is_symlink():
                path.chmod(0o600)


def prepare() -> int:
    """Make tables, catalogue and administrator; return the exit code, 0 if asked to stop."""
    preparing = subprocess.Popen([sys.executable, "manage.py", "prepare"], cwd=ROOT)
    while preparing.poll() is None:
        if asked_to_stop.wait(0.1):
            preparing.terminate()
            preparing.wait()
            return 0
    return preparing.returncode


def main() -> int:
    listener = int(sys.argv[1])
    with socket.socket(fileno=os.dup(listener)) as bound:
        address = "http://{}:{}/".format(*bound.getsockname())
    signal.signal(signal.SIGINT, _ask_to_stop)
    signal.signal(signal.SIGTERM, _ask_to_stop)
    os.environ["PWM_COLLECTED"] = "1"  # the web server collects the static files when it starts
    by = plan()
    running = programs(listener, by)
    try:
        keep_to_owner(Path(os.environ.get("PWM_VAR") or ROOT / "var"))
        for line in (str(by), *features.missing()):
            say(line)
        if code := prepare():
            return code
        supervise(running, address)
        say("\nStopping.")
    finally:
        stop(running)
    say("PWM has stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
