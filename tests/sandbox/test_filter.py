"""The filter of system calls, run here instruction by instruction for both architectures."""

from __future__ import annotations

import errno
import struct

import pytest

from leaderboards.sandbox.system_calls import allowed, filter_for

X86_64, AARCH64 = 0xC000003E, 0xC00000B7
ALLOW, KILL, EPERM, ENOSYS, ENOTTY = (
    0x7FFF0000,
    0x80000000,
    *(0x50000 | number for number in (errno.EPERM, errno.ENOSYS, errno.ENOTTY)),
)
MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}


def decision(machine: str, number: int, *arguments: int, architecture: int = 0) -> int:
    """Interpret the filter as the kernel does and return what it gives."""
    data = struct.pack(
        "=IIQ6Q", number, architecture or MACHINES[machine], 0, *(*arguments, *(0,) * 6)[:6]
    )
    program = list(struct.iter_unpack("HBBI", filter_for(machine)))
    at = value = 0
    while True:
        code, if_true, if_false, k = program[at]
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, k)
        elif code == 0x54:
            value &= k
        elif code == 0x06:
            return k
        else:
            holds = {0x15: value == k, 0x25: value > k, 0x35: value >= k, 0x45: bool(value & k)}
            at += if_true if holds[code] else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_exactly_the_listed_calls_are_allowed(machine):
    listed = set(allowed(machine).values())
    checked = {"x86_64": {56, 16, 9, 135, 302}, "aarch64": {220, 29, 222, 92, 261}}[machine]
    for number in range(1000):
        if number not in checked:
            expected = ALLOW if number in listed else ENOSYS if number >= 424 else EPERM
            assert decision(machine, number) == expected, number


@pytest.mark.parametrize("machine", MACHINES)
def test_no_call_of_sockets_namespaces_mounts_keys_or_tracing_is_listed(machine):
    words = {
        *("socket", "socketpair", "connect", "bind", "sendto", "sendmsg", "unshare", "setns"),
        *("mount", "umount2", "pivot_root", "chroot", "ptrace", "process_vm_readv", "keyctl"),
        *("add_key", "request_key", "bpf", "io_uring_setup", "userfaultfd", "perf_event_open"),
        *("seccomp", "setrlimit", "clone3", "memfd_create", "shmget", "open_by_handle_at"),
    }
    assert not words & set(allowed(machine))


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architecture_and_x32_end_the_program(machine):
    for architecture in (0x40000003, 0xC000003E, 0xC00000B7, 0x40000028):
        if architecture != MACHINES[machine]:
            assert decision(machine, 0, architecture=architecture) == KILL
    assert decision(machine, 0x40000000 + 1) == KILL
    assert decision(machine, 0xFFFFFFFF) == KILL


@pytest.mark.parametrize(
    ("calls", "arguments", "expected"),
    [
        # A thread, a child, and each kind of namespace.
        ((56, 220), (0x3D0F00,), ALLOW),
        ((56, 220), (0x1200011,), ALLOW),
        *(((56, 220), (flag | 17,), EPERM) for flag in (0x20000, *(1 << i for i in range(25, 31)))),
        ((56, 220), ((1 << 40) | 0x10000000,), EPERM),
        # Is it a terminal; how much is there to read; type into it; of a console; as a modem.
        ((16, 29), (0, 0x5401), ALLOW),
        ((16, 29), (0, 0x541B), ALLOW),
        ((16, 29), (0, 0x5412), ENOTTY),
        ((16, 29), (0, (1 << 32) | 0x5412), ENOTTY),
        ((16, 29), (0, 0x541C), ENOTTY),
        ((16, 29), (0, 0x5423), ENOTTY),
        # Private without a file, shared of a file, shared without one.
        ((9, 222), (0, 4096, 3, 0x22), ALLOW),
        ((9, 222), (0, 4096, 3, 0x01), ALLOW),
        ((9, 222), (0, 4096, 3, 0x21), EPERM),
        ((9, 222), (0, 4096, 3, 0x8023), EPERM),
        # Which personality; the ordinary one; one with addresses that are known.
        ((135, 92), (0xFFFFFFFF,), ALLOW),
        ((135, 92), (0,), ALLOW),
        ((135, 92), (0x40000,), EPERM),
        # Asking for a limit, setting one from below and from above 4 GiB.
        ((302, 261), (0, 7, 0, 0x1000), ALLOW),
        ((302, 261), (0, 7, 0x1000, 0), EPERM),
        ((302, 261), (0, 7, 0x7F00 << 32, 0), EPERM),
    ],
)
def test_some_calls_are_allowed_by_their_arguments(calls, arguments, expected):
    for machine, number in zip(MACHINES, calls, strict=True):
        assert decision(machine, number, *arguments) == expected
