"""Where a guard is missing, no program runs, and the guard has its name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from leaderboards.sandbox import Guard, Limits, Reason, Script, preflight, run_untrusted
from leaderboards.sandbox import run as run_module
from tests.sandbox.layers import (
    no_filter,
    open_root,
    share,
    share_network,
    stop_everything,
    tell_a_secret,
)
from tests.sites import ROOT

preflights = sys.modules["leaderboards.sandbox.preflight"]


def test_every_guard_holds_here_and_can_be_written_down(slot):
    found = preflight(fresh=True)
    assert found.ok, found.missing
    names = {guard.name for guard in found.guards}
    assert {"bubblewrap", "user namespaces", "seccomp", "memory", "nothing gets out"} <= names
    assert json.loads(json.dumps(asdict(found)))["guards"][0]["holds"] is True
    assert all(guard.detail.endswith((".", "…")) for guard in found.guards)


def test_what_is_said_of_the_user_is_true_of_the_one_that_runs(slot):
    found = preflight()
    said = next(guard.detail for guard in found.guards if guard.name.startswith("user id"))
    assert str(slot.user // 1000 if slot.user else os.geteuid()) in said


def test_it_is_tried_once(slot, monkeypatch):
    first = preflight(fresh=True)
    monkeypatch.setattr(preflights, "_tried", lambda: pytest.fail("tried again"))
    assert preflight() is first


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put another bwrap in the way of the real one, or none."""

    def program(script: str | None):
        if script:
            (tmp_path / "bwrap").write_text(script)
            (tmp_path / "bwrap").chmod(0o755)
        tmp_path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        found = preflight(fresh=True)
        monkeypatch.setattr(run_module, "preflight", lambda: found)
        return found

    yield program
    monkeypatch.undo()
    preflights._found = None


@pytest.mark.parametrize(
    ("script", "guard"),
    [
        (None, "bubblewrap"),
        ("#!/bin/sh\necho usage: bwrap --unshare-all", "bubblewrap"),
        (
            '#!/bin/sh\n[ "$1" = --help ] && echo --disable-userns && exit 0\nexit 1',
            "a good program works",
        ),
        (
            '#!/bin/sh\n[ "$1" = --help ] && echo --disable-userns && exit 0\n'
            "echo 'bwrap: No permissions to create new namespace' >&2; exit 1",
            "a good program works",
        ),
    ],
    ids=["none", "too old", "it fails", "it may not"],
)
def test_without_a_bubblewrap_that_works_every_run_is_blocked(script, guard, program, slot):
    found = program(script)
    assert guard in found.missing
    outcome = run_untrusted(Script(b"open('submission.h5', 'w')"), b"", Limits())
    assert (outcome.reason, outcome.output) == (Reason.BLOCKED, b"")
    assert guard in outcome.detail


REFUSING = """
import errno, os, sys
from django.conf import settings
settings.configure(PWM_RUNTIME=sys.argv[2], PWM_RUN_CGROUP="")
sys.path.insert(0, "leaderboards/guards")
import kernel_guards as guards
refuse = (guards.GIVE, 0, 0, guards.REFUSE | errno.EPERM)
allow = (guards.GIVE, 0, 0, guards.ALLOW)
filters = {
    # prctl(PR_SET_SECCOMP) and seccomp(SECCOMP_SET_MODE_FILTER), but for this filter itself
    "seccomp": [(guards.LOAD, 0, 0, 0), (guards.EQUAL, 0, 2, 157), (guards.LOAD, 0, 0, 16),
                (guards.EQUAL, 2, 0, 22), (guards.LOAD, 0, 0, 0), (guards.EQUAL, 0, 1, 317),
                refuse, allow],
    # unshare and clone with CLONE_NEWUSER; clone3 is refused, as Docker's own profile does it
    "user namespaces": [(guards.LOAD, 0, 0, 0), (guards.EQUAL, 1, 0, 272), (guards.EQUAL, 0, 3, 56),
                        (guards.LOAD, 0, 0, 16), (guards.ANY_BIT, 0, 1, 0x10000000), refuse, allow],
}
library = guards.libc()
guards.prctl(library, "", guards.PR_SET_NO_NEW_PRIVS, 1)
guards.seccomp(library, guards.assemble(filters[sys.argv[1]]))
from leaderboards.sandbox import Limits, Script, preflight, run_untrusted
found = preflight()
outcome = run_untrusted(Script(b""), b"", Limits())
print(found.missing, outcome.reason, outcome.detail)
"""


@pytest.mark.skipif("os.uname().machine != 'x86_64'", reason="The numbers are those of x86_64.")
@pytest.mark.parametrize("guard", ["seccomp", "user namespaces"])
def test_a_kernel_that_refuses_a_guard_blocks_every_run_and_the_guard_is_named(guard, settings):
    done = subprocess.run(
        [sys.executable, "-c", REFUSING, guard, settings.PWM_RUNTIME],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(f"('{guard}',) blocked"), (done.stdout, done.stderr)
    assert guard in done.stdout.split("blocked")[1]


@pytest.mark.parametrize(
    ("change", "guard", "words"),
    [
        (open_root, "nothing gets out", "writes outside its folder"),
        (tell_a_secret, "nothing gets out", "sees the environment"),
        (share_network, "nothing gets out", "reaches the network"),
        (no_filter, "nothing gets out", "makes a socket"),
        (share("pid"), "nothing gets out", ""),
        (stop_everything, "a good program works", ""),
    ],
)
def test_the_canaries_notice_a_layer_that_does_not_hold(change, guard, words, slot, without):
    without(change)
    try:
        found = preflight(fresh=True)
    finally:
        preflights._found = None
    held = {each.name: each for each in found.guards}
    assert not held[guard].holds
    assert words in held[guard].detail


def test_a_guard_that_is_missing_is_tried_again_after_a_while(monkeypatch):
    """A machine that was short of memory for a moment does not stay blocked."""
    answers = [Guard("a", False, ""), Guard("a", True, ""), Guard("a", False, "")]
    now = 1000.0
    monkeypatch.setattr(preflights, "_tried", lambda: [answers.pop(0)])
    monkeypatch.setattr(preflights, "_found", None)
    monkeypatch.setattr(preflights.time, "monotonic", lambda: now)
    assert not preflight().ok
    now += preflights.AGAIN_AFTER_SECONDS / 2
    assert not preflight().ok
    now += preflights.AGAIN_AFTER_SECONDS
    assert preflight().ok
    now += 2 * preflights.AGAIN_AFTER_SECONDS
    assert preflight().ok
