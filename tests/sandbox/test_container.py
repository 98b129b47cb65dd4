"""Programs that are sent as a container: they run under the same layers as scripts."""

import io
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from django.conf import settings

from leaderboards.sandbox import (
    Image,
    Limits,
    Reason,
    Script,
    run_untrusted,
    why_no_containers,
)
from leaderboards.sandbox.runtime import PYTHON, runtime

from ..needs import needs
from .conftest import left_of
from .containers import config, digest, docker, file, folder, oci, symlink, tar

LIMITS = Limits(
    wall_seconds=120,
    cpu_seconds=60,
    memory_bytes=1 << 30,
    processes=16,
    output_bytes=4 << 20,
    log_bytes=1 << 16,
    work_bytes=16 << 20,
    files=100,
)
CHALLENGE = b"what was measured"


@pytest.fixture(scope="module")
def probe(tmp_path_factory) -> bytes:
    """A program without libraries, which runs in an image of nothing else."""
    built = tmp_path_factory.mktemp("probe") / "probe"
    source = Path(__file__).parent / "probe.c"
    subprocess.run([needs("cc", "gcc"), "-static", "-o", built, source], check=True)
    return built.read_bytes()


@pytest.fixture
def run(tmp_path, slot):
    """Run an archive in a slot of the tests' own; nothing of it is left after."""

    def run_archive(archive: bytes, challenge: bytes = CHALLENGE, **options):
        sent = tmp_path / "sent.tar"
        sent.write_bytes(archive)
        return run_untrusted(Image(sent), challenge, LIMITS, **options)

    yield run_archive
    assert left_of(slot) == []
    assert not slot.user or not images_of(slot.user)


def images_of(user: int) -> list[Path]:
    """Return the images that were unpacked for a user and are still there."""
    found = []
    for image in (Path(settings.PWM_RUNTIME) / "images").glob("image-*"):
        with suppress(FileNotFoundError):
            found += [image] * ((image / "root").stat().st_uid == user)
    return found


@pytest.mark.parametrize("form", [oci, docker])
def test_a_container_of_one_static_program_reads_and_writes(run, probe, form):
    layer = tar(file("probe", probe, mode=0o755))
    outcome = run(form(layer, Cmd=["/probe"]))
    assert outcome.reason == Reason.DONE, (outcome.detail, outcome.log)
    assert outcome.output == CHALLENGE
    assert outcome.runtime_sha256 == digest(config([layer], Cmd=["/probe"]))[7:]


METHOD = """
import sys
import h5py
import numpy as np

with h5py.File(sys.argv[-2]) as challenge, h5py.File(sys.argv[-1], "w") as submission:
    for name, sample in challenge.items():
        y = sample["y"][...]
        submission[f"{name}/x_hat"] = np.float32(np.fft.irfft(np.fft.rfft(y)[:9], y.size))
"""


def test_a_method_gives_the_same_as_a_container_and_as_a_script(run, rng):
    measured = io.BytesIO()
    with h5py.File(measured, "w") as challenge:
        for i in range(3):
            challenge[f"sample_{i}/y"] = rng.random(64)
    layers = [tar(*of_runtime()), tar(file("algo.py", METHOD.encode()))]
    archive = oci(*layers, packed=layers, Entrypoint=[PYTHON, "/algo.py"], Cmd=None)
    contained = run(archive, measured.getvalue())
    assert contained.reason == Reason.DONE, (contained.detail, contained.log)
    script = run_untrusted(Script(METHOD.encode()), measured.getvalue(), LIMITS)
    assert script.reason == Reason.DONE, (script.detail, script.log)
    with (
        h5py.File(io.BytesIO(contained.output)) as first,
        h5py.File(io.BytesIO(script.output)) as second,
    ):
        assert set(first) == {"sample_0", "sample_1", "sample_2"}
        for name in first:
            assert np.array_equal(first[name]["x_hat"], second[name]["x_hat"])
    assert contained.runtime_sha256 != script.runtime_sha256


