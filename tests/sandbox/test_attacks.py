"""Hostile programs: what they try is refused, and the run after them is like the run before."""

from __future__ import annotations

import json
import os
import socket

import pytest

from leaderboards.sandbox import walls
from tests.sandbox import attacks
from tests.sandbox.attacks import OUT, PROBES, RUNS, program
from tests.sites import ROOT

GOOD = OUT + "open(out, 'wb').write(open(sys.argv[1], 'rb').read()[::-1])"


@pytest.fixture
def facts(tmp_path, monkeypatch):
    """Say what the attacks are to reach; it is there, and open to everybody who is not inside."""
    tmp_path.chmod(0o755)
    (tmp_path / "canary").write_text("of the machine")
    monkeypatch.setenv("PWM_DATA_KEY", "a secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield {
            "file": str(tmp_path / "canary"),
            "folder": str(ROOT),
            "settings": str(ROOT / "pwmsite" / "settings.py"),
            "truth": str(tmp_path),
            "process": os.getpid(),
            "port": server.getsockname()[1],
            "environment": [*walls.ENVIRONMENT, "PWD"],
        }


# What a refusal looks like; anything else, a mistake in the attack too, is none.
_ERRORS = ("PermissionError", "FileNotFoundError", "OSError", "NotADirectoryError")
REFUSALS = {
    attacks.ROOT: _ERRORS,
    attacks.PROCESSES: (*_ERRORS, "ProcessLookupError"),
    attacks.ENVIRONMENT: (*_ERRORS, "KeyError"),
    attacks.DESCRIPTORS: _ERRORS,
    attacks.MOUNTS: _ERRORS,
    attacks.USERS: _ERRORS,
    attacks.SECCOMP: (
        "PermissionError",
        "OSError: [Errno 38]",
        "OSError: [Errno 25]",
        "ended by -31",
    ),
}
_told: dict[str, str] = {}


@pytest.fixture
def told(run, facts):
    """Return what became of every probe; all are children of one program."""
    if not _told:
        probes = {f"{layer}: {name}": code for (layer, name), code in PROBES.items()}
        outcome = run(program(facts, probes), work_bytes=64 << 20)
        assert outcome.reason == "done", (outcome.detail, outcome.log)
        _told.update(json.loads(outcome.output))
    return _told


@pytest.mark.parametrize(("layer", "name"), PROBES, ids=lambda word: word.replace(" ", "-"))
def test_a_program_is_refused(layer, name, told):
    assert told[f"{layer}: {name}"].startswith(REFUSALS[layer])


@pytest.mark.parametrize("name", RUNS)
def test_a_hostile_run_ends_with_its_reason_and_leaves_nothing(name, run):
    hostile = RUNS[name]
    outcome = run(hostile.source, **hostile.limits)
    assert outcome.reason == hostile.reason, (outcome.detail, outcome.log[-500:])
    assert bool(outcome.output) is (hostile.reason == "done")
    after = run(GOOD, b"abc")
    assert (after.reason, after.output) == ("done", b"cba"), after
