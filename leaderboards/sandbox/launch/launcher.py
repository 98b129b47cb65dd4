"""The launcher of one run. Run by path: ``python -I launcher.py``, one line of JSON on its input.

It lays out the run's folders in a mount namespace of its own, starts bubblewrap as the run's user,
watches what the processes use, ends all of them, and only then takes the output. Standard output:
one line of JSON about the ending, then the log, then the output. Standard input stays open for as
long as the run may go on: when it closes, or when the process that started this one ends, so does
the run. Standard library only, so that it starts quickly and holds nothing worth taking.
"""

import ctypes
import json
import os
import resource
import select
import signal
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).parents[2] / "guards")]

import kernel_guards as guards  # noqa: E402
from control_groups import Groups  # noqa: E402
from own_mounts import lay_out  # noqa: E402
from process_tree import Tree, processes_of, tree_below  # noqa: E402

TICK_SECONDS = 0.05
# bubblewrap itself, the first process of its namespace, and one on its way from the one to the
# other.
PROCESSES_OF_BUBBLEWRAP = 3
_OPENAT2 = 437
_RESOLVE = 0x01 | 0x02 | 0x04 | 0x08  # NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH


class Ended(Exception):
    """The run is over, for this reason."""

    def __init__(self, reason: str, detail: str, exit_code: int | None = None) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail, self.exit_code = reason, detail, exit_code


