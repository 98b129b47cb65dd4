"""Kills that meet each kind of real work: a gallery run, a baseline, and the scoring of a file.

Two of them are held where they read a file: a pipe with the file's name that nobody writes into.
A kill counts once the process that it hit held the job; one that came late is tried again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.needs import FULL
from tests.sites import PLAIN, Site, Worker, site, wait

LEASE = "5"
ROUNDS = 3 if FULL else 1
PREPARE = """
import hashlib, io, json
import h5py
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from gallery.models import Run
from leaderboards.models import QUEUES, Attempt, Kind, Method, Variant, private_storage
from leaderboards.scoring.evidence import inputs_of
from modalities import datasets
from modalities.jobs import invariants
from modalities.management.commands.build_datasets import build
from modalities.models import Modality

stem = Modality.objects.get(key="stem")
build(stem, "public")
dataset = str(stem.datasets.get().file)
person = User.objects.create_user("ann")
wiener = Method.objects.get(physics_name="wiener")

def submission(number):
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        for name in datasets.sample_names(stem.spec, "public"):
            group = h5.create_group(name)
            group.create_dataset("x_hat", stem.spec.shape, "f4", fillvalue=0.1)[...] = 0.1
            group.attrs["corrected_spec"] = json.dumps(stem.spec.perturbed)
        h5["sample_00/x_hat"][0, 0] = number / 1000
    return file.getvalue()

def store(number):
    global content, name
    content = submission(number)
    name = private_storage().save("submissions/a.h5", ContentFile(content))
    return name

def submit(number):
    return Attempt.objects.submit(
        person, file=name, sha256=hashlib.sha256(content).hexdigest(), modality=stem,
        method=wiener, tier="public")

def run_baseline(number):
    given = {"modality": stem, "method": wiener, "tier": "public", "variant": Variant.NOMINAL}
    if first := Attempt.objects.filter(kind=Kind.BASELINE).first():
        return Attempt.objects.repeat(first)
    return Attempt.objects.enqueue(
        queue=QUEUES[Kind.BASELINE], kind=Kind.BASELINE, inputs=inputs_of(stem.spec, "public"),
        **given)
"""
ASK = {
    "gallery": "job = Run.objects.ask(stem, 'wiener')",
    "baseline": "job = run_baseline(given[0])",
    "scoring": "job = submit(given[0])",
}
# tests/gallery/test_worker.py kills a gallery run, too.
KINDS = tuple(ASK) if FULL else ("baseline", "scoring")


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    with site(folder, DJANGO_SETTINGS_MODULE=PLAIN, PWM_LEASE_SECONDS=LEASE) as made:
        made.migrate()
        made.manage("sync_catalogue")
        made.do(PREPARE)
        yield made


@contextmanager
def held(path: Path | None) -> Iterator[None]:
    """Put a pipe in the place of a file until the block ends: who opens it waits."""
    if path is None:
        yield
        return
    aside = path.with_name(f".{path.name}.aside")
    path.rename(aside)
    os.mkfifo(path)
    try:
        yield
    finally:
        aside.replace(path)


def read_first(kind: str, of: Site, number: int) -> Path | None:
    """Give the file that a job of this kind reads first; a gallery run reads none."""
    if kind == "scoring":
        return of.folder / "private" / of.do("store(given[0])", number)
    return of.folder / "media" / of.do("dataset") if kind == "baseline" else None


def strike(worker: Worker, whole: bool, of: Site) -> bool:
    """Kill the process that holds the job, or its whole worker; say whether it held it."""
    wait(lambda: of.do("job.refresh_from_db() or job.state") != "queued")
    victim = int(of.do("job.worker").rsplit(":", 1)[1])
    os.kill(victim, signal.SIGSTOP)
    landed = of.do("job.refresh_from_db() or job.state") == "running"
    worker.signal(signal.SIGKILL) if whole else os.kill(victim, signal.SIGKILL)
    return bool(landed)


@pytest.mark.parametrize("kind", KINDS)
def test_kill_in_the_middle_of_real_work_costs_a_try_and_no_result(kind: str, working: Site):
    landed = {False: 0, True: 0}  # by whether the whole worker was killed
    worker, number, whole = working.worker(), 0, kind == "baseline"
    while sum(landed.values()) < ROUNDS:
        number += 1
        with held(read_first(kind, working, number)):
            working.do(ASK[kind], number)
            hit = strike(worker, whole, working)
        if whole:
            worker = working.worker()
        wait(lambda: working.do("job.refresh_from_db() or job.has_ended"))
        assert working.do("(job.state, job.error_message)") == ["succeeded", ""]
        assert working.do("[e.event for e in job.events.all()]").count("reclaimed") == hit
        assert working.do("job.token") == 1 + hit
        landed[whole] += hit
        whole ^= hit
    assert working.do("invariants.problems()") == []
    working.kill_workers()
