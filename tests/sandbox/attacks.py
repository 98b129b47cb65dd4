"""Programs that try to get out of the sandbox, each with the layer that stops it.

``PROBES`` are steps that must be refused: each runs in a child of one program, and gets through if
it raises nothing and lives. ``RUNS`` are whole programs, with the reason that their runs end with.
"""

from __future__ import annotations

import json
from typing import NamedTuple

SECCOMP, ROOT, MOUNTS, USERS = "seccomp", "root file system", "read-only mounts", "user namespace"
PROCESSES, ENVIRONMENT, DESCRIPTORS = "process namespace", "empty environment", "descriptors"

# Runs every probe in a child of its own and writes what became of it: "through", or why not.
PROGRAM = '''
import ctypes, errno, json, mmap, os, signal, socket, stat, sys, threading
FACTS, PROBES = {facts}, {probes}
MACHINE = os.uname().machine
libc = ctypes.CDLL(None, use_errno=True)

def call(x86_64, aarch64, *arguments):
    """Make a system call by its number."""
    number = x86_64 if MACHINE == "x86_64" else aarch64
    if number is None:
        raise OSError(errno.ENOSYS, "no such call here")
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def outcome(code):
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(20)
            exec(code, dict(globals()))
            said = "through"
        except BaseException as error:
            said = f"{{type(error).__name__}}: {{error}}"
        os.write(into, said.encode())
        os._exit(0)
    os.close(into)
    with open(out, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return said or f"ended by {{status}}"

json.dump({{name: outcome(code) for name, code in PROBES.items()}}, open(sys.argv[2], "w"))
'''


def program(facts: dict[str, object], probes: dict[str, str]) -> bytes:
    return PROGRAM.format(facts=json.dumps(facts), probes=json.dumps(probes)).encode()


def _seen(path: str) -> str:
    return f"open({path}, 'rb').read(1)"


def _written(path: str) -> str:
    return f"open({path!r}, 'w').write('x')"


