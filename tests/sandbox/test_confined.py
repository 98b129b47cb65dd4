"""The child that unpacks archives, as if an archive had taken it over: what it still can do."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from leaderboards.sandbox.images.caps import Caps

SANDBOX = Path(__file__).resolve().parents[2] / "leaderboards" / "sandbox"

# Runs as the child does, and tries one thing after it gave up its rights.
CHILD = """
import ctypes, json, os, socket, sys, time
outside, uid, folder, attack = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
sys.path += sys.argv[5:]
from images.caps import Caps
from images.confine import confine
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    if libc.syscall(*args) < 0:
        raise OSError(ctypes.get_errno(), "refused")
if uid >= 0:
    confine(folder, uid, os.getppid(), Caps(cpu_seconds=5))
try:
    exec(attack)
except (OSError, ValueError, MemoryError) as error:
    os.write(1, b"refused")
else:
    os.write(1, b"done")
os._exit(0)
"""


def confined(
    attack: str, outside: Path, folder: Path, uid: int = 65534
) -> subprocess.CompletedProcess:
    """Run an attack in a child; with ``uid`` -1 in one that gave up nothing."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return subprocess.run(
            [
                *(sys.executable, "-I", "-c", CHILD, str(outside), str(uid), str(opened), attack),
                *(str(SANDBOX), str(SANDBOX.parent / "guards"), str(SANDBOX.parent / "intake")),
            ],
            pass_fds=[opened],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
    finally:
        os.close(opened)


@pytest.fixture
def places():
    """A folder that any user may write to, and the one that the child has."""
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o777)
        outside, inside = Path(top) / "outside", Path(top) / "inside"
        for folder in (outside, inside):
            folder.mkdir()
            folder.chmod(0o777)
        (outside / "bird").write_text("sings")
        (outside / "bird").chmod(0o666)
        yield outside, inside


REFUSED = {
    "read a file": "os.open(outside + '/bird', os.O_RDONLY)",
    "read a file by a way up": "os.open('../outside/bird', os.O_RDONLY, dir_fd=folder)",
    "write a file": "os.open(outside + '/bird', os.O_WRONLY)",
    "make a file": "os.open(outside + '/nest', os.O_WRONLY | os.O_CREAT, dir_fd=folder)",
    "make a folder": "os.mkdir('../outside/nest', dir_fd=folder)",
    "remove a file": "os.unlink('../outside/bird', dir_fd=folder)",
    "list a folder": "os.listdir(outside)",
    "link a file in": "os.link('../outside/bird', 'a', src_dir_fd=folder, dst_dir_fd=folder)",
    "link a file out": (
        "os.close(os.open('a', os.O_WRONLY | os.O_CREAT, dir_fd=folder));"
        "os.link('a', '../outside/a', src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)"
    ),
    "make a link outside": "os.symlink('/etc', '../outside/link', dir_fd=folder)",
    "write through a link": (
        "os.symlink(outside + '/bird', 'way', dir_fd=folder);"
        "os.open('way', os.O_WRONLY, dir_fd=folder)"
    ),
    "replace its own folder": "os.rmdir('../inside', dir_fd=folder)",
    "make a FIFO": "os.mkfifo('pipe', dir_fd=folder)",
    "make a device": "os.mknod('disk', 0o60666, os.makedev(8, 0), dir_fd=folder)",
    "make a socket": "socket.socket()",
    "make a socket of a path": "socket.socket(socket.AF_UNIX)",
    "make a pair of sockets": "socket.socketpair()",
    "fork": "os.fork()",
    "start a program": "os.execv('/bin/true', ['true'])",
    "signal the parent": "os.kill(os.getppid(), 0)",
    "become root": "os.setuid(0)",
    "get new namespaces": "call(272 if os.uname().machine == 'x86_64' else 97, 0x10000000)",
    "set an extended attribute": "os.setxattr(folder, 'user.a', b'b')",
    "take more memory": "bytes(1 << 30)",
    "open the memory of the parent": "os.open(f'/proc/{os.getppid()}/mem', os.O_RDWR)",
    "open its own memory": "os.open('/proc/self/mem', os.O_RDWR)",
    "mount": "call(165 if os.uname().machine == 'x86_64' else 40, b'a', b'/', b'tmpfs', 0, None)",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_child_that_was_taken_over_cannot(places, name):
    outside, inside = places
    done = confined(REFUSED[name], outside, inside)
    assert done.stdout == b"refused", done.stderr
    assert [(x.name, x.read_text()) for x in outside.iterdir()] == [("bird", "sings")]


# What an ordinary user could do in the same place, and only the confinement stops.
ORDINARY = (
    *("read a file", "read a file by a way up", "write a file", "make a file", "make a folder"),
    *("remove a file", "list a folder", "link a file in", "link a file out"),
    *("make a link outside", "write through a link", "replace its own folder", "make a FIFO"),
    *("make a socket", "make a socket of a path", "make a pair of sockets", "fork"),
    *("signal the parent", "take more memory", "open its own memory"),
)


@pytest.mark.parametrize("name", ORDINARY)
def test_the_same_attack_works_where_the_child_gave_up_nothing(places, name):
    done = confined(REFUSED[name], *places, uid=-1)
    assert done.stdout.startswith(b"done"), done.stderr


ALLOWED = {
    "make a file": (
        "file = os.open('a', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder);"
        "os.write(file, b'x'); os.fchmod(file, 0o755); os.close(file)"
    ),
    "make folders and links": (
        "os.mkdir('d', dir_fd=folder); os.symlink('/etc', 'l', dir_fd=folder);"
        "os.readlink('l', dir_fd=folder); os.listdir(folder); os.rmdir('d', dir_fd=folder)"
    ),
    "link from folder to folder": (
        "os.close(os.open('a', os.O_WRONLY | os.O_CREAT, dir_fd=folder));"
        "os.mkdir('d', dir_fd=folder);"
        "os.link('a', 'd/b', src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)"
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_the_child_can_make_what_an_image_has(places, name):
    done = confined(ALLOWED[name], *places)
    assert done.stdout == b"done", done.stderr


def test_the_caps_travel_to_the_child_as_they_are():
    caps = Caps(members=7)
    assert Caps.from_json(caps.to_json()) == caps
    assert json.loads(caps.to_json())["members"] == 7
