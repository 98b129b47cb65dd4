"""Give up every right but that of writing below one open folder: for good, and for itself alone.

The same layers as the reader's of submissions, and its own list of system calls: that list, and the
few that make files. There is no socket, process or signal among them.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct

from intake import lockdown

from .caps import Caps

_PR_SET_PDEATHSIG = 1
_LANDLOCK_ADD_RULE = 445
_LANDLOCK_RULE_PATH_BENEATH = 1

# Rights of landlock(7). Never given: to execute, and to make devices, FIFOs and sockets.
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE = 1 << 13, 1 << 14

_BELOW = (
    _WRITE_FILE | _READ_FILE | _READ_DIR | _REMOVE_DIR | _REMOVE_FILE
    | _MAKE_DIR | _MAKE_REG | _MAKE_SYM
)  # fmt: skip
_NEWER = {2: _REFER, 3: _TRUNCATE}

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


def confine(folder: int, uid: int, most: Caps) -> None:
    """Keep the open files, and writing below ``folder``; raise LockdownError without a layer.

    uid: whom to become where this starts as root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    machine = platform.machine()
    if machine not in _FILES:
        raise lockdown.LockdownError(f"no seccomp filter is known for {machine}")
    memory_in_use = lockdown._memory_in_use()
    starter = os.getppid()
    _become(uid)
    # After the user changed, because the kernel forgets this then.
    lockdown._prctl(libc, "end with the worker", _PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != starter:
        os._exit(1)
    lockdown._prctl(libc, "no new privileges", lockdown._PR_SET_NO_NEW_PRIVS, 1)
    lockdown._prctl(libc, "not dumpable", lockdown._PR_SET_DUMPABLE, 0)
    _landlock(libc, folder)
    _limit(most, memory_in_use)
    _seccomp(libc, machine)


def _become(uid: int) -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _limit(most: Caps, memory_in_use: int) -> None:
    memory = memory_in_use + most.memory_bytes
    # One second apart, so that SIGXCPU ends the process and says why; SIGKILL could be anybody's.
    resource.setrlimit(resource.RLIMIT_CPU, (most.cpu_seconds, most.cpu_seconds + 1))
    for which, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, most.unpacked_bytes),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 4 * most.depth + 64),
    ):
        resource.setrlimit(which, (value, value))


def _landlock(libc: ctypes.CDLL, folder: int) -> None:
    """Handle every right that this kernel knows, and allow those of files below the folder."""
    version = libc.syscall(lockdown._LANDLOCK_CREATE_RULESET, None, 0, 1)
    if version < 1:
        raise lockdown.LockdownError(f"the kernel has no Landlock ({lockdown._errno()})")
    rights = lockdown._LANDLOCK_FILE_RIGHTS.get(version, lockdown._LANDLOCK_FILE_RIGHTS_NEWEST)
    handled = struct.pack("=Q", (1 << rights) - 1)
    if version >= 4:
        handled += struct.pack("=Q", 0b11)
    if version >= 6:
        handled += struct.pack("=Q", 0b11)
    ruleset = libc.syscall(lockdown._LANDLOCK_CREATE_RULESET, handled, len(handled), 0)
    if ruleset < 0:
        raise lockdown.LockdownError(f"Landlock gave no ruleset ({lockdown._errno()})")
    allowed = _BELOW
    for came_with, right in _NEWER.items():
        allowed |= right if version >= came_with else 0
    rule = struct.pack("=Qi", allowed, folder)
    if libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, 0) != 0:
        raise lockdown.LockdownError(f"Landlock took no rule ({lockdown._errno()})")
    if libc.syscall(lockdown._LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0:
        raise lockdown.LockdownError(f"Landlock did not hold ({lockdown._errno()})")
    os.close(ruleset)


def _seccomp(libc: ctypes.CDLL, machine: str) -> None:
    audit_arch, computing = lockdown._ALLOWED[machine]
    program = lockdown._filter(audit_arch, (*computing, *_FILES[machine]))
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    lockdown._prctl(libc, "seccomp", lockdown._PR_SET_SECCOMP, lockdown._SECCOMP_MODE_FILTER, fprog)