def of_runtime():
    """Give what of this machine's Python an image needs to compute with NumPy and h5py."""
    root = runtime().root
    wanted = ("numpy", "numpy.libs", "h5py", "h5py.libs")
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        _, is_package, package = str(name).partition("/site-packages/")
        is_other = is_package and package.split("/")[0] not in wanted
        if is_other or "__pycache__" in name.parts:
            continue
        if path.is_symlink():
            yield symlink(str(name), str(path.readlink()))
        elif path.is_file():
            yield file(str(name), path.read_bytes(), mode=0o755)


def test_an_image_decides_its_variables_and_its_folder_and_nothing_else(run, probe):
    layer = tar(file("probe", probe, mode=0o4755, uid=0), folder("srv/method"))
    outcome = run(
        oci(
            layer,
            Entrypoint=["/probe", "look"],
            Cmd=["more"],
            Env=["A=b", "PATH=/nowhere", "HOME=/root", "LD_PRELOAD=/x.so"],
            WorkingDir="/srv/method",
            User="root",
        )
    )
    assert outcome.reason == Reason.DONE, (outcome.detail, outcome.log)
    first, *variables = outcome.log.decode().splitlines()
    assert first == "folder /srv/method user 1000,1000"
    found = dict(text.split("=", 1) for text in variables)
    assert found["A"] == "b"
    assert found["PATH"] == "/nowhere"
    assert found["HOME"] == "/work"
    assert not any("PWM" in text or "DJANGO" in text for text in variables)


@pytest.mark.parametrize("place", ["/work", "/tmp/x", "/proc/self", "/", ""])
def test_a_folder_that_a_run_has_of_its_own_is_work(run, probe, place):
    layer = tar(file("probe", probe, mode=0o755))
    outcome = run(oci(layer, Entrypoint=["/probe", "look"], WorkingDir=place))
    assert outcome.reason == Reason.DONE, (outcome.detail, outcome.log)
    assert outcome.log.startswith(b"folder /work user 1000,1000\n")


def test_an_image_cannot_be_written_to_and_its_links_lead_nowhere_else(run, probe):
    layer = tar(
        file("probe", probe, mode=0o755),
        file("other", mode=0o777),
        *(symlink(name, "/etc") for name in ("proc", "dev", "tmp", "work", "challenge", "sys")),
        folder("etc", mode=0o777),
        file("etc/passwd", b"theirs", mode=0o666),
        symlink("host", "/../../../etc/shadow"),
    )
    outcome = run(oci(layer, Entrypoint=["/probe", "write"]))
    assert outcome.reason == Reason.DONE, (outcome.detail, outcome.log)
    assert outcome.output == CHALLENGE
    for line in outcome.log.decode().splitlines():
        assert "Read-only" in line or "No such file" in line or "Permission denied" in line, line


def test_a_command_that_the_image_lacks_is_the_programs_fault(run, probe):
    outcome = run(oci(tar(file("etc/none"))))
    assert outcome.reason == Reason.FAILED
    assert "It did not start: execvp /run: No such file" in outcome.detail


def test_a_command_of_another_machine_is_the_programs_fault(run):
    outcome = run(oci(tar(file("run", b"\x7fELF" + bytes(60), mode=0o755))))
    assert outcome.reason == Reason.FAILED
    assert "It did not start: execvp /run: " in outcome.detail


def test_a_folder_that_a_link_leads_into_ours_is_the_programs_fault(run, probe):
    layer = tar(file("probe", probe, mode=0o755), symlink("srv", "/tmp/deep"))
    outcome = run(oci(layer, Cmd=["/probe"], WorkingDir="/srv/x"))
    assert outcome.reason == Reason.FAILED
    assert "It did not start: Can't chdir to /srv/x" in outcome.detail


