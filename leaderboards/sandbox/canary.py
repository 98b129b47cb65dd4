"""What must fail in the sandbox, and what must work in it.

``ATTACKS`` is a program that tries to get out; it is run with the name of a file of this machine, a
port that listens on it, and the id of a process that can be signalled by whoever started it.
"""

from __future__ import annotations

import json

ATTACKS = """
import ctypes, json, os, socket, sys

FILE, PORT, PROCESS, ENVIRONMENT = {facts}

def reads_a_file_of_the_machine():
    open(FILE).read()

def writes_outside_its_folder():
    for folder in ("/", "/python", "/program", "/challenge", "/usr", "/proc", "/run", "/dev"):
        try:
            open(folder + "/canary", "w")
            return
        except OSError:
            pass
    raise OSError

def reaches_the_network():
    socket.create_connection(("127.0.0.1", PORT), timeout=2)

def makes_a_socket():
    socket.socketpair()

def sees_another_process():
    if {{int(name) for name in os.listdir("/proc") if name.isdigit()}} <= {{1, os.getpid()}}:
        os.kill(PROCESS, 0)

def sees_the_environment():
    if set(os.environ) <= set(ENVIRONMENT):
        raise OSError

def makes_a_namespace():
    if ctypes.CDLL(None).unshare(0x10000000):
        raise OSError

def gets_privileges():
    for line in open("/proc/self/status"):
        if line.startswith("CapBnd") and int(line.split()[1], 16):
            return
    os.setuid(0)

escaped = []
for attack in (reads_a_file_of_the_machine, writes_outside_its_folder, reaches_the_network,
               makes_a_socket, sees_another_process, sees_the_environment, makes_a_namespace,
               gets_privileges):
    try:
        attack()
        escaped.append(attack.__name__)
    except (OSError, AttributeError):
        pass
json.dump(escaped, open(sys.argv[2], "w"))
"""

FORK_BOMB = b"""
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""

GOOD = b"""
import sys
import h5py, numpy
with h5py.File(sys.argv[1]) as challenge, h5py.File(sys.argv[2], "w") as submission:
    submission["x_hat"] = 2 * challenge["y"][:]
"""


def attacks(file: str, port: int, process: int, environment: list[str]) -> bytes:
    """Return the program of attacks, told what it is to reach."""
    facts = json.dumps([file, port, process, environment])
    return ATTACKS.format(facts=facts).encode()