def main() -> None:
    config = json.loads(sys.stdin.buffer.readline())
    # The site's files are its own, but the run's user has to reach what is laid out for it; nobody
    # else sees that, because it lies in a mount namespace of its own.
    os.umask(0o022)
    library = guards.libc()
    # It is noted, never raised: an exception could come while another is dealt with, and the run's
    # groups would stay.
    asked_to_stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked_to_stop.append(number))
    guards.prctl(library, "end with the parent", guards.PR_SET_PDEATHSIG, signal.SIGTERM)
    guards.prctl(library, "subreaper", guards.PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != config["parent"]:
        return
    run = Run(config)
    if "sweep" in config:
        run.sweep()
        return
    try:
        run.start()
        run.watch(asked_to_stop)
    except Ended as ended:
        ending = ended
    except Exception as error:
        ending = Ended("server", f"The launcher failed: {type(error).__name__}: {error}.")
    answer(run, run.close(ending))


def answer(run: "Run", ending: Ended) -> None:
    header = {
        "reason": ending.reason,
        "detail": ending.detail,
        "exit_code": ending.exit_code,
        "wall_seconds": run.wall_seconds,
        "cpu_seconds": run.cpu_seconds,
        "peak_memory": run.peak_memory,
        "log": len(run.log),
        "output": len(run.output),
    }
    with suppress(BrokenPipeError):
        out = sys.stdout.buffer
        out.write(json.dumps(header).encode() + b"\n")
        out.write(run.log)
        out.write(run.output)
        out.flush()
    os._exit(0)


class Run:
    """One run: its processes, what they used so far, and what they wrote."""

    def __init__(self, config: dict) -> None:
        self.config = config
        self.limits = config["limits"]
        self.user = config["user"]  # None: the user who started this
        self.log = bytearray()
        self.output = b""
        self.wall_seconds = self.cpu_seconds = 0.0
        self.peak_memory = 0
        self.folders_were_full = False
        self.bubblewrap = self.work = self.status = self.log_pipe = -1
        self.status_text = b""
        self.groups: Groups | None = None
        self.oom_kills = oom_kills()
        self.started_at = time.monotonic()

    def start(self) -> None:
        """Start bubblewrap, stopped by nothing but its own setup."""
        if self.user is not None:
            kill_user(self.user)
        self.groups = Groups(
            self.config["group"],
            self.config["delegated_group"],
            self.limits["memory_bytes"],
            self.limits["processes"] + PROCESSES_OF_BUBBLEWRAP,
        )
        self.work = lay_out(
            self.config["root"],
            os.geteuid() if self.user is None else self.user,
            self.limits["work_bytes"],
            self.limits["files"],
            self.config["inputs"],
        )
        for descriptor in self.config["inputs"].values():
            os.close(descriptor)
        # The kernel forgets it where a process takes on other rights.
        guards.prctl(guards.libc(), "end with the parent", guards.PR_SET_PDEATHSIG, signal.SIGTERM)
        self.log_pipe, log_end = os.pipe()
        self.status, status_end = os.pipe()
        os.set_blocking(self.log_pipe, False)
        os.set_blocking(self.status, False)
        doors = self.groups.doors()
        given = [
            memory_file(b"\0".join(os.fsencode(word) for word in self.config["arguments"]) + b"\0"),
            memory_file(bytes.fromhex(self.config["filter"])),
            status_end,
        ]
        launcher = os.getpid()
        self.bubblewrap = os.fork()
        if self.bubblewrap == 0:
            with suppress(BaseException):
                self._become_bubblewrap(launcher, doors, log_end, given)
            os._exit(127)
        for descriptor in (*doors, *given, log_end):
            os.close(descriptor)

    def _become_bubblewrap(
        self, launcher: int, doors: list[int], log_end: int, given: list[int]
    ) -> None:
        """Join the groups, take the limits on, drop to the run's user, and become bubblewrap."""
        try:
            for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            for door in doors:
                os.write(door, b"0")
            guards.limit(tuple(entry) for entry in self.config["rlimits"])
            if self.user is not None:
                guards.become(self.user)
            library = guards.libc()
            guards.prctl(library, "no new privileges", guards.PR_SET_NO_NEW_PRIVS, 1)
            guards.prctl(library, "end with the parent", guards.PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != launcher:
                os._exit(127)
            os.chdir("/")
            null = os.open("/dev/null", os.O_RDONLY)
            # First above all of them, so that none is overwritten before it is moved.
            high = [os.dup2(fd, 60 + i) for i, fd in enumerate((null, log_end, log_end, *given))]
            for i, descriptor in enumerate(high):
                os.dup2(descriptor, i, inheritable=True)
            os.closerange(len(high), 1024)
            path = self.config["bubblewrap"]
            words = ["bwrap", "--args", "3", "--seccomp", "4", "--json-status-fd", "5", "--"]
            os.execve(path, [*words, *self.config["command"]], {})
        except BaseException as error:
            os.write(log_end, f"launcher: {error}\n".encode())
            raise

    def watch(self, asked_to_stop: list[int]) -> None:
        """Look at the run until it ends; raise Ended."""
        poll = select.poll()
        for descriptor in (0, self.log_pipe, self.status):
            poll.register(descriptor, select.POLLIN)
        looked_at = 0.0
        while not asked_to_stop:
            for descriptor, event in poll.poll(TICK_SECONDS * 1000):
                if descriptor == 0:
                    raise Ended("server", "The worker let go of the run.")
                if not self._read(descriptor) and event & (select.POLLHUP | select.POLLERR):
                    poll.unregister(descriptor)
            pid, status = os.waitpid(self.bubblewrap, os.WNOHANG)
            if pid:
                self.bubblewrap = -1
                raise self._ending(status)
            now = time.monotonic()
            if now - looked_at >= TICK_SECONDS:
                looked_at = now
                self._look()
        raise Ended("server", "The run was ended from outside.")

    def _read(self, descriptor: int) -> bool:
        """Take what there is to read, at most 64 KiB; return whether there was something."""
        try:
            text = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return True
        if descriptor == self.status:
            self.status_text += text
        else:
            self.log += text
            if len(self.log) > self.limits["log_bytes"]:
                del self.log[self.limits["log_bytes"] :]
                raise Ended("too_large", "The log is larger than a log may be.")
        return bool(text)

    def _look(self) -> None:
        """Compare what the run used with what it may use."""
        groups, limits = self.groups, self.limits
        assert groups
        if time.monotonic() - self.started_at > limits["wall_seconds"]:
            raise Ended("time", f"It did not end within {limits['wall_seconds']:g} s.")
        self.folders_were_full = self.folders_were_full or is_full(self.work)
        needs_tree = not (groups.bounds_memory and groups.bounds_processes and groups.measures_cpu)
        tree = tree_below(self.bubblewrap) if needs_tree else Tree((), 0, 0.0)
        self.cpu_seconds = max(self.cpu_seconds, tree.cpu_seconds, groups.cpu_seconds())
        if self.cpu_seconds > limits["cpu_seconds"]:
            raise Ended("cpu", f"Its processes used {limits['cpu_seconds']} s of CPU time.")
        if groups.out_of_memory():
            raise Ended("memory", "The kernel ended a process because the memory was used up.")
        if not groups.bounds_memory:
            used = tree.memory_bytes(limits["memory_bytes"]) + used_bytes(self.work)
            self.peak_memory = max(self.peak_memory, used)
            if used > limits["memory_bytes"]:
                raise Ended("memory", f"Its processes and files held {used >> 20} MiB of memory.")
        # Without the kernel's count of refusals, a run that has all it may have wants more.
        most = limits["processes"] + PROCESSES_OF_BUBBLEWRAP
        at_the_limit = not groups.bounds_processes and tree.threads >= most
        if groups.refused_processes() or at_the_limit:
            raise Ended("processes", f"It wanted more than {limits['processes']} processes.")

    def _ending(self, status: int) -> Ended:
        """Say what the end of bubblewrap means."""
        with suppress(Ended):
            while self._read(self.log_pipe) and select.select([self.log_pipe], [], [], 0)[0]:
                pass
        with suppress(Ended):
            self._read(self.status)
        assert self.groups
        if self.groups.out_of_memory():
            return Ended("memory", "The kernel ended a process because the memory was used up.")
        if self.groups.refused_processes():
            return Ended("processes", f"It wanted more than {self.limits['processes']} processes.")
        if b'"exit-code"' not in self.status_text:
            words = bytes(self.log[-300:]).decode("utf-8", "replace").strip()
            return Ended(
                "server", f"bubblewrap did not start the program (status {status}): {words}"
            )
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return Ended("done", "It ended by itself.", 0)
        return self._failure(code)

    def _failure(self, code: int) -> Ended:
        # As a shell does, bubblewrap tells a signal as 128 and its number.
        number = code - 128
        if number == signal.SIGXCPU or (
            number == signal.SIGKILL and self.cpu_seconds >= self.limits["cpu_seconds"]
        ):
            return Ended("cpu", f"It used {self.limits['cpu_seconds']} s of CPU time.", code)
        if number == signal.SIGXFSZ:
            return Ended("too_large", "It wrote a file that is larger than a file may be.", code)
        if number == signal.SIGKILL and oom_kills() > self.oom_kills:
            return Ended("server", "The machine ran out of memory while it ran.", code)
        if number in {int(known) for known in signal.Signals}:
            return Ended("signal", f"It ended by signal {signal.Signals(number).name}.", code)
        if self.folders_were_full or is_full(self.work):
            return Ended("too_large", f"Its folders were full; it ended with code {code}.", code)
        return Ended("failed", f"It ended with exit code {code}.", code)

    def sweep(self) -> None:
        """Remove what a launcher that was killed left of its run."""
        if self.user is not None:
            kill_user(self.user)
        Groups(self.config["group"], self.config["delegated_group"], 1 << 30, 1).close()

    def close(self, ending: Ended) -> Ended:
        """End every process, then take the output if there is to be one; return how it ended."""
        self.wall_seconds = time.monotonic() - self.started_at
        if not self._kill():
            ending = Ended("server", "Processes of the run could not be ended.")
        if self.groups:
            self.cpu_seconds = max(self.cpu_seconds, self.groups.cpu_seconds())
            self.peak_memory = max(self.peak_memory, self.groups.peak_memory())
            self.groups.close()
        if ending.reason == "done":
            try:
                self.output = taken(self.work, self.config["output"], self.limits["output_bytes"])
            except Ended as refused:
                refused.exit_code = ending.exit_code
                return refused
        return ending

    def _kill(self) -> bool:
        """End all processes; return whether none is left."""
        if self.bubblewrap > 0:
            # Ending the first process of its namespace ends all others in it.
            first = first_process(self.status_text)
            for pid in (first, self.bubblewrap):
                # The number of a process that was waited for may be another's by now.
                if pid in tree_below(self.bubblewrap).pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        if self.user is not None:
            kill_user(self.user)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with suppress(ChildProcessError):
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.005)
                continue
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.cpu_seconds = max(self.cpu_seconds, used.ru_utime + used.ru_stime)
            if self.user is None or not processes_of(self.user):
                return True
            kill_user(self.user)  # one that is not a child of this process ends a moment later
            time.sleep(0.005)
        return False


def kill_user(user: int) -> None:
    """End every process of a user that nobody else has: one call, that no fork can outrun."""
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            guards.become(user)
            os.kill(-1, signal.SIGKILL)
        os._exit(0)
    os.waitpid(pid, 0)


def first_process(status: bytes) -> int:
    for line in status.splitlines():
        with suppress(ValueError, TypeError, KeyError):
            return int(json.loads(line)["child-pid"])
    return -1


def memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("given", 0)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def is_full(folder: int) -> bool:
    room = os.fstatvfs(folder)
    return room.f_bavail == 0 or room.f_favail == 0


def used_bytes(folder: int) -> int:
    room = os.fstatvfs(folder)
    return (room.f_blocks - room.f_bfree) * room.f_frsize


def oom_kills() -> int:
    """How many processes this machine's kernel has ended for want of memory so far."""
    with suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def taken(folder: int, name: str, most: int) -> bytes:
    """Read a file that may be anything: only a plain one, not through a link, and up to a cap."""
    how = struct.pack(
        "=QQQ", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0, _RESOLVE
    )
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.syscall(_OPENAT2, folder, os.fsencode(name), how, len(how))
    if descriptor < 0:
        if not os.access(name, os.F_OK, dir_fd=folder, follow_symlinks=False):
            raise Ended("no_output", f"It ended well and wrote no {name}.")
        raise Ended("no_output", f"Its {name} cannot be opened ({guards.errno_text()}).")
    status = os.fstat(descriptor)
    if status.st_mode & 0o170000 != 0o100000 or status.st_nlink != 1:
        raise Ended("no_output", f"Its {name} is not a plain file of one name.")
    if status.st_size > most:
        raise Ended("too_large", f"Its {name} has {status.st_size:,} bytes; {most:,} are the most.")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most)


main()