def test_an_archive_that_is_refused_says_why_in_the_log(run):
    outcome = run(b"no archive at all" * 100)
    assert outcome.reason == Reason.FAILED
    assert outcome.log.startswith(b"It is no tar")
    assert outcome.output == b""


def test_an_archive_that_is_gone_is_the_machines_fault(tmp_path):
    outcome = run_untrusted(Image(tmp_path / "none.tar"), CHALLENGE, LIMITS)
    assert outcome.reason == Reason.SERVER


def test_where_a_layer_of_the_unpacking_is_missing_containers_are_blocked(
    run, monkeypatch, tmp_path
):
    assert why_no_containers() == ""
    child = tmp_path / "child.py"
    child.write_text("""print('{"unavailable": "the kernel has no Landlock"}')""")
    monkeypatch.setattr("leaderboards.sandbox.archive.CHILD", child)
    why_no_containers.cache_clear()
    try:
        assert "no Landlock" in why_no_containers()
    finally:
        why_no_containers.cache_clear()
    outcome = run(oci(tar(file("run"))))
    assert outcome.reason == Reason.BLOCKED
    assert "no Landlock" in outcome.detail


@pytest.mark.parametrize("phase", ["unpacking", "running"])
def test_what_a_beat_raises_ends_unpacking_and_run_and_leaves_nothing(run, probe, phase):
    class Cancelled(OSError):
        pass

    def beat(now, part):
        if now == phase:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(oci(tar(file("probe", probe, mode=0o755)), Cmd=["/probe"]), beat=beat)


def test_what_a_crash_left_is_gone_after_the_next_run(run, probe):
    left = Path(settings.PWM_RUNTIME) / "images" / "image-left"
    (left / "root").mkdir(parents=True)
    assert run(oci(tar(file("probe", probe, mode=0o755)), Cmd=["/probe"])).reason == Reason.DONE
    assert not left.exists()


def test_an_ordinary_user_unpacks_and_runs_a_container_too(probe, tmp_path):
    sent = tmp_path / "sent.tar"
    sent.write_bytes(oci(tar(file("probe", probe, mode=0o4755)), Cmd=["/probe", "look"]))
    command = [sys.executable, "-c", AS_USER, str(sent), str(tmp_path)]
    if os.geteuid() == 0:
        # Without a single capability, and with another id than root's: as anybody is.
        unshare = [needs("unshare", "util-linux"), "-U", "--map-user=1234", "--map-group=1234"]
        command = [*unshare, *command]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    user, reason, output, *log = said.stdout.splitlines()
    assert user != "0"
    assert (reason, output) == ("done", CHALLENGE.decode())
    assert log[0] == "folder /work user 1000,1000"
    assert list((tmp_path / "runtime" / "images").iterdir()) == []


AS_USER = f"""
import os, sys
from pathlib import Path
os.environ["DJANGO_SETTINGS_MODULE"] = "pwmsite.settings"
os.environ["PWM_VAR"] = sys.argv[2]
os.environ["PWM_RUNTIME"] = sys.argv[2] + "/runtime"
import django
django.setup()
from leaderboards.sandbox import Image, Limits
from leaderboards.sandbox.execute import run_unchecked
outcome = run_unchecked(Image(Path(sys.argv[1])), {CHALLENGE!r}, Limits())
print(os.geteuid(), outcome.reason, outcome.output.decode(), outcome.log.decode(), sep="\\n")
print(outcome.detail, file=sys.stderr)
"""


@pytest.fixture
def private_files():
    """Files that only their owner may read, as the whole site makes them."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_a_worker_whose_files_are_its_own_runs_scripts_and_containers(private_files, run, probe):
    source = b"import sys; open(sys.argv[2], 'w').write('x')"
    script = run_untrusted(Script(source), CHALLENGE, LIMITS)
    assert script.reason == Reason.DONE, (script.detail, script.log)
    contained = run(oci(tar(file("probe", probe, mode=0o755)), Cmd=["/probe"]))
    assert contained.reason == Reason.DONE, (contained.detail, contained.log)