# (layer, what it tries): code
PROBES: dict[tuple[str, str], str] = {
    (ROOT, "a file of the host"): _seen("FACTS['file']"),
    (ROOT, "the site's settings"): _seen("FACTS['settings']"),
    (ROOT, "the folder of truths"): "os.listdir(FACTS['truth'])",
    (ROOT, "the list of users"): _seen("'/etc/passwd'"),
    (ROOT, "somebody's home"): "os.listdir('/root')",
    (ROOT, "the root of the first process"): _seen("'/proc/1/root' + FACTS['file']"),
    (ROOT, "up from its own folder"): _seen("'../' * 40 + FACTS['file'][1:]"),
    (ROOT, "a shell"): "os.execv('/bin/sh', ['sh', '-c', ':'])",
    (ROOT, "the kernel's objects"): "os.listdir('/sys')",
    (ROOT, "a disk"): "os.open('/dev/vda', os.O_RDONLY)",
    (ROOT, "the terminal"): "os.open('/dev/tty', os.O_RDWR)",
    (ROOT, "a new terminal"): "os.openpty()",
    (ROOT, "the machine's memory"): _seen("'/dev/mem'"),
    (ROOT, "a setuid program"): """
found = [os.path.join(where, name) for where, _, names in os.walk('/') if '/proc' not in where
         for name in names if os.lstat(os.path.join(where, name)).st_mode & 0o6000]
if not found: raise OSError('none')""",
    (PROCESSES, "to see other processes"): """
if {int(name) for name in os.listdir('/proc') if name.isdigit()} <= {1, 2, os.getpid()}:
    raise OSError('none')""",
    (PROCESSES, "a signal to the worker"): "os.kill(FACTS['process'], 0)",
    (PROCESSES, "the worker's environment"): _seen("f\"/proc/{FACTS['process']}/environ\""),
    (PROCESSES, "the words that started the sandbox"): """
words = open('/proc/1/cmdline').read()
if FACTS['folder'] not in words and 'bind' not in words: raise OSError('none')""",
    (PROCESSES, "the end of its first process"): """
os.kill(1, signal.SIGKILL); os.kill(1, signal.SIGTERM)
if os.path.exists('/proc/1/stat'): raise OSError('it lives')""",
    (ENVIRONMENT, "a secret in the environment"): "os.environ['PWM_DATA_KEY']",
    (ENVIRONMENT, "any variable that is not ours"): """
if set(os.environ) <= set(FACTS['environment']): raise OSError('none')""",
    (ENVIRONMENT, "the first process's environment"): """
if not open('/proc/1/environ').read(): raise OSError('none')""",
    (DESCRIPTORS, "an open file of the worker"): """
kinds = [os.readlink(f'/proc/{pid}/fd/{name}') for pid in (2, os.getpid())
         for name in os.listdir(f'/proc/{pid}/fd') if os.path.lexists(f'/proc/{pid}/fd/{name}')]
if all(kind.startswith(('pipe:', '/dev/null', '/proc/')) for kind in kinds):
    raise OSError('none')""",
    (MOUNTS, "a change of its own source"): _written("/program/algo.py"),
    (MOUNTS, "a change of the challenge"): _written("/challenge/challenge.h5"),
    (MOUNTS, "a file in site-packages"): """
import json as near
folder = os.path.dirname(os.path.dirname(near.__file__)) + '/site-packages'
open(folder + '/sitecustomize.py', 'w')""",
    (MOUNTS, "a file at the root"): _written("/canary"),
    (MOUNTS, "a file among devices"): _written("/dev/canary"),
    (MOUNTS, "a file beside the challenge"): _written("/challenge/canary"),
    (MOUNTS, "a library"): _written("/lib/canary.so"),
    (MOUNTS, "the removal of a module"): "os.unlink(json.__file__)",
    (MOUNTS, "a second name of the challenge"): "os.link('/challenge/challenge.h5', '/work/c')",
    (USERS, "the name of the machine"): _written("/proc/sys/kernel/hostname"),
    (USERS, "what takes core dumps"): _written("/proc/sys/kernel/core_pattern"),
    (USERS, "the magic key"): _written("/proc/sysrq-trigger"),
    (USERS, "root"): "os.setuid(0)",
    (USERS, "another group"): "os.setgroups([0])",
    (USERS, "a device"): "os.mknod('/work/null', stat.S_IFCHR | 0o600, os.makedev(1, 3))",
    (USERS, "to give a file to root"): "os.chown('/work', 0, 0)",
    (USERS, "a setuid copy of Python"): """
import shutil
shutil.copy(sys.executable, '/work/python'); os.chmod('/work/python', 0o6755)
if os.geteuid() == 1000 and os.stat('/work/python').st_uid == 1000:
    raise OSError('only its own')""",
    (USERS, "real-time priority"): "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    (USERS, "to go first"): "os.nice(-5)",
    (SECCOMP, "a socket to loopback"): "socket.create_connection(('127.0.0.1', FACTS['port']), 2)",
    (SECCOMP, "a socket to outside"): "socket.create_connection(('192.0.2.1', 80), 2)",
    (SECCOMP, "a datagram"): "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    (SECCOMP, "an IPv6 socket"): "socket.socket(socket.AF_INET6)",
    (SECCOMP, "an abstract socket"): "socket.socket(socket.AF_UNIX).bind('\\0canary')",
    (SECCOMP, "a pair of sockets"): "socket.socketpair()",
    (SECCOMP, "netlink"): "socket.socket(16, socket.SOCK_RAW, 0)",
    (SECCOMP, "vsock"): "socket.socket(40, socket.SOCK_STREAM)",
    (SECCOMP, "raw packets"): "socket.socket(17, socket.SOCK_RAW)",
    (SECCOMP, "the kernel's ciphers"): "socket.socket(38, socket.SOCK_SEQPACKET)",
    (SECCOMP, "to be traced"): "call(101, 117, 0, 0, 0, 0)",
    (SECCOMP, "to trace its parent"): "call(101, 117, 16, os.getppid(), 0, 0)",
    (SECCOMP, "another process's memory"): "call(310, 270, 1, 0, 0, 0, 0, 0)",
    (SECCOMP, "another process's file"): "call(438, 438, 0, 0, 0)",
    (SECCOMP, "a mount"): "call(165, 40, b'none', b'/work', b'tmpfs', 0, 0)",
    (SECCOMP, "the end of a mount"): "call(166, 39, b'/python', 2)",
    (SECCOMP, "the new way to mount"): "call(430, 430, b'tmpfs', 0)",
    (SECCOMP, "a copy of a mount"): "call(428, 428, -100, b'/', 1)",
    (SECCOMP, "another root"): "call(155, 41, b'/work', b'/work')",
    (SECCOMP, "chroot"): "os.chroot('/work')",
    (SECCOMP, "a user namespace"): "call(272, 97, 0x10000000)",
    (SECCOMP, "a mount namespace"): "call(272, 97, 0x20000)",
    (SECCOMP, "a child in a user namespace"): "call(56, 220, 0x10000011, 0, 0, 0, 0)",
    (SECCOMP, "clone3"): "call(435, 435, ctypes.create_string_buffer(88), 88)",
    (SECCOMP, "another namespace"): "call(308, 268, os.open('/proc/1/ns/net', 0), 0)",
    (SECCOMP, "keys"): "call(250, 219, 0, -3, 1)",
    (SECCOMP, "a key of its own"): "call(248, 217, b'user', b'a', b'b', 1, -3)",
    (SECCOMP, "BPF"): "call(321, 280, 0, ctypes.create_string_buffer(128), 128)",
    (SECCOMP, "io_uring"): "call(425, 425, 8, ctypes.create_string_buffer(128))",
    (SECCOMP, "userfaultfd"): "call(323, 282, 1)",
    (SECCOMP, "profiling"): "call(298, 241, ctypes.create_string_buffer(128), 0, -1, -1, 0)",
    (SECCOMP, "memory without a name"): "os.memfd_create('canary')",
    (SECCOMP, "secret memory"): "call(447, 447, 0)",
    (SECCOMP, "shared memory that counts for nobody"): "mmap.mmap(-1, 4096)",
    (SECCOMP, "shared memory of System V"): "call(29, 194, 0, 4096, 0o1600)",
    (SECCOMP, "a message queue"): "call(240, 180, b'canary', 0o102, 0o600, 0)",
    (SECCOMP, "files by handle"): "call(304, 265, -100, ctypes.create_string_buffer(64), 0)",
    (SECCOMP, "watching all files"): "call(300, 262, 0, 0)",
    (SECCOMP, "addresses that are known"): "call(135, 92, 0x0040000)",
    (SECCOMP, "a kernel module"): "call(313, 273, 0, b'', 0)",
    (SECCOMP, "another kernel"): "call(246, 104, 0, 0, 0, 0)",
    (SECCOMP, "a restart"): "call(169, 142, 0xfee1dead, 672274793, 0, 0)",
    (SECCOMP, "swap"): "call(167, 224, b'/work/swap', 0)",
    (SECCOMP, "the clock"): "call(227, 112, 0, ctypes.create_string_buffer(16))",
    (SECCOMP, "the kernel's log"): "call(103, 116, 3, ctypes.create_string_buffer(64), 64)",
    (SECCOMP, "the machine's ports"): "call(172, None, 3)",
    (SECCOMP, "moving pipes' pages"): "call(278, 75, 1, 0, 0, 0)",
    (SECCOMP, "a limit that lets cores out"): "call(302, 261, 0, 4, bytes(16), 0)",
    (SECCOMP, "typing into the terminal"): """
import fcntl
fcntl.ioctl(0, 0x5412, b'x')""",
    (SECCOMP, "a filter's listener"): "call(317, 277, 1, 8, 0)",
    (SECCOMP, "calls of x32"): "call(0x40000000 + 39, None)",
    (SECCOMP, "calls of i386"): """
if MACHINE != 'x86_64': raise OSError
page = libc.mmap
page.restype = ctypes.c_void_p
page.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
at = page(None, 4096, 7, 0x22, -1, 0)
words = bytes.fromhex('b814000000cd80c3')  # mov eax, 20; int 0x80; ret
ctypes.memmove(at, words, len(words))
ctypes.CFUNCTYPE(ctypes.c_int)(at)()""",
}


