"""Give this process mounts of its own, and lay out there what a run takes and where it writes.

Standard library only. As root a mount namespace is enough; anybody else makes a user namespace of
their own first, in which they may mount. All of it is gone with the last process inside.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from kernel_guards import LockdownError, errno_text, libc

# It is there on every Linux, and hides the machine's own /tmp from bubblewrap as well.
STAGE = Path("/tmp")  # noqa: S108

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18


def lay_out(root: str, owner: int, work_bytes: int, files: int, inputs: dict[str, int]) -> int:
    """Make the stage and return a descriptor of the folder that the program will write in.

    root: the root file system to run in. owner: the user of the program, as seen from here.
    work_bytes and files bound the folder. inputs: name of a file below ``inputs`` -> descriptor.
    """
    library = libc()
    _enter_namespace(library)
    root_descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY)
    size = sum(os.fstat(descriptor).st_size for descriptor in inputs.values()) + (1 << 20)
    _tmpfs(library, STAGE, f"mode=0755,size={size},nr_inodes=100")
    for name in ("root", "inputs", "work"):
        (STAGE / name).mkdir(mode=0o755)
    _mount(library, f"/proc/self/fd/{root_descriptor}", STAGE / "root", "", _MS_BIND | _MS_REC)
    os.close(root_descriptor)
    for name, descriptor in inputs.items():
        _copy(descriptor, STAGE / "inputs" / name)
    options = f"mode=0700,uid={owner},gid={owner},size={work_bytes},nr_inodes={files}"
    _tmpfs(library, STAGE / "work", options)
    return os.open(STAGE / "work", os.O_PATH | os.O_DIRECTORY)


def _enter_namespace(library: ctypes.CDLL) -> None:
    user, group = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    if library.unshare(flags) != 0:
        raise LockdownError(f"the kernel gives no namespace to user {user} ({errno_text()})")
    if user != 0:
        # Each id stays what it is; a group can be mapped only after giving up other groups.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _mount(library, "none", Path("/"), "", _MS_REC | _MS_PRIVATE)


def _tmpfs(library: ctypes.CDLL, at: Path, options: str) -> None:
    _mount(library, "tmpfs", at, "tmpfs", _MS_NOSUID | _MS_NODEV, options)


def _mount(
    library: ctypes.CDLL, source: str, at: Path, kind: str, flags: int, options: str = ""
) -> None:
    words = (source.encode(), os.fsencode(at), kind.encode() or None)
    if library.mount(*words, ctypes.c_ulong(flags), options.encode() or None) != 0:
        raise LockdownError(f"the kernel did not mount {at} ({errno_text()})")


def _copy(descriptor: int, to: Path) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    target = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    while os.sendfile(target, descriptor, None, 1 << 24):
        pass
    os.fchmod(target, 0o444)
    os.close(target)
