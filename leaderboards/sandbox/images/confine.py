"""Give up every right but that of writing below one open folder: for good, and for itself alone.

The same layers as the reader's of submissions, and its own list of system calls: that list, and the
few that make files. There is no socket, process or signal among them.
"""

from __future__ import annotations

import os
import platform
import resource
import signal

import kernel_guards as guards
from kernel_guards import LockdownError
from lockdown import COMPUTING

from .caps import Caps

# Rights of landlock(7). Never given: to execute, and to make devices, FIFOs and sockets.
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE = 1 << 13, 1 << 14

_BELOW = (
    *(_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE),
    *(_MAKE_DIR, _MAKE_REG, _MAKE_SYM, _REFER, _TRUNCATE),
)

# What making files needs beyond the reader's list, per architecture.
_FILES = {
    "x86_64": (
        # pread64 dup fcntl fchmod getdents64 openat mkdirat newfstatat unlinkat linkat symlinkat
        *(17, 32, 72, 91, 217, 257, 258, 262, 263, 265, 266),
        # readlinkat
        *(267,),
    ),
    "aarch64": (
        # pread64 dup fcntl fchmod getdents64 openat mkdirat newfstatat unlinkat linkat symlinkat
        *(67, 23, 25, 52, 61, 56, 34, 79, 35, 37, 36),
        # readlinkat
        *(78,),
    ),
}


def confine(folder: int, uid: int, parent: int, most: Caps) -> None:
    """Keep the open files, and writing below ``folder``; raise LockdownError without a layer.

    uid: whom to become where this starts as root. parent: the process to end with.
    """
    machine = platform.machine()
    if machine not in _FILES:
        raise LockdownError(f"no seccomp filter is known for {machine}")
    libc = guards.libc()
    memory = guards.memory_in_use() + most.memory_bytes
    if os.geteuid() == 0:
        guards.become(uid)
    # After the user changed, because the kernel forgets this then.
    guards.prctl(libc, "end with the worker", guards.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    guards.prctl(libc, "no new privileges", guards.PR_SET_NO_NEW_PRIVS, 1)
    guards.prctl(libc, "not dumpable", guards.PR_SET_DUMPABLE, 0)
    guards.landlock(libc, folder, sum(_BELOW))
    guards.limit(
        (
            # One second apart, so that SIGXCPU ends the process and says why; SIGKILL could be
            # anybody's.
            (resource.RLIMIT_CPU, most.cpu_seconds, most.cpu_seconds + 1),
            (resource.RLIMIT_AS, memory, memory),
            (resource.RLIMIT_CORE, 0, 0),
            (resource.RLIMIT_FSIZE, most.unpacked_bytes, most.unpacked_bytes),
            (resource.RLIMIT_NPROC, 0, 0),
            (resource.RLIMIT_NOFILE, *(4 * most.depth + 64,) * 2),
        )
    )
    guards.seccomp(libc, guards.allow_only(machine, (*COMPUTING[machine], *_FILES[machine])))