class Hostile(NamedTuple):
    """A program, the layer that stops it, and how its run ends."""

    layer: str
    reason: str
    source: str
    limits: dict[str, float] = {}


OUT = "import os, sys\nout = sys.argv[2]\n"
RUNS: dict[str, Hostile] = {
    "an endless loop": Hostile("wall clock", "time", "while True: pass", {"wall_seconds": 1}),
    "a loop beyond its CPU time": Hostile("CPU", "cpu", "while True: pass", {"cpu_seconds": 1}),
    "a loop that ignores the limit's signal": Hostile(
        "CPU",
        "cpu",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        {"cpu_seconds": 1},
    ),
    "sleep that ignores every signal": Hostile(
        "wall clock",
        "time",
        """
import signal, time
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
time.sleep(600)""",
        {"wall_seconds": 1},
    ),
    "a fork bomb": Hostile(
        "processes",
        "processes",
        """
import os, time
while True:
    try:
        if not os.fork(): time.sleep(600)
    except OSError: pass""",
    ),
    "too many threads": Hostile(
        "processes",
        "processes",
        """
import threading, time
while True:
    try: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    except RuntimeError: pass""",
    ),
    "a memory bomb": Hostile(
        "memory", "memory", "import time\nheld = b'x' * (260 << 20)\ntime.sleep(600)"
    ),
    "a memory bomb of many processes": Hostile(
        "memory",
        "memory",
        """
import os, time
for _ in range(6):
    if not os.fork(): break
held = b'x' * (45 << 20)
time.sleep(600)""",
    ),
    "files beyond its memory": Hostile(
        "memory",
        "memory",
        """
import time
with open('held', 'wb') as file:
    for _ in range(190): file.write(b'x' * (1 << 20))
held = b'x' * (100 << 20)
time.sleep(600)""",
        {"work_bytes": 200 << 20},
    ),
    "a disk bomb": Hostile(
        "size of tmpfs",
        "too_large",
        "with open('bomb', 'wb') as file:\n    while True: file.write(b'x' * (1 << 20))",
    ),
    "a bomb of files": Hostile(
        "files of tmpfs", "too_large", "for i in range(10**6): open(f'{i}', 'w').close()"
    ),
    "a flood of words": Hostile(
        "log", "too_large", "while True: print('x' * 1000)", {"log_bytes": 100_000}
    ),
    "an output that is a link": Hostile(
        "output", "no_output", OUT + "os.symlink('/challenge/challenge.h5', out)"
    ),
    "an output below a link": Hostile(
        "output", "no_output", OUT + "os.symlink('/proc/self/root/etc/passwd', out)"
    ),
    "an output that is a pipe": Hostile("output", "no_output", OUT + "os.mkfifo(out)"),
    "an output that is a folder": Hostile("output", "no_output", OUT + "os.mkdir(out)"),
    "an output of two names": Hostile(
        "output", "no_output", OUT + "open('a', 'w').close(); os.link('a', out)"
    ),
    "an output of holes": Hostile(
        "output", "too_large", OUT + "open(out, 'wb').truncate(16 << 20)"
    ),
    "no output": Hostile("output", "no_output", "print('I have PSNR 99 dB and score 1.0')"),
    "an exit code of 42": Hostile("exit code", "failed", OUT + "open(out, 'w'); sys.exit(42)"),
    "a signal to itself": Hostile(
        "signal", "signal", OUT + "open(out, 'w'); os.kill(os.getpid(), 9)"
    ),
    "another architecture's calls": Hostile(
        "seccomp",
        "signal",
        "import ctypes\nctypes.CDLL(None).syscall(0x40000000 + 39)",
    ),
    "everything killed": Hostile(
        "process namespace",
        "done",
        OUT + "import time\nif not os.fork(): time.sleep(600)\n"
        "os.kill(-1, 9); os.wait(); open(out, 'w').write('x')",
    ),
    "a daemon that outlives": Hostile(
        "process namespace",
        "done",
        OUT
        + """
import time
open(out, 'w').write('x')
if not os.fork():
    os.setsid()
    if not os.fork():
        for number in (1, 2): os.close(number)
        time.sleep(600)
    os._exit(0)
os.wait()""",
    ),
    "an output that changes while it is read": Hostile(
        "output",
        "done",
        OUT
        + """
open(out, 'wb').write(b'a' * 1000)
if not os.fork():
    while True:
        for letter in b'ab':
            open('next', 'wb').write(bytes([letter]) * 1000)
            os.rename('next', out)
os._exit(0)""",
    ),
    "a module in the way of others": Hostile(
        "size of tmpfs",
        "done",
        OUT
        + """
for name in ('numpy', 'json', 'sitecustomize', 'usercustomize'):
    open(f'/work/{name}.py', 'w').write('raise SystemExit(9)')
open(out, 'w').write('x')""",
    ),
    "zombies": Hostile(
        "process namespace",
        "done",
        OUT + "for _ in range(8):\n    if not os.fork(): os._exit(0)\nopen(out, 'w').write('x')",
    ),
}
