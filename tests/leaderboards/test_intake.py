"""What the sandboxed reader takes and what it refuses; every case is a file made for it."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from leaderboards.intake.reader import CHILD, Refused, read_submission
from tests.leaderboards import hostile
from tests.leaderboards.hostile import (
    ACCEPTED,
    EXPECTED,
    EXPECTED_COMPLEX,
    REFUSED,
    SHAPE,
    write,
)
from tests.needs import FULL


def problems_of(path: Path, expected=EXPECTED) -> list[str]:
    with path.open("rb") as upload, pytest.raises(Refused) as refused:
        read_submission(upload, expected)
    return refused.value.problems


def reading_of(path: Path, expected=EXPECTED):
    with path.open("rb") as upload:
        return read_submission(upload, expected)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "submission.h5"


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_proper_file_is_read_exactly(name, path):
    write(path, **ACCEPTED[name])
    reading = reading_of(path)
    with h5py.File(path) as h5:
        for i, sample in enumerate(EXPECTED.samples):
            np.testing.assert_array_equal(reading.x_hat[i], h5[f"{sample}/x_hat"][:].astype("f4"))
    assert reading.corrected_spec == [{"tilt": 0.25, "gain": 1.0}] * 2


def test_intervals_of_the_spec_are_read_and_may_be_left_out_or_abstain(path):
    write(path, hostile.intervals('{"gain": null, "tilt": [-3, 0.5]}'))
    assert reading_of(path).spec_intervals == [None, {"tilt": (-3.0, 0.5), "gain": None}]


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_with_its_reason(name, path):
    hostile.other_file(path)
    edit, words = REFUSED[name]
    write(path, edit)
    problems = problems_of(path)
    for word in words:
        assert any(word in problem for problem in problems), problems
    assert all(problem.endswith(".") for problem in problems)
    assert str(hostile.CANARY) not in " ".join(problems)


@pytest.mark.parametrize("name", hostile.ACCEPTED_AS_COMPLEX)
def test_complex_numbers_are_read_exactly_where_the_object_is_complex(name, path):
    write(path, **hostile.ACCEPTED_AS_COMPLEX[name])
    reading = reading_of(path, EXPECTED_COMPLEX)
    with h5py.File(path) as h5:
        for i, sample in enumerate(EXPECTED.samples):
            assert reading.x_hat[i].dtype == np.complex64
            assert np.abs(reading.x_hat[i].imag).max() > 0.5
            np.testing.assert_array_equal(reading.x_hat[i], h5[f"{sample}/x_hat"][:].astype("c8"))


@pytest.mark.parametrize("name", hostile.REFUSED_AS_COMPLEX)
def test_what_is_no_complex_object_is_refused_with_its_reason(name, path):
    edit, words = hostile.REFUSED_AS_COMPLEX[name]
    write(path, edit, dtype="c16")
    problems = problems_of(path, EXPECTED_COMPLEX)
    for word in words:
        assert any(word in problem for problem in problems), problems
    assert all(problem.startswith("sample_01/x_hat") for problem in problems), problems


def test_a_block_before_the_signature_is_refused(path):
    write(path, file={"userblock_size": 512})
    assert "signature" in problems_of(path)[0]


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"\x89HDF\r\n\x1a", b"PK\x03\x04" + bytes(99), b"\x89HDF\r\n\x1a\n", bytes(5000)],
)
def test_what_is_not_hdf5_is_refused(content, path):
    path.write_bytes(content)
    assert "HDF5" in problems_of(path)[0]


def test_every_problem_is_reported_at_once(path):
    def edit(h5):
        hostile.data(np.zeros((3, 3)))(h5)
        hostile.spec("{}")(h5)
        h5["sample_00/x_hat"][0, 0] = np.nan
        h5["more"] = 1

    write(path, edit)
    where = [problem.split(":")[0] for problem in problems_of(path)]
    assert where == ["more", "sample_00/x_hat", "sample_01/x_hat", "sample_01/corrected_spec"]


def test_a_file_above_the_cap_is_refused_unopened(path):
    with path.open("wb") as file:
        file.truncate(EXPECTED.largest_file + 1)
    assert "at most" in problems_of(path)[0]


def test_two_hard_links_to_one_sample_are_fine(path):
    def edit(h5):
        del h5["sample_01"]
        h5["sample_01"] = h5["sample_00"]

    write(path, edit)
    assert len(reading_of(path).x_hat) == 2


def test_more_than_4096_chunks_are_refused(path):
    expected = hostile.Expectation(("sample_00",), (100, 100), {})
    with h5py.File(path, "w") as h5:
        group = h5.create_group("sample_00")
        group.create_dataset("x_hat", data=np.zeros((100, 100), "f4"), chunks=(1, 1))
        group.attrs["corrected_spec"] = "{}"
    with path.open("rb") as upload, pytest.raises(Refused, match="at most 4096 chunks"):
        read_submission(upload, expected)


@pytest.mark.parametrize("seed", range(40 if FULL else 12))
def test_a_damaged_file_is_refused_or_read_and_never_breaks_the_reader(seed, path):
    chance = random.Random(seed)
    write(path, **chance.choice(list(ACCEPTED.values())))
    content = bytearray(path.read_bytes())
    if seed % 4 == 0:
        del content[chance.randrange(len(content)) :]
    else:
        for _ in range(chance.choice((1, 8, 64, 512))):
            content[chance.randrange(8, min(len(content), 6000))] = chance.randrange(256)
    path.write_bytes(content)
    try:
        arrays = reading_of(path).x_hat
    except Refused:
        return
    assert all(x.shape == SHAPE and np.isfinite(x).all() for x in arrays)


# A process of its own: what a child's peak memory starts from is its parent's, and pytest is large.
WEIGH = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=sys.stdin, stdout=subprocess.DEVNULL)
_, _, usage = os.wait4(child.pid, 0)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
"""


