"""The blind challenge in tests: STEM's data built once in a folder, and what its starter writes."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now

from leaderboards import ranking, tasks
from leaderboards.catalogue import enlist, sync_everything
from leaderboards.models import QUEUES, Attempt, Kind, Method
from leaderboards.scoring.compute import compute
from leaderboards.views.methods import STARTERS
from modalities import datasets, physics
from modalities.jobs import State, worker
from modalities.models import Dataset, Modality

from .factories import make_method, make_modality
from .sites import made_once

PASSWORD = "correct horse"
ROWS = "datasets.json"  # what is known of the data, by tier


def move_in(settings: Any, folder: Path) -> None:
    """Keep the tiers' data in ``folder``; uploads stay where the models' fields have them."""
    backend = "modalities.storage.WholeFileStorage"
    settings.TRUTH_DIR, settings.MEDIA_ROOT = folder / "truth", folder / "media"
    settings.MEASUREMENTS_DIR = folder / "measurements"
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": backend, "OPTIONS": {"location": str(folder / "media")}},
    }


def open_challenge(settings: Any, folder: Path, catalogue: bool = True) -> Modality:
    """Give STEM with the data of its tiers in ``folder``; a run of the tests makes them once.

    catalogue: fill in all that pages show of it; without, only the methods that run here, which
    takes a tenth of the time.
    """
    move_in(settings, folder)
    if catalogue:
        sync_everything()
    else:
        make_modality("stem")
        enlist()
    stem, rows = Modality.objects.get(key="stem"), folder / ROWS
    if not rows.exists():

        def build(draft: Path) -> None:
            move_in(settings, draft)
            written = {tier: datasets.build(stem.spec, tier) for tier in physics.TIERS}
            (draft / ROWS).write_text(json.dumps({t: asdict(w) for t, w in written.items()}))

        made = made_once("data of STEM", build)
        move_in(settings, folder)
        shutil.copytree(made, folder, dirs_exist_ok=True)
    for tier, row in json.loads(rows.read_text()).items():
        row["file"] = row.pop("name")
        Dataset.objects.create(modality=stem, tier=tier, **row)
    return stem


def starter_writes(challenge: bytes) -> bytes:
    """Run the starter on a downloaded challenge file; give the submission that it wrote.

    The same file needs it once in a run of the tests.
    """

    def write(draft: Path) -> None:
        source, target = draft / "challenge.h5", draft / "submission.h5"
        source.write_bytes(challenge)
        command = [sys.executable, "-I", STARTERS / "stem.py", source, target]
        subprocess.run(command, check=True, env={"OMP_NUM_THREADS": "1"})

    of = hashlib.sha256(challenge).hexdigest()[:16]
    return (made_once(f"submission for {of}", write) / "submission.h5").read_bytes()


def calibrated(content: bytes, modality: Modality, tier: str, error: float = 0.03) -> bytes:
    """Write a spec into a submission that is off the truth by this part of each range."""
    truth = datasets.load_truth(modality.spec, tier).mismatch
    ends = datasets.ranges(modality.spec, tier)
    off = {
        n: error * (low - high if 2 * truth[n] > low + high else high - low)
        for n, (low, high) in ends.items()
    }
    near = {n: truth[n] + off[n] for n in ends}
    file = io.BytesIO(content)
    with h5py.File(file, "a") as h5:
        for sample in h5.values():
            sample.attrs["corrected_spec"] = json.dumps(near)
    return file.getvalue()


def end(attempt: Attempt, error: float) -> None:
    """Let an attempt have been scored, with this spec error, without scoring it."""
    ended = {
        "state": State.SUCCEEDED,
        "finished_at": Now(),
        "percent": 100,
        "result": {"spec_error": {"a": error}},
    }
    Attempt.objects.filter(pk=attempt.pk).update(**ended)


def download(client: Any, tier: str) -> bytes:
    """Get a tier's file as anybody would."""
    answer = client.get(f"/modalities/stem/data/{tier}.h5")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def form_data(method: Method, content: bytes, tier: str = "public", **more: Any) -> dict[str, Any]:
    """Fill in the form, or the API's multipart body."""
    file = SimpleUploadedFile("submission.h5", content)
    return {"modality": "stem", "tier": tier, "method": method.slug, "file": file} | more


def own_method(user: Any, modality: Modality, **fields: Any) -> Method:
    return make_method(modality, owner=user, **fields)


def score_all() -> None:
    """Do what the worker for files does."""
    for attempt in Attempt.objects.queued().in_queue(QUEUES[Kind.FILE]):
        tasks.attempt(str(attempt.pk), attempt.queue)


def run_baselines(**which: Any) -> list[Attempt]:
    """Run those queued baselines that ``which`` asks for, and rank what they changed."""
    found = list(Attempt.objects.queued().filter(kind=Kind.BASELINE, **which))
    for attempt in found:
        run(attempt)
    ranking.rank_what_waits()
    return found


def run(attempt: Attempt) -> Attempt:
    """Do this attempt, whichever else waits."""
    attempt.claim("test")
    worker.run(attempt, compute)
    attempt.refresh_from_db()
    return attempt
