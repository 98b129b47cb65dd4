"""The system calls that a program may make: files, memory, threads, child processes, clocks.

Anything that is not listed is refused: sockets of every family, namespaces, mounts, other
processes' memory, keys, BPF, io_uring, profiling, kernel modules, and whatever a newer kernel adds.
Numbers are those of ``asm/unistd_64.h`` (x86_64) and ``asm-generic/unistd.h`` (aarch64).
"""

from __future__ import annotations

import errno
import platform
from collections.abc import Iterable

from leaderboards.guards.kernel_guards import (
    ALLOW,
    AND,
    ANY_BIT,
    AT_LEAST,
    AUDIT_ARCH,
    EQUAL,
    GIVE,
    GREATER,
    KILL,
    LOAD,
    REFUSE,
    Instruction,
    assemble,
)

# Name, number on x86_64, number on aarch64; "-" where the architecture has no such call.
_ALLOWED = """\
read 0 63, write 1 64, close 3 57, fstat 5 80, lseek 8 62, mprotect 10 226, munmap 11 215,
brk 12 214, rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, pread64 17 67,
pwrite64 18 68, readv 19 65, writev 20 66, preadv 295 69, pwritev 296 70, preadv2 327 286,
pwritev2 328 287, access 21 -, pipe 22 -, pipe2 293 59, select 23 -, pselect6 270 72, poll 7 -,
ppoll 271 73, sched_yield 24 124, mremap 25 216, msync 26 227, mincore 27 232, madvise 28 233,
mlock 149 228, mlock2 325 284, munlock 150 229, mlockall 151 230, munlockall 152 231,
membarrier 324 283, rseq 334 293, dup 32 23, dup2 33 -, dup3 292 24, pause 34 -,
nanosleep 35 101, getitimer 36 102, setitimer 38 103, alarm 37 -, getpid 39 172, gettid 186 178,
getppid 110 173, getpgrp 111 -, getpgid 121 155, setpgid 109 154, getsid 124 156, setsid 112 157,
fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, exit 60 93, exit_group 231 94,
wait4 61 260, waitid 247 95, kill 62 129, tkill 200 130, tgkill 234 131, pidfd_open 434 434,
pidfd_send_signal 424 424, uname 63 160, fcntl 72 25, flock 73 32, fsync 74 82, fdatasync 75 83,
sync_file_range 277 84, sync 162 81, syncfs 306 267, truncate 76 45, ftruncate 77 46,
fallocate 285 47, fadvise64 221 223, readahead 187 213, getdents 78 -, getdents64 217 61,
getcwd 79 17, chdir 80 49, fchdir 81 50, rename 82 -, renameat 264 38, renameat2 316 276,
mkdir 83 -, mkdirat 258 34, rmdir 84 -, creat 85 -, link 86 -, linkat 265 37, unlink 87 -,
unlinkat 263 35, symlink 88 -, symlinkat 266 36, readlink 89 -, readlinkat 267 78, chmod 90 -,
fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, chown 92 -, fchown 93 55, lchown 94 -,
fchownat 260 54, umask 95 166, stat 4 -, lstat 6 -, newfstatat 262 79, statx 332 291,
statfs 137 43, fstatfs 138 44, faccessat 269 48, faccessat2 439 439, open 2 -, openat 257 56,
openat2 437 437, close_range 436 436, utime 132 -, utimes 235 -, utimensat 280 88,
futimesat 261 -, getxattr 191 8, lgetxattr 192 9, fgetxattr 193 10, listxattr 194 11,
llistxattr 195 12, flistxattr 196 13, mknod 133 -, mknodat 259 33, gettimeofday 96 169,
time 201 -, times 100 153, clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115,
getrlimit 97 163, getrusage 98 165, sysinfo 99 179, getcpu 309 168, prctl 157 167,
arch_prctl 158 -, getuid 102 174, getgid 104 176, geteuid 107 175, getegid 108 177,
getresuid 118 148, getresgid 120 150, getgroups 115 158, setuid 105 146, setgid 106 144,
setreuid 113 145, setregid 114 143, setresuid 117 147, setresgid 119 149, setfsuid 122 151,
setfsgid 123 152, capget 125 90, rt_sigpending 127 136, rt_sigtimedwait 128 137,
rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, rt_sigsuspend 130 133, sigaltstack 131 132,
restart_syscall 219 128, signalfd 282 -, signalfd4 289 74, getpriority 140 141,
setpriority 141 140, sched_getparam 143 121, sched_setparam 142 118, sched_getscheduler 145 120,
sched_setscheduler 144 119, sched_get_priority_max 146 125, sched_get_priority_min 147 126,
sched_rr_get_interval 148 127, sched_setaffinity 203 122, sched_getaffinity 204 123,
sched_getattr 315 275, sched_setattr 314 274, ioprio_get 252 31, ioprio_set 251 30, futex 202 98,
futex_waitv 449 449, set_tid_address 218 96, set_robust_list 273 99, get_robust_list 274 100,
get_mempolicy 239 236, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21,
epoll_wait 232 -, epoll_pwait 281 22, epoll_pwait2 441 441, eventfd 284 -, eventfd2 290 19,
inotify_init 253 -, inotify_init1 294 26, inotify_add_watch 254 27, inotify_rm_watch 255 28,
timer_create 222 107, timer_settime 223 110, timer_gettime 224 108, timer_getoverrun 225 109,
timer_delete 226 111, timerfd_create 283 85, timerfd_settime 286 86, timerfd_gettime 287 87,
sendfile 40 71, copy_file_range 326 285, getrandom 318 278, pkey_alloc 330 289,
pkey_free 331 290, pkey_mprotect 329 288, cachestat 451 451"""

