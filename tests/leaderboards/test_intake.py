"""What the sandboxed reader takes and what it refuses; every case is a file made for it."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from leaderboards.intake import reader
from leaderboards.intake.reader import CHILD, IntakeUnavailable, Refused, read_submission
from tests.leaderboards import hostile
from tests.leaderboards.hostile import (
    ACCEPTED,
    EXPECTED,
    EXPECTED_COMPLEX,
    REFUSED,
    SHAPE,
    write,
)
from tests.needs import FULL, needs


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


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("flushed", [False, True])
def test_a_file_that_its_program_never_closed_is_called_so(libver, flushed, path):
    program = f"""
import os, h5py
file = h5py.File({str(path)!r}, "w", libver={libver!r})
for name in {EXPECTED.samples!r}:
    file.create_group(name)["x_hat"] = [[0.5] * {SHAPE[1]}] * {SHAPE[0]}
    if {flushed}:
        file.flush()
        break
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    if flushed:
        with path.open("ab") as file:  # what HDF5 has allotted since, and not yet noted
            file.write(bytes(2048))
    problems = problems_of(path)
    assert "not closed by the program that wrote it" in problems[0]
    assert "h5py.File" in problems[0]


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("part", [0.0005, 0.3, 0.9999])
def test_a_file_cut_short_is_called_so(libver, part, path):
    content = write(path, file={"libver": libver}).read_bytes()
    path.write_bytes(content[: max(20, int(len(content) * part))])
    (problem,) = problems_of(path)
    assert "The file is cut short" in problem


def test_text_in_an_array_of_one_is_taken_as_matlab_writes_it(path):
    def edit(h5):
        hostile.spec([hostile.SPEC])(h5)
        hostile.intervals(np.array([[b'{"tilt": null, "gain": [0, 1]}']]))(h5)

    write(path, edit)
    reading = reading_of(path)
    assert reading.corrected_spec[1] == {"tilt": 0.25, "gain": 1.0}
    assert reading.spec_intervals[1] == {"tilt": None, "gain": (0.0, 1.0)}


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


FOLDERS = [str(CHILD.parent), str(CHILD.parents[1] / "guards")]
LOCKED = """
import sys, json, os, socket, ctypes
sys.path[:0] = {folders!r}
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
    program = LOCKED.format(folders=FOLDERS, probe=probe)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout == "allowed") is allowed, (done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("machine", "digest"),
    [
        ("x86_64", "5d1189b5ce0ed78eeee2290941d8f26ef1d9e43b2a7737a9989e799ef0453250"),
        ("aarch64", "c9927f2c6b7109c6a31fcfe1719f0989da70123d7a462746c98399af64a085cc"),
    ],
)
def test_the_reader_s_filter_is_the_one_that_was_attacked(machine, digest):
    program = f"""
