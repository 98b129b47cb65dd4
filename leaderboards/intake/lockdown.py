"""Give up every right that the kernel lets a process give up: for good, and for itself alone.

Standard library only, Linux only. The layers: an unprivileged user where we start as root, no new
privileges, resource limits, Landlock (no file, no TCP, no signal to others), and a seccomp
allow-list of the few system calls that computing on memory needs.
"""

from __future__ import annotations

import os
import platform
import resource

import kernel_guards as guards
from kernel_guards import LockdownError

NOBODY = 65534

# System calls that stay allowed, per architecture: memory, reading and writing what is already
# open, clocks, signals to return from, and leaving. Anything else fails with EPERM.
COMPUTING = {
    "x86_64": (
        # read write close fstat lseek mmap mprotect munmap brk
        *(0, 1, 3, 5, 8, 9, 10, 11, 12),
        # rt_sigaction rt_sigprocmask rt_sigreturn mremap madvise sched_yield
        *(13, 14, 15, 25, 28, 24),
        # getpid exit futex gettid clock_gettime clock_getres clock_nanosleep exit_group
        *(39, 60, 202, 186, 228, 229, 230, 231),
        # getrandom sigaltstack restart_syscall getrusage
        *(318, 131, 219, 98),
    ),
    "aarch64": (
        # read write close fstat lseek mmap mprotect munmap brk
        *(63, 64, 57, 80, 62, 222, 226, 215, 214),
        # rt_sigaction rt_sigprocmask rt_sigreturn mremap madvise sched_yield
        *(134, 135, 139, 216, 233, 124),
        # getpid exit futex gettid clock_gettime clock_getres clock_nanosleep exit_group
        *(172, 93, 98, 178, 113, 114, 115, 94),
        # getrandom sigaltstack restart_syscall getrusage
        *(278, 132, 128, 165),
    ),
}


def lock_down(cpu_seconds: int, memory_bytes: int) -> None:
    """Give up everything but computing; raise LockdownError if a layer is missing.

    ``cpu_seconds`` and ``memory_bytes`` are what may be used from now on, on top of what is in use.
    """
    libc = guards.libc()
    memory_in_use = guards.memory_in_use()
    if os.geteuid() == 0:
        guards.become(NOBODY)
    guards.prctl(libc, "no new privileges", guards.PR_SET_NO_NEW_PRIVS, 1)
    guards.prctl(libc, "not dumpable", guards.PR_SET_DUMPABLE, 0)
    guards.landlock(libc)
    _limit(cpu_seconds, memory_in_use + memory_bytes)
    guards.seccomp(libc, filter_for(platform.machine()))


def _limit(cpu_seconds: int, memory_bytes: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime) + cpu_seconds
    guards.limit(
        (
            # One second apart, so that SIGXCPU ends the process and says why; SIGKILL could be
            # anybody's.
            (resource.RLIMIT_CPU, cpu, cpu + 1),
            (resource.RLIMIT_AS, memory_bytes, memory_bytes),
            (resource.RLIMIT_CORE, 0, 0),
            (resource.RLIMIT_FSIZE, 0, 0),
            (resource.RLIMIT_NPROC, 0, 0),
            (resource.RLIMIT_NOFILE, 3, 3),
        )
    )


def filter_for(machine: str) -> bytes:
    """Assemble the filter: another architecture is killed, an unknown call gets EPERM."""
    if machine not in COMPUTING:
        raise LockdownError(f"no seccomp filter is known for {machine}")
    return guards.allow_only(machine, COMPUTING[machine])
