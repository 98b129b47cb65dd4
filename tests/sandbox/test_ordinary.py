"""The same guards for a worker that is not root, with a watch where no control group is its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leaderboards.sandbox import walls
from leaderboards.sandbox.launch.process_tree import processes_of
from leaderboards.sandbox.runtime import runtime
from tests.sandbox.attacks import OUT, PROBES, RUNS, program
from tests.sandbox.conftest import SMALL
from tests.sandbox.test_attacks import GOOD, REFUSALS
from tests.sites import ROOT

USER = 1_899_999_999
pytestmark = pytest.mark.skipif("os.geteuid() != 0", reason="Every other test shows it.")

# Each holds what it took, so that the watch sees it however busy the machine is.
WATCHED = {
    "a good program": ("done", GOOD, {}),
    "a fork bomb": ("processes", RUNS["a fork bomb"].source, {}),
    "a memory bomb": ("memory", RUNS["a memory bomb"].source, {}),
    "a memory bomb of many": ("memory", RUNS["a memory bomb of many processes"].source, {}),
    "a memory bomb of files": (
        "memory",
        RUNS["files beyond its memory"].source,
        RUNS["files beyond its memory"].limits,
    ),
    "shared pages, counted once": (
        "done",
        OUT
        + """
import time
held = b'x' * (100 << 20)
pipes = os.pipe()
for _ in range(4):
    if not os.fork():
        os.read(pipes[0], 1)
        os._exit(0)
time.sleep(1)
os.write(pipes[1], b'1234')
open(out, 'w').write('x')""",
        {},
    ),
    "a disk bomb": ("too_large", RUNS["a disk bomb"].source, {}),
    "CPU time of children": (
        "cpu",
        "import os\nfor _ in range(3): os.fork()\nwhile True: pass",
        {"cpu_seconds": 1},
    ),
}


def readable_python() -> str:
    """Return an interpreter that another user can start."""
    for path in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            subprocess.run([path, "-I", "-c", ""], user=USER, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return path
    raise AssertionError("There is no Python that an ordinary user can start.")


@pytest.fixture(scope="module")
def place(server_folder: Path) -> Path:
    """Lay out, for everybody to read, the runtime and what runs by path."""
    place = server_folder / "ordinary"
    for part in ("sandbox/launch", "guards"):
        shutil.copytree(ROOT / "leaderboards" / part, place / "leaderboards" / part)
    made = runtime().root.parent
    shutil.copytree(made, place / "runtime" / made.name, symlinks=True, copy_function=_link_or_copy)
    (place / "runtime" / "lock").touch()
    (place / "var").mkdir()
    for path in (place / "runtime" / "lock", place / "var"):
        os.chown(path, USER, USER)
    return place


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(scope="module")
def answers(place: Path, tmp_path_factory) -> dict:
    canary = tmp_path_factory.mktemp("canary") / "canary"
    canary.write_text("of the machine")
    facts = {
        "file": str(canary),
        "folder": str(place),
        "settings": str(ROOT / "pwmsite" / "settings.py"),
        "truth": str(canary.parent),
        "process": os.getpid(),
        "port": 9,
        "environment": [*walls.ENVIRONMENT, "PWD"],
    }
    probes = {f"{layer}: {name}": code for (layer, name), code in PROBES.items()}
    runs = {"probes": (program(facts, probes).decode(), {"work_bytes": 64 << 20})}
    runs |= {name: (source, limits) for name, (_, source, limits) in WATCHED.items()}
    given = [(source, {**SMALL.__dict__, **limits}) for source, limits in runs.values()]
    done = subprocess.run(
        [sys.executable, "-m", "tests.sandbox.ordinary", str(USER), str(place), readable_python()],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PWM_VAR": str(place / "var"),
            "PWM_RUNTIME": str(place / "runtime"),
        },
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    guards, *outcomes = json.loads(done.stdout)
    return guards | dict(zip(runs, outcomes, strict=True))


def test_every_guard_holds_and_who_runs_is_said_truly(answers):
    guards = answers["guards"]
    assert [name for name, (holds, _) in guards.items() if not holds] == []
    assert f"own user {USER}" in guards["user id"][1]
    assert "one program runs at a time" in guards["memory"][1]


def test_every_attack_is_refused(answers):
    told = json.loads(answers["probes"]["output"])
    for layer, name in PROBES:
        assert told[f"{layer}: {name}"].startswith(REFUSALS[layer]), name


@pytest.mark.parametrize("name", WATCHED)
def test_the_watch_ends_a_run_with_its_reason(name, answers):
    assert answers[name]["reason"] == WATCHED[name][0], answers[name]


def test_no_process_of_the_user_is_left(answers):
    assert processes_of(USER) == []
