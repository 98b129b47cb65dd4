"""Files are whole or not there: in a folder, on a disk that is full, and in S3."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from django.core.files.base import ContentFile, File

from modalities.storage import WholeFileStorage
from tests.disks import disk
from tests.servers import HOST, free_port, started
from tests.sites import site, wait

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
SMALL_DISK = 16  # KiB; a nap writes 32


class Broken(File):
    """An upload that breaks off in the middle."""

    def __init__(self) -> None:
        super().__init__(None, name="broken")

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield b"the first half"
        raise ConnectionResetError(errno.ECONNRESET, "The other side went away.")


@pytest.fixture
def storage(tmp_path: Path) -> WholeFileStorage:
    return WholeFileStorage(location=tmp_path)


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_file_has_its_name_and_bytes(storage: WholeFileStorage, tmp_path: Path):
    name = storage.save("runs/1/a.bin", ContentFile(b"abc"))
    assert (files(tmp_path), storage.open(name).read()) == (["runs/1/a.bin"], b"abc")


def test_upload_that_breaks_off_leaves_nothing(storage: WholeFileStorage, tmp_path: Path):
    with pytest.raises(ConnectionResetError):
        storage.save("a.bin", Broken())
    assert files(tmp_path) == []


def test_name_that_is_taken_keeps_its_file(storage: WholeFileStorage, tmp_path: Path):
    storage.save("a.bin", ContentFile(b"first"))
    other = storage.save("a.bin", ContentFile(b"second"))
    assert other != "a.bin"
    assert (tmp_path / "a.bin").read_bytes() == b"first"


def test_what_a_dead_writer_left_is_found_once_it_is_old(storage: WholeFileStorage, tmp_path: Path):
    left = tmp_path / ".unfinished-1"
    left.write_bytes(b"half")
    assert list(storage.unfinished()) == []
    os.utime(left, (time.time() - 7200,) * 2)
    assert list(storage.unfinished()) == [left]


@pytest.mark.parametrize(
    ("fault", "cure", "code", "words"),
    [
        (f"size={SMALL_DISK}k", "size=1m", "disk_full", "disk is full"),
        ("ro", "rw", "read_only", "cannot be written"),
    ],
)
def test_disk_that_fails_in_the_middle_of_a_job_is_named_and_leaves_no_partial_file(
    tmp_path: Path, fault: str, cure: str, code: str, words: str
):
    with disk(tmp_path / "media", "1m") as media, site(tmp_path, PWM_LEASE_SECONDS="10") as full:
        full.prepare()
        full.do("nap = Nap.objects.buy(purse, seconds=1.0)")
        full.prefix = media.enter
        full.worker()
        wait(lambda: full.do("nap.refresh_from_db() or nap.state") == "running")
        media.remount(fault)
        wait(lambda: full.do("nap.refresh_from_db() or nap.has_ended"))
        assert full.do("(nap.state, nap.error_code)") == ["failed", code]
        assert words in full.do("nap.error_message")
        assert media.files() == []
        media.remount(cure)
        assert full.do("nap.restart()")
        wait(lambda: full.do("nap.refresh_from_db() or nap.has_ended"))
        assert (full.do("nap.state"), len(media.files())) == ("succeeded", 1)
        full.kill_workers()  # before its disk goes


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, object]]:
    """A real server that speaks S3, with a bucket: the address for PWM_STORAGE, and a client."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
    with started(command, port, stderr=subprocess.DEVNULL):
        endpoint = f"http://{HOST}:{port}"
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        client.create_bucket(Bucket="pwm")
        yield f"s3://pwm/site?endpoint={endpoint}&region=us-east-1", client


def test_jobs_keep_their_files_in_s3(tmp_path: Path, s3: tuple[str, object]):
    address, client = s3
    with site(tmp_path, PWM_LEASE_SECONDS="4", PWM_STORAGE=address, **KEYS) as remote:
        remote.prepare()
        remote.do("nap = Nap.objects.buy(purse, seconds=0.2)")
        remote.worker()
        wait(lambda: remote.do("nap.refresh_from_db() or nap.has_ended"))
        assert remote.do("nap.state") == "succeeded"
        assert remote.do("len(nap.dreams.get().file.read())") == 64 * 64 * 8
        stored = client.list_objects_v2(Bucket="pwm")["Contents"]
        assert [f"site/{remote.do('nap.dreams.get().file.name')}"] == [o["Key"] for o in stored]
        breaks_off = "from tests.modalities.test_storage import Broken\n" + (
            "from django.core.files.storage import default_storage\n"
            "try: default_storage.save('broken', Broken())\n"
            "except Exception as error: said = type(error).__name__"
        )
        remote.do(breaks_off)
        assert remote.do("said")
        assert client.list_objects_v2(Bucket="pwm")["KeyCount"] == 1
