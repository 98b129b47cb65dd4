"""Without a layer an attack gets through: what the layers are said to stop, they do stop.

The layers are taken away here alone, from what the launcher is told; the site has no such switch.
"""

from __future__ import annotations

import json
import os
import resource

import pytest

from tests.sandbox.attacks import program
from tests.sandbox.layers import no_filter, open_root, share


def tried(run, code, **facts):
    """Return what became of one probe."""
    outcome = run(program(facts, {"probe": code}), processes=16)
    assert outcome.reason == "done", (outcome.detail, outcome.log)
    return json.loads(outcome.output)["probe"]


def test_the_filter_refuses_keys_and_sockets(run, without):
    codes = ("socket.socket()", "call(250, 219, 0, -3, 1)", "os.memfd_create('x')")
    assert all("PermissionError" in tried(run, code) for code in codes)
    without(no_filter)
    assert [tried(run, code) for code in codes] == ["through"] * 3


def test_the_namespace_of_networks_keeps_the_machine_s_loopback_away(run, without):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)"
        without(no_filter)
        assert tried(run, code).startswith(("ConnectionRefusedError", "OSError"))
        without(share("net"))
        assert tried(run, code) == "through"


def test_the_namespace_of_processes_hides_the_worker(run, without):
    code = f"os.stat('/proc/{os.getpid()}')"
    assert "FileNotFoundError" in tried(run, code)
    without(share("pid"))
    assert tried(run, code) == "through"


@pytest.mark.skipif("os.geteuid() != 0", reason="Only root has users to drop to.")
def test_the_user_of_the_slot_may_not_signal_the_worker(run, without):
    code = f"os.kill({os.getpid()}, 0)"
    without(share("pid"))
    assert "PermissionError" in tried(run, code)

    def as_root(config):
        config["user"] = None

    without(as_root)
    assert tried(run, code) == "through"


def test_the_size_of_tmpfs_bounds_what_is_written(run, without):
    fill = "import sys\nwith open(sys.argv[2], 'wb') as file: file.write(bytes(3 << 20))"
    assert run(fill, work_bytes=1 << 20, output_bytes=8 << 20).reason == "too_large"

    def larger(config):
        config["limits"]["work_bytes"] = 64 << 20
        config["rlimits"] = [
            entry for entry in config["rlimits"] if entry[0] != resource.RLIMIT_FSIZE
        ]

    without(larger)
    assert run(fill, work_bytes=1 << 20, output_bytes=8 << 20).reason == "done"


def test_the_read_only_root_keeps_the_runtime_as_it_is(run, without):
    code = "open('/canary', 'w')"
    assert "Read-only" in tried(run, code)

    without(open_root)
    assert tried(run, code) == "through"
