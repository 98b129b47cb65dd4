"""Give up every right that the kernel lets a process give up: for good, and for itself alone.

Standard library only, Linux only. The layers: an unprivileged user where we start as root, no new
privileges, resource limits, Landlock (no file, no TCP, no signal to others), and a seccomp
allow-list of the few system calls that computing on memory needs. Sources: landlock(7), seccomp(2),
the kernel's uapi headers ``linux/landlock.h`` and ``linux/seccomp.h``.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct

NOBODY = 65534

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_RESTRICT_SELF = 446
# Number of file rights that each version of Landlock knows; TCP rights came with 4, scopes with 6.
_LANDLOCK_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_LANDLOCK_FILE_RIGHTS_NEWEST = 16

# System calls that stay allowed, per architecture: memory, reading and writing what is already
# open, clocks, signals to return from, and leaving. Anything else fails with EPERM.
_ALLOWED = {
    "x86_64": (
        0xC000003E,
        (
            # read write close fstat lseek mmap mprotect munmap brk
            *(0, 1, 3, 5, 8, 9, 10, 11, 12),
            # rt_sigaction rt_sigprocmask rt_sigreturn mremap madvise sched_yield
            *(13, 14, 15, 25, 28, 24),
            # getpid exit futex gettid clock_gettime clock_getres clock_nanosleep exit_group
            *(39, 60, 202, 186, 228, 229, 230, 231),
            # getrandom sigaltstack restart_syscall getrusage
            *(318, 131, 219, 98),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        (
            # read write close fstat lseek mmap mprotect munmap brk
            *(63, 64, 57, 80, 62, 222, 226, 215, 214),
            # rt_sigaction rt_sigprocmask rt_sigreturn mremap madvise sched_yield
            *(134, 135, 139, 216, 233, 124),
            # getpid exit futex gettid clock_gettime clock_getres clock_nanosleep exit_group
            *(172, 93, 98, 178, 113, 114, 115, 94),
            # getrandom sigaltstack restart_syscall getrusage
            *(278, 132, 128, 165),
        ),
    ),
}


class LockdownError(RuntimeError):
    """This kernel lacks a layer; nothing untrusted may be read here."""


def lock_down(cpu_seconds: int, memory_bytes: int) -> None:
    """Give up everything but computing; raise LockdownError if a layer is missing.

    ``cpu_seconds`` and ``memory_bytes`` are what may be used from now on, on top of what is in use.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    memory_in_use = _memory_in_use()
    _become_nobody()
    _prctl(libc, "no new privileges", _PR_SET_NO_NEW_PRIVS, 1)
    _prctl(libc, "not dumpable", _PR_SET_DUMPABLE, 0)
    _landlock(libc)
    _limit(cpu_seconds, memory_in_use + memory_bytes)
    _seccomp(libc)


def _become_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _memory_in_use() -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def _limit(cpu_seconds: int, memory_bytes: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime) + cpu_seconds
    # One second apart, so that SIGXCPU ends the process and says why; SIGKILL could be anybody's.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    for which, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(which, (value, value))


def _prctl(libc: ctypes.CDLL, layer: str, option: int, *args: object) -> None:
    if libc.prctl(option, *args, *(0,) * (4 - len(args))) != 0:
        raise LockdownError(f"the kernel refused the layer '{layer}' ({_errno()})")


def _landlock(libc: ctypes.CDLL) -> None:
    """Handle every right that this kernel knows and allow none of them."""
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, 1)
    if version < 1:
        raise LockdownError(f"the kernel has no Landlock ({_errno()})")
    rights = _LANDLOCK_FILE_RIGHTS.get(version, _LANDLOCK_FILE_RIGHTS_NEWEST)
    handled = struct.pack("=Q", (1 << rights) - 1)
    if version >= 4:
        handled += struct.pack("=Q", 0b11)
    if version >= 6:
        handled += struct.pack("=Q", 0b11)
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, handled, len(handled), 0)
    if ruleset < 0:
        raise LockdownError(f"Landlock gave no ruleset ({_errno()})")
    if libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0:
        raise LockdownError(f"Landlock did not hold ({_errno()})")
    os.close(ruleset)


def _seccomp(libc: ctypes.CDLL) -> None:
    machine = platform.machine()
    if machine not in _ALLOWED:
        raise LockdownError(f"no seccomp filter is known for {machine}")
    program = _filter(*_ALLOWED[machine])
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    _prctl(libc, "seccomp", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, fprog)


def _filter(audit_arch: int, allowed: tuple[int, ...]) -> bytes:
    """Assemble the BPF program: another architecture is killed, an unknown call gets EPERM."""
    load, equal, give = 0x20, 0x15, 0x06
    kill, eperm, allow = 0x80000000, 0x00050001, 0x7FFF0000
    lines = [(load, 0, 0, 4), (equal, 1, 0, audit_arch), (give, 0, 0, kill), (load, 0, 0, 0)]
    for i, number in enumerate(allowed):
        lines.append((equal, len(allowed) - i, 0, number))
    lines += [(give, 0, 0, eperm), (give, 0, 0, allow)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _errno() -> str:
    return os.strerror(ctypes.get_errno())
