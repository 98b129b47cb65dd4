"""Nothing that a program says of hidden measurements reaches anybody but a curator.

A program puts needles wherever it can: its log, the names and attributes of its output, its spec,
its picture. They are looked for in every answer to anybody, to its owner and to staff, in mails and
in the log of the site.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from django.contrib.auth.models import Permission
from django.core import mail

from gallery.images import object_picture
from leaderboards import programs, ranking, sandbox
from leaderboards.models import Attempt, Ending, Kind, ProgramRun
from leaderboards.sandbox import Outcome, Reason
from leaderboards.scoring import running
from modalities import datasets
from modalities.jobs import State
from modalities.models import Dataset
from tests.factories import make_attempt, make_user
from tests.people_programs import send, step

from .addresses import World
from .test_access import site_rows
from .walking import body

pytestmark = pytest.mark.django_db(transaction=True)
WORD = "measured_2718281828"
NUMBER = 0.0314159265
TOLD = (WORD, "0.0314159", "3.14159", "0.03141")
# Chosen by the program too: how long it took and what it needed.
CPU, MEMORY = 13.729461853, 431.827364591


def measurement_file(path: Path, count: int) -> None:
    """Write what a program is given, small: the walk is about words and not about physics."""
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as h5:
        for i in range(count):
            sample = h5.create_group(f"sample_{i:02d}")
            sample["y"] = np.full((4, 4), i, "f4")
            sample["H_ideal"] = np.zeros(3)
            sample.attrs["spec_ranges"] = "{}"
            sample.attrs["metadata"] = json.dumps({"group": "home"})


def output() -> bytes:
    """An output whose names and attributes speak."""
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        h5.attrs[WORD] = WORD
        h5.create_group(WORD).attrs["corrected_spec"] = WORD
        h5.create_group("sample_00")[WORD] = np.zeros(3)
        h5["sample_00"].attrs["corrected_spec"] = json.dumps({WORD: NUMBER, "probe_size": WORD})
    return file.getvalue()


@pytest.fixture
def world(settings, tmp_path) -> World:
    settings.MEASUREMENTS_DIR = tmp_path / "measurements"
    return World()


def ended(world: World, monkeypatch: Any, reason: Reason, source: bytes) -> Attempt:
    outcome = Outcome(
        reason,
        f"It said {WORD}.",
        output=output() if reason == Reason.DONE else b"",
        log=f"{WORD} {NUMBER}\n".encode() * 9,
        exit_code=77,
        wall_seconds=NUMBER,
        cpu_seconds=CPU,
        peak_memory_mb=MEMORY,
        runtime_sha256="7" * 64,
    )
    monkeypatch.setattr(sandbox, "run_untrusted", lambda *_, beat: beat(WORD, 0.5) or outcome)
    return step(send(world.method, source, modality=world.stem))


@pytest.fixture
def runs(world, monkeypatch, settings) -> list[Attempt]:
    """Runs that failed, that wrote what is no submission, and that got a score."""
    assert running.sandbox is sandbox
    spec = world.stem.spec
    version = datasets.version_of(spec, "hidden")
    measurement_file(
        datasets.measurements_path("stem", "hidden", version), len(spec.samples("hidden"))
    )
    Dataset.objects.create(modality=world.stem, tier="hidden", version=version, size=1)
    failed = ended(world, monkeypatch, Reason.FAILED, b"1")
    refused = step(ended(world, monkeypatch, Reason.DONE, b"2"))
    return [failed, refused, scored(world)]


def scored(world: World) -> Attempt:
    made = make_attempt(
        world.stem,
        world.method,
        "hidden",
        kind=Kind.PROGRAM,
        started_by=world.people["owner"],
        corrected_spec=[{"probe_size": NUMBER}] * 8,
        spec_intervals=[{"probe_size": [NUMBER, NUMBER]}] * 8,
        cpu_seconds=CPU,
        peak_memory_mb=MEMORY,
    )
    made.arrays.save("outputs.npz", io.BytesIO(arrays()), save=False)
    Attempt.objects.filter(pk=made.pk).update(arrays=made.arrays.name)
    ProgramRun.objects.create(attempt=made, form="script", detail=WORD)
    ranking.rank_what_waits()
    return made


def picture() -> np.ndarray:
    return np.random.default_rng(3).random((64, 64)).astype("f4")


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez(file, **{f"sample_{i:02d}": picture() for i in range(8)})
    return file.getvalue()


def staff(world: World) -> Any:
    """Somebody who sees every table of the admin and curates nothing."""
    person = make_user(is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    world.people["staff"] = person
    return world.client("staff")


def places(world: World, runs: list[Attempt]) -> list[str]:
    names, found = vars(world.paths), []
    for path, method, _ in site_rows():
        if method != "GET" or "logout" in path:
            continue
        found.append(path.format(**names))
        if "{attempt}" in path:
            found += [path.format(**names | {"attempt": run.pk}) for run in runs]
        if "{program}" in path:
            found += [path.format(**names | {"program": run.pk}) for run in runs]
        if "{entry}" in path:
            entries = world.method.entries.all()
            found += [path.format(**names | {"entry": entry.pk}) for entry in entries]
    boards = [f"/api/v1/modalities/stem/boards/{b}/" for b in ("hidden", "challenge")]
    formats = ("json", "csv", "tex", "bib")
    found += [f"{board}?format={name}" for board in boards for name in formats]
    return [*dict.fromkeys(found)]


def test_nobody_but_a_curator_hears_what_a_program_says(world, runs, caplog, capfd):
    assert [run.program.ending for run in runs] == [Ending.FAILED, Ending.OUTPUT_REFUSED, ""]
    assert runs[1].program.problems, "the reader said what it found, and that is kept"
    assert WORD in json.dumps(runs[1].program.problems) + runs[1].program.detail
    needles = [*(word.encode() for word in TOLD), object_picture(picture())]
    wrong, asked = [], 0
    everybody = [(role, world.client(role)) for role in ("anonymous", "other", "owner")]
    for role, client in [*everybody, ("staff", staff(world))]:
        for place in places(world, runs):
            answer = client.get(place)
            content = body(answer) + str(answer.headers).encode()
            wrong += [f"{place} as {role} tells {n[:20]!r}" for n in needles if n in content]
            asked += answer.status_code == 200
    assert asked > 150
    said = "".join(message.subject + message.body for message in mail.outbox)
    said += caplog.text + "".join(capfd.readouterr())
    wrong += [f"mail or log tells {word}" for word in TOLD if word in said]
    assert not wrong
    assert [programs.log_of(run) for run in runs[:2]] == [None, None]
    assert all(WORD in programs.log_of(run, for_curator=True) for run in runs[:2])


def test_owner_of_a_hidden_run_is_told_costs_and_times_in_steps(world, runs):
    client = world.client("owner")
    for run in runs:
        told = client.get(f"/api/v1/programs/{run.pk}/").json()
        assert told["log"] is None
        assert not {"phase", "percent"} & told.keys()
        for name in ("started_at", "finished_at"):
            assert told[name].endswith("0:00Z"), "ten minutes and no less"
    assert [run.state for run in runs] == [State.FAILED, State.FAILED, State.SUCCEEDED]


def test_the_walk_would_find_a_picture(world, runs):
    """Curators see what a run gave, so the needle is that of the picture that is drawn."""
    found = runs[2]
    address = next(
        p for p in places(world, [found]) if "reconstruction" in p and str(found.pk) in p
    )
    shown = world.client("superuser").get(address)
    assert shown.status_code == 200
    assert object_picture(picture()) in body(shown)
    assert world.client("owner").get(address).status_code == 404