import sys
sys.path[:0] = {FOLDERS!r}
from lockdown import filter_for
sys.stdout.buffer.write(filter_for({machine!r}))
"""
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, check=True)
    assert hashlib.sha256(done.stdout).hexdigest() == digest


def test_endless_computing_is_stopped_by_the_limit_with_a_signal_that_says_so():
    program = LOCKED.format(folders=FOLDERS, probe="while True: pass")
    done = subprocess.run([sys.executable, "-I", "-c", program], check=False)
    assert done.returncode == -signal.SIGXCPU


@pytest.fixture(params=["alone", "in bubblewrap"])
def child(request, tmp_path, monkeypatch):
    """Let the reader run another program as its child, with or without bubblewrap around it."""
    words = ()
    if request.param == "in bubblewrap":
        words = (needs("bwrap", "bubblewrap"), *reader.WALLS)
        if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
            pytest.skip("This machine lets bubblewrap make no sandbox.")
    monkeypatch.setattr(reader, "_bubblewrap", lambda: words)
    # Inside bubblewrap, /tmp is the host's, read-only.
    program = tmp_path / "child.py"
    monkeypatch.setattr(reader, "CHILD", program)
    return program


def test_a_child_stopped_for_its_cpu_time_is_reported_as_that(child, path):
    child.write_text(
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (0, 1))\nwhile True: pass"
    )
    assert "2 s of CPU time" in problems_of(write(path))[0]


def test_a_file_that_takes_too_much_memory_is_reported_as_that(path):
    shape = (4096, 4096)
    with h5py.File(path, "w") as h5:
        group = h5.create_group("sample_00")
        group.create_dataset("x_hat", data=np.zeros(shape), chunks=shape, compression=1)
        group.attrs["corrected_spec"] = "{}"
    (problem,) = problems_of(path, hostile.Expectation(("sample_00",), shape, {}))
    assert "needs more memory to read than a submission may take" in problem


def test_a_child_that_takes_too_long_is_reported_as_that(child, path, monkeypatch):
    monkeypatch.setattr(reader, "WALL_SECONDS", 0.5)
    child.write_text("import time\ntime.sleep(3600)")
    assert "more than 0.5 s to read" in problems_of(write(path))[0]


def test_a_child_killed_from_outside_is_no_fault_of_the_file(child, path):
    child.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with write(path).open("rb") as upload, pytest.raises(IntakeUnavailable, match="memory"):
        read_submission(upload, EXPECTED)


def test_a_child_that_crashes_has_read_a_damaged_file(child, path):
    child.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    assert "damaged" in problems_of(write(path))[0]


ARRAYS = np.zeros((2, *SHAPE), "<f4")
SPECS = [{"tilt": 0.25, "gain": 1.0}] * 2
GOOD = {"specs": SPECS, "intervals": [None, {"tilt": [0, 1], "gain": None}]}
TOO_LARGE = np.where(np.arange(SHAPE[1]) == 3, 1e7, ARRAYS).astype("<f4")
NAN = np.where(np.arange(SHAPE[1]) == 3, np.nan, ARRAYS).astype("<f4")


def answering(header: object, body: bytes = ARRAYS.tobytes()) -> str:
    """Write a child that a hostile file controls: it answers what it likes."""
    program = "import sys\nsys.stdout.buffer.write({!r})"
    return program.format(json.dumps(header).encode() + b"\n" + body)


def test_a_proper_answer_is_taken(child, path):
    child.write_text(answering(GOOD))
    assert reading_of(write(path)).spec_intervals == [None, {"tilt": (0.0, 1.0), "gain": None}]


@pytest.mark.parametrize("child", ["alone"], indirect=True)
@pytest.mark.parametrize(
    ("header", "body"),
    [
        ({}, b""),
        ({"problems": "all is well"}, b""),
        ({"problems": []}, b""),
        ({"problems": [None]}, b""),
        ({"problems": [{"a": 1}]}, b""),
        ({"problems": ["no"] * 1001}, b""),
        ({"unavailable": ["no"]}, b""),
        (GOOD | {"specs": SPECS[:1]}, ARRAYS),
        (GOOD | {"specs": SPECS * 2}, ARRAYS),
        (GOOD | {"specs": "two"}, ARRAYS),
        (GOOD | {"specs": [SPECS[0], []]}, ARRAYS),
        (GOOD | {"specs": [SPECS[0], {"tilt": 0.25}]}, ARRAYS),
        (GOOD | {"specs": [SPECS[0], {"tilt": "0.25", "gain": 1}]}, ARRAYS),
        (GOOD | {"specs": [SPECS[0], {"tilt": True, "gain": 1}]}, ARRAYS),
        (GOOD | {"specs": [SPECS[0], {"tilt": 3, "gain": 1}]}, ARRAYS),
        (GOOD | {"specs": [SPECS[0], {"tilt": float("nan"), "gain": 1}]}, ARRAYS),
        ({"specs": SPECS}, ARRAYS),
        (GOOD | {"intervals": [None]}, ARRAYS),
        (GOOD | {"intervals": [None, {"tilt": None}]}, ARRAYS),
        (GOOD | {"intervals": [None, {"tilt": [0], "gain": None}]}, ARRAYS),
        (GOOD | {"intervals": [None, {"tilt": [1, 0], "gain": None}]}, ARRAYS),
        (GOOD | {"intervals": [None, {"tilt": [0, 1e400], "gain": None}]}, ARRAYS),
        (GOOD, ARRAYS[:1]),
        (GOOD, np.zeros((3, *SHAPE), "<f4")),
        (GOOD, NAN),
        (GOOD, TOO_LARGE),
    ],
)
def test_an_answer_that_no_honest_child_gives_is_refused(child, path, header, body):
    child.write_text(answering(header, bytes(body)))
    assert problems_of(write(path)) == [
        "The reader gave no proper answer; the file was not scored."
    ]


@pytest.mark.parametrize("child", ["alone"], indirect=True)
def test_a_message_of_the_child_is_cut_and_cleaned(child, path):
    child.write_text(answering({"problems": ["\x1b[31m" + "x" * 5000]}))
    (problem,) = problems_of(write(path))
    assert problem.startswith("?[31mxxx")
    assert len(problem) == 1000


@pytest.mark.parametrize("child", ["alone"], indirect=True)
def test_an_answer_nested_without_end_is_no_answer(child, path):
    child.write_text("import sys\nsys.stdout.write('[' * 100_000 + '\\n')")
    assert "damaged" in problems_of(write(path))[0]


def test_the_child_gets_nothing_of_the_servers_environment(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PWM_DATA_KEY", "secret")
    child = tmp_path / "child.py"
    child.write_text("import json, os; print(json.dumps({'problems': list(os.environ)}))")
    monkeypatch.setattr("leaderboards.intake.reader.CHILD", child)
    assert "PWM_DATA_KEY" not in problems_of(write(path))
