"""Give up rights, one layer a function: for good, and for this process and its children alone.

Standard library only, Linux only. Sources: prctl(2), landlock(7), seccomp(2), the kernel's uapi
headers ``linux/landlock.h``, ``linux/seccomp.h`` and ``linux/filter.h``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
from collections.abc import Iterable, Sequence

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_ADD_RULE = 445
_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_RULE_PATH_BENEATH = 1
# Number of file rights that each version of Landlock knows; TCP rights came with 4, scopes with 6.
_LANDLOCK_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_LANDLOCK_FILE_RIGHTS_NEWEST = 16

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Instructions of BPF that filters are made of; seccomp_data holds the number of the call at byte 0,
# the architecture at 4, and the arguments, 8 bytes each, from 16.
LOAD, EQUAL, GREATER, AT_LEAST, ANY_BIT, AND, GIVE = 0x20, 0x15, 0x25, 0x35, 0x45, 0x54, 0x06
KILL, ALLOW = 0x80000000, 0x7FFF0000
REFUSE = 0x00050000  # and the error number in the lower bits

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, value


class LockdownError(RuntimeError):
    """This kernel lacks a layer; nothing untrusted may be read or run here."""


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def become(user: int) -> None:
    """Be this user and group from now on, and in no other group; only root can."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def limit(limits: Iterable[tuple[int, int, int]]) -> None:
    """Set resource limits, each as (which, soft, hard)."""
    for which, soft, hard in limits:
        resource.setrlimit(which, (soft, hard))


def prctl(lib: ctypes.CDLL, layer: str, option: int, *args: object) -> None:
    if lib.prctl(option, *args, *(0,) * (4 - len(args))) != 0:
        raise LockdownError(f"the kernel refused the layer '{layer}' ({errno_text()})")


def landlock(lib: ctypes.CDLL, folder: int = -1, rights_below: int = 0) -> None:
    """Handle every right that this kernel knows, and allow none of them but some below a folder.

    folder: an open descriptor, or -1 for none. rights_below: LANDLOCK_ACCESS_FS_… of its files.
    """
    version = lib.syscall(_LANDLOCK_CREATE_RULESET, None, 0, 1)
    if version < 1:
        raise LockdownError(f"the kernel has no Landlock ({errno_text()})")
    rights = _LANDLOCK_FILE_RIGHTS.get(version, _LANDLOCK_FILE_RIGHTS_NEWEST)
    known = (1 << rights) - 1
    handled = struct.pack("=Q", known)
    if version >= 4:
        handled += struct.pack("=Q", 0b11)
    if version >= 6:
        handled += struct.pack("=Q", 0b11)
    ruleset = lib.syscall(_LANDLOCK_CREATE_RULESET, handled, len(handled), 0)
    if ruleset < 0:
        raise LockdownError(f"Landlock gave no ruleset ({errno_text()})")
    rule = struct.pack("=Qi", rights_below & known, folder)
    kind = _LANDLOCK_RULE_PATH_BENEATH
    if folder >= 0 and lib.syscall(_LANDLOCK_ADD_RULE, ruleset, kind, rule, 0) != 0:
        raise LockdownError(f"Landlock took no rule ({errno_text()})")
    if lib.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0:
        raise LockdownError(f"Landlock did not hold ({errno_text()})")
    os.close(ruleset)


def seccomp(lib: ctypes.CDLL, program: bytes) -> None:
    """Put every system call from now on through a filter."""
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    prctl(lib, "seccomp", PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, fprog)


def allow_only(machine: str, calls: Sequence[int]) -> bytes:
    """Assemble a filter: another architecture is killed, a call not listed gets EPERM."""
    lines = [
        (LOAD, 0, 0, 4),
        (EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (GIVE, 0, 0, KILL),
        (LOAD, 0, 0, 0),
    ]
    for i, number in enumerate(calls):
        lines.append((EQUAL, len(calls) - i, 0, number))
    return assemble([*lines, (GIVE, 0, 0, REFUSE | errno.EPERM), (GIVE, 0, 0, ALLOW)])


def memory_in_use() -> int:
    """Return the bytes of address space that this process has, which RLIMIT_AS counts."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def assemble(instructions: Iterable[Instruction]) -> bytes:
    """Write BPF instructions as the kernel takes them (``struct sock_filter``)."""
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)


def errno_text() -> str:
    return os.strerror(ctypes.get_errno())