@pytest.mark.parametrize("name", ["a chunk that inflates a thousandfold", "five thousand links"])
def test_the_worst_files_cost_hardly_more_than_a_good_one_and_less_than_300_megabytes(name, path):
    good, _ = cost(write(path))
    path.unlink()
    bad, memory = cost(write(path, REFUSED[name][0]))
    assert bad < 4 * good
    assert memory < 300e6


def cost(path: Path) -> tuple[float, float]:
    """Give the CPU seconds and the bytes that it takes to read a file."""
    reader = [sys.executable, "-I", str(CHILD), EXPECTED.to_json()]
    with path.open("rb") as upload:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", WEIGH, *reader],
            stdin=upload,
            capture_output=True,
            text=True,
            check=True,
        )
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


LOCKED = """
import sys, json, os, socket, ctypes
sys.path.insert(0, {folder!r})
from lockdown import lock_down
probe = {probe!r}
code = compile(probe, "probe", "exec")
lock_down(2, 64 << 20)
try:
    exec(code)
except BaseException as error:
    os.write(1, type(error).__name__.encode())
    os._exit(0)
os.write(1, b"allowed")
os._exit(0)
"""


@pytest.mark.parametrize(
    ("probe", "allowed"),
    [
        ("1 + 1", True),
        ("bytearray(1 << 20)", True),
        ("open('/etc/passwd')", False),
        ("open('/proc/self/environ', 'rb')", False),
        ("os.listdir('/')", False),
        ("open('/tmp/written', 'w')", False),
        ("socket.socket()", False),
        ("socket.socketpair()", False),
        ("os.fork()", False),
        ("os.execv('/bin/true', ['true'])", False),
        ("os.kill(os.getppid(), 0)", False),
        ("os.stat('/')", False),
        ("os.setuid(0)", False),
        ("os.dup(0)", False),
        ("os.mkdir('/tmp/made')", False),
        ("bytearray(1 << 30)", False),
    ],
)
def test_the_locked_down_child_can_compute_and_nothing_else(probe, allowed):
    program = LOCKED.format(folder=str(CHILD.parent), probe=probe)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout == "allowed") is allowed, (done.stdout, done.stderr)


def test_endless_computing_is_stopped_by_the_limit():
    program = LOCKED.format(folder=str(CHILD.parent), probe="while True: pass")
    done = subprocess.run([sys.executable, "-I", "-c", program], check=False)
    assert done.returncode < 0


def test_the_child_gets_nothing_of_the_servers_environment(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PWM_DATA_KEY", "secret")
    child = tmp_path / "child.py"
    child.write_text("import json, os; print(json.dumps({'problems': list(os.environ)}))")
    monkeypatch.setattr("leaderboards.intake.reader.CHILD", child)
    assert "PWM_DATA_KEY" not in problems_of(write(path))