# Allowed for some values of an argument; see ``_with_arguments``.
_CHECKED = {
    "x86_64": {"clone": 56, "ioctl": 16, "mmap": 9, "personality": 135, "prlimit64": 302},
    "aarch64": {"clone": 220, "ioctl": 29, "mmap": 222, "personality": 92, "prlimit64": 261},
}
_X32 = 0x40000000  # set in the numbers of x86's second set of calls
# Calls since Linux 5.1 have the same number everywhere. Libraries try the newer ones, clone3 before
# all, and take an older one when the kernel seems not to know them.
_FIRST_NEW = 424
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
# TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: nothing that writes to a
# terminal (TIOCSTI, TIOCLINUX), and no device's own.
_IOCTLS = (0x5401, 0x540F, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20
_PERSONALITIES = (0, 0xFFFFFFFF)  # the ordinary one, and the question which it is


def filter_for(machine: str = "") -> bytes:
    """Assemble the filter of this machine, or raise KeyError where none is known for it."""
    machine = machine or platform.machine()
    instructions: list[Instruction] = [
        (LOAD, 0, 0, 4),
        (EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (GIVE, 0, 0, KILL),
        (LOAD, 0, 0, 0),
        (AT_LEAST, 0, 1, _X32),
        (GIVE, 0, 0, KILL),
    ]
    checks = _with_arguments()
    for name, number in _CHECKED[machine].items():
        instructions += [(EQUAL, 0, len(checks[name]), number), *checks[name]]
    for first, last in _ranges(allowed(machine).values()):
        instructions += [(GREATER, 2, 0, last), (AT_LEAST, 0, 1, first), (GIVE, 0, 0, ALLOW)]
    instructions += [
        (AT_LEAST, 0, 1, _FIRST_NEW),
        _refuse(errno.ENOSYS),
        _refuse(errno.EPERM),
    ]
    return assemble(instructions)


def allowed(machine: str) -> dict[str, int]:
    """Return the calls that are allowed whatever their arguments: name -> number."""
    column = ("x86_64", "aarch64").index(machine)
    calls = {}
    for entry in _ALLOWED.replace("\n", " ").split(","):
        name, *numbers = entry.split()
        if numbers[column] != "-":
            calls[name] = int(numbers[column])
    return calls


def _with_arguments() -> dict[str, list[Instruction]]:
    """Return what decides on a call by its arguments; the lower half of one is enough but once."""
    may, may_not = (GIVE, 0, 0, ALLOW), _refuse(errno.EPERM)
    return {
        "clone": [_argument(0), (ANY_BIT, 0, 1, _NEW_NAMESPACES), may_not, may],
        "ioctl": [_argument(1), *_one_of(_IOCTLS), _refuse(errno.ENOTTY), may],
        # Memory shared without a file could be filled and let go of: it would count for nobody.
        "mmap": [
            _argument(3),
            (AND, 0, 0, _MAP_SHARED | _MAP_ANONYMOUS),
            (EQUAL, 0, 1, _MAP_SHARED | _MAP_ANONYMOUS),
            may_not,
            may,
        ],
        "personality": [_argument(0), *_one_of(_PERSONALITIES), may_not, may],
        # Asking for a limit is fine; setting one is not: with RLIMIT_CORE at 0 instead of 1 a
        # machine whose core dumps go to a program would be handed this program's memory.
        "prlimit64": [
            _argument(2),
            (EQUAL, 0, 2, 0),
            _argument(2, upper=True),
            (EQUAL, 1, 0, 0),
            may_not,
            may,
        ],
    }


def _one_of(values: tuple[int, ...]) -> list[Instruction]:
    """Skip the instruction after these if the loaded value is one of the values."""
    return [(EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]


def _argument(index: int, upper: bool = False) -> Instruction:
    return (LOAD, 0, 0, 16 + 8 * index + 4 * upper)


def _refuse(number: int) -> Instruction:
    return (GIVE, 0, 0, REFUSE | number)


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Join numbers into (first, last) of runs without a gap, ascending."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
