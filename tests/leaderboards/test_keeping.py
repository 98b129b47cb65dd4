"""What is kept of attempts, for how long, and what is swept away."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
from django.conf import settings as site_settings
from django.core.files.base import ContentFile
from django.utils import timezone

from leaderboards import keeping
from leaderboards.models import Attempt, Certificate, Decision, Kind, Quota, TierScore, Word
from leaderboards.models.attempt import private_storage
from modalities.jobs import State, invariants
from tests.factories import make_attempt, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = timezone.now() - timedelta(days=400)


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    backend = "modalities.storage.WholeFileStorage"
    own = {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path / "private")}}
    settings.STORAGES = settings.STORAGES | {"private": own}
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    return private_storage()


@pytest.fixture
def stem():
    return make_modality("stem")


@pytest.fixture
def ada():
    return make_user()


def keep(name: str) -> str:
    return private_storage().save(name, ContentFile(b"bytes"))


def send(ada, stem, n: int, **fields) -> Attempt:
    method = ada.methods.first() or make_method(stem, owner=ada)
    today = timezone.now().date()
    values = {"file": keep(f"submissions/{today}/{n}.h5"), "sha256": f"{n:064x}", "tier": "public"}
    return Attempt.objects.submit(ada, modality=stem, method=method, **(values | fields))


@pytest.mark.parametrize("verdict", ["refused", "cancelled"])
def test_a_file_goes_with_the_verdict(storage, ada, stem, verdict):
    sent = [send(ada, stem, n) for n in range(3)]
    names = [attempt.file.name for attempt in sent]
    for attempt in sent[:2]:
        attempt.claim("test")
        if verdict == "refused":
            attempt.refuse("refused", "It is wrong.")
        else:
            attempt.cancel()
            attempt.stop()
    assert [storage.exists(name) for name in names] == [False, False, True]
    assert [bool(attempt.file) for attempt in Attempt.objects.order_by("sha256")] == [0, 0, 1]
    assert not sent[0].restart()
    assert invariants.problems() == []


def test_a_file_that_failed_because_of_the_server_stays_for_a_while(storage, ada, stem):
    attempt = send(ada, stem, 1)
    attempt.claim("test")
    attempt.fail("no_sandbox", "There is no sandbox here.")
    assert keeping.forget_failed() == 0
    Attempt.objects.update(finished_at=LONG_AGO)
    assert keeping.forget_failed() == 1
    assert not storage.exists(attempt.file.name)
    assert invariants.problems() == []


@pytest.mark.parametrize("tier", ["public", "dev"])
def test_files_and_bytes_a_day_have_a_most_on_every_tier(settings, ada, stem, tier):
    settings.PWM_UPLOADS_A_DAY, settings.PWM_UPLOAD_MB_A_DAY = 2, 1
    with pytest.raises(Quota, match="2 files with 1 MB"):
        send(ada, stem, 1, tier=tier, size=1_000_001)
    first = send(ada, stem, 1, tier=tier, size=900_000)
    first.claim("test")
    first.refuse("refused", "It is wrong.")
    with pytest.raises(Quota, match="refused ones included"):
        send(ada, stem, 2, tier=tier, size=200_000)
    second = send(ada, stem, 2, tier=tier)
    with pytest.raises(Quota):
        send(ada, stem, 3, tier=tier)
    assert send(ada, stem, 2, tier=tier) == second
    send(make_user(), stem, 4, tier=tier)
    second.claim("test")
    second.fail("no_sandbox", "The server is at fault.")
    send(ada, stem, 5, tier=tier)


def test_uploads_that_no_row_names_are_swept_once_they_are_old(storage, ada, stem):
    today = timezone.now().date()
    kept, new = send(ada, stem, 1).file.name, keep(f"submissions/{today}/new.h5")
    orphan, other = keep(f"submissions/{today}/orphan.h5"), keep("signed/other.json")
    unfinished = site_settings.FILE_UPLOAD_TEMP_DIR / "tmp1.upload.h5"
    unfinished.write_bytes(b"half of")
    old = time.time() - 2 * keeping.SETTLED.total_seconds()
    for path in (storage.path(kept), storage.path(orphan), storage.path(other), unfinished):
        os.utime(path, (old, old))
    assert keeping.sweep_uploads() == 2
    assert not unfinished.exists()
    found = [storage.exists(name) for name in (kept, new, orphan, other)]
    assert found == [True, True, False, True]


def test_arrays_of_old_runs_go_unless_they_stand_or_are_certified(storage, ada, stem):
    method = make_method(stem, owner=ada)
    made = {
        name: make_attempt(stem, method, figures=(score, 25.0, 0.8), arrays=keep(f"{name}.npz"))
        for name, score in (("old", 0.4), ("chosen", 0.5), ("certified", 0.55), ("best", 0.6))
    }
    entry = made["old"].entry
    second = make_attempt(
        stem,
        method,
        figures=(0.55, 25.0, 0.8),
        kind=Kind.RERUN,
        repeats=made["certified"],
        arrays=keep("second.npz"),
    )
    decision = Decision.objects.create(entry=entry, word=Word.CERTIFIED, by=ada, reason="Same.")
    first = made["certified"]
    Certificate.objects.create(
        decision=decision,
        attempt=first,
        second=second,
        score=first.score,
        second_score=second.score,
        outputs_sha256=first.outputs_sha256,
        second_outputs_sha256=second.outputs_sha256,
        outputs_must_match=False,
    )
    TierScore.objects.filter(entry=entry).update(chosen=made["chosen"], attempt=made["best"])
    assert keeping.thin_arrays() == 0  # none is old enough
    Attempt.objects.update(finished_at=LONG_AGO)
    assert keeping.thin_arrays() == 1
    kept = {name: storage.exists(f"{name}.npz") for name in (*made, "second")}
    assert kept == {"old": False, "chosen": True, "certified": True, "best": True, "second": True}
    old = Attempt.objects.get(pk=made["old"].pk)
    assert (old.arrays.name, old.outputs_sha256) == ("", made["old"].outputs_sha256)
    assert old.state == State.SUCCEEDED
