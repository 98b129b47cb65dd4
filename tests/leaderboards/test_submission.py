"""From a file to a place on the board: scored exactly once, refused with reasons, never charged."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone
from skimage.metrics import structural_similarity

from leaderboards import attempt_page, calibration_page, tasks, tells
from leaderboards.models import Attempt, Board, Bound, Entry, Kind, Origin, Quota, TierScore, Trust
from leaderboards.scoring import uploads
from modalities import datasets, draws, physics
from modalities.jobs import State
from tests import challenge
from tests.factories import make_method, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder, catalogue=False)


def submission_file(path: Path, x_hats, specs, intervals: dict | None = None) -> bytes:
    with h5py.File(path, "w") as h5:
        for i, (x_hat, spec) in enumerate(zip(x_hats, specs, strict=True)):
            group = h5.create_group(f"sample_{i:02d}")
            group.create_dataset("x_hat", data=np.asarray(x_hat, "f4"), compression="gzip")
            group.attrs["corrected_spec"] = json.dumps(spec)
            if intervals:
                group.attrs["spec_intervals"] = json.dumps(intervals)
    return path.read_bytes()


def wiener(modality, tier: str, **spec: float) -> tuple[list, list]:
    H = physics.forward(modality.spec, **spec)
    ys = datasets.load_measurements(modality.spec, tier)
    return [physics.reconstruct("wiener", H, y) for y in ys], [H.mismatch] * len(ys)


def submit(modality, method, user, content: bytes, tier: str = "public") -> Attempt:
    return Attempt.objects.submit(
        user,
        file=ContentFile(content, "upload.h5"),
        sha256=hashlib.sha256(content).hexdigest(),
        modality=modality,
        method=method,
        tier=tier,
    )


def score(attempt: Attempt) -> Attempt:
    tasks.attempt(str(attempt.pk), attempt.queue)
    attempt.refresh_from_db()
    return attempt


def test_the_score_equals_one_computed_from_the_public_file_alone(stem, tmp_path):
    x_hats, specs = wiener(stem, "public", probe_size=0.05)
    content = submission_file(tmp_path / "s.h5", x_hats, specs)
    done = score(submit(stem, make_method(stem), make_user(), content))
    assert done.state == State.SUCCEEDED, (done.error_message, done.problems)

    scores = []
    name = datasets.challenge_name(stem.spec, "public")
    H = physics.forward(stem.spec, probe_size=0.05)
    with h5py.File(default_storage.path(name)) as h5:
        for i, x_hat in enumerate(x_hats):
            x, y = (h5[f"sample_{i:02d}/{what}"][:].astype(float) for what in ("x_true", "y"))
            x_hat = np.asarray(x_hat, "f4").astype(float)
            clipped = np.clip(x_hat, 0, 1)
            psnr = 10 * np.log10(1 / np.mean((clipped - x) ** 2))
            ssim = structural_similarity(x, clipped, data_range=1.0, win_size=7)
            misfit = np.linalg.norm(y - H(x_hat)) / np.linalg.norm(y)
            consistency = np.clip(1 - misfit, 0, 1)
            scores.append(0.4 * np.clip((psnr - 10) / 40, 0, 1) + 0.4 * ssim + 0.2 * consistency)
    assert done.score == pytest.approx(np.mean(scores), abs=1e-6)
    entry = done.entry
    assert (entry.trust, entry.origin, entry.board) == (
        Trust.SCORED,
        Origin.MEASURED,
        Board.CHALLENGE,
    )
    assert entry.tier_scores.get().attempt == done
    assert entry.score is None, "an entry is complete only with all three tiers"


def test_the_evidence_says_what_went_in_what_came_out_and_where(stem, tmp_path):
    x_hats, specs = wiener(stem, "public")
    content = submission_file(tmp_path / "s.h5", x_hats, specs)
    done = score(submit(stem, make_method(stem), make_user(), content))
    kept = done.reconstructions()
    assert list(kept) == list(datasets.sample_names(stem.spec, "public"))
    for x_hat, sent in zip(kept.values(), x_hats, strict=True):
        np.testing.assert_array_equal(x_hat, np.asarray(sent, "f4"))
    whole = b"".join(x_hat.astype("<f4").tobytes() for x_hat in kept.values())
    assert done.outputs_sha256 == hashlib.sha256(whole).hexdigest()
    assert done.corrected_spec == specs
    assert done.program_sha256 == "", "nobody's program ran here"
    assert done.environment["numpy"] == np.__version__
    assert done.data_version == datasets.version_of(stem.spec, "public")


def test_the_spec_error_is_the_distance_from_the_truth_in_parts_of_the_range(stem, tmp_path):
    truth = datasets.draw(stem.spec, "public").mismatch
    x_hats, _ = wiener(stem, "public")
    content = submission_file(tmp_path / "s.h5", x_hats, [truth] * len(x_hats))
    done = score(submit(stem, make_method(stem), make_user(), content))
    assert max(done.result["spec_error"].values()) < 1e-9
    assert not attempt_page.page(done)["has_bounds"], "nobody computed them yet"
    bounds = dict.fromkeys(truth, 0.003) | {"scan_distortion": None}
    study = Bound.objects.enqueue(modality=stem, inputs="1" * 64)
    study.claim("test")
    study.succeed(lambda: Bound.objects.update(result={"known": bounds, "unknown": bounds}))
    shown = {name: bound for name, _, bound in attempt_page.page(done)["errors"]}
    assert shown == {"probe_size": "1.00 %", "convergence_angle": "0.20 %", "scan_distortion": ""}
    assert done.result["ceiling"] >= done.result["consistency"] - 0.2


@pytest.mark.parametrize("tier", ["public", "dev"])
def test_intervals_are_held_against_the_truth_and_only_an_open_tier_tells(
    stem, tmp_path, tier, client
):
    truth = datasets.load_truth(stem.spec, tier).mismatch
    (first, true), (second, _), (third, _) = truth.items()
    intervals = {first: [true - 1e-3, true + 1e-3], second: [-9e5, -8e5], third: None}
    content = submission_file(tmp_path / "s.h5", *wiener(stem, tier, **truth), intervals)
    done = score(submit(stem, make_method(stem), make_user(), content, tier))
    expected = {
        "covered": {first: 1.0, second: 0.0, third: None},
        "abstained": {first: 0.0, second: 0.0, third: 1.0},
    }
    assert done.result["calibration"] == expected
    assert done.spec_intervals == [intervals] * len(done.corrected_spec)
    told = TierScore.objects.get(attempt=done).calibration
    assert told == (expected if tier == "public" else {})
    if tier == "public":
        (row,) = calibration_page.of(stem).rows
        assert row.covered_text == "1 of 2"
        assert row.abstained == [third]
        (told,) = client.get("/api/v1/modalities/stem/calibration/").json()
        assert [p["covered"] for p in told["parameters"]] == [1.0, 0.0, None]
    else:
        assert calibration_page.of(stem).rows == []


def test_a_refused_file_lists_its_problems_and_costs_nothing(stem, tmp_path, settings):
    settings.PWM_DEV_SUBMISSIONS_A_DAY = 1
    user, method = make_user(), make_method(stem)
    count = len(stem.spec.samples("dev"))
    wrong = [np.zeros((3, 3))] * count, [{"probe_size": 9}] * count
    bad = submission_file(tmp_path / "s.h5", *wrong)
    refused = score(submit(stem, method, user, bad, "dev"))
    assert refused.state == State.FAILED
    assert refused.error_code == "refused"
    assert len(refused.problems) == 2 * count
    assert (
        refused.problems[0] == "sample_00/x_hat: expected float32 (256, 256), got float32 (3, 3)."
    )
    assert not Entry.objects.exists()
    good = submission_file(tmp_path / "s.h5", *wiener(stem, "dev", probe_size=0.05))
    assert score(submit(stem, method, user, good, "dev")).state == State.SUCCEEDED


def test_what_was_not_calibrated_at_all_is_refused_on_dev_and_costs_nothing(stem, tmp_path):
    user, method = make_user(), make_method(stem)
    nominal = submission_file(tmp_path / "s.h5", *wiener(stem, "dev"))
    refused = score(submit(stem, method, user, nominal, "dev"))
    assert refused.error_code == "refused"
    assert "it is the nominal one in every sample" in refused.problems[0]
    assert Attempt.objects.of(user).files().left([stem])[0].next_at is None


def test_no_truth_of_a_secret_tier_is_near_the_nominal_spec():
    """So that refusing the nominal spec tells nothing."""
    widest = max(high - low for low, high in physics.spec.TIER_SPAN.values())
    assert widest * tells.CALIBRATED < draws.LEAST_MISMATCH


def test_the_same_file_twice_is_one_submission(stem, tmp_path):
    user, method = make_user(), make_method(stem)
    content = submission_file(tmp_path / "s.h5", *wiener(stem, "public"))
    first = submit(stem, method, user, content)
    assert submit(stem, method, user, content).pk == first.pk
    score(first)
    assert submit(stem, method, user, content).pk == first.pk
    assert Attempt.objects.count() == 1


def test_the_daily_quota_of_the_dev_tier_holds(stem, settings):
    settings.PWM_DEV_SUBMISSIONS_A_DAY = 2
    user, method = make_user(), make_method(stem)
    for content in (b"one", b"two"):
        challenge.end(submit(stem, method, user, content, "dev"), 0.01)
    with pytest.raises(Quota, match=r"can be sent from .* 00:00 UTC on"):
        submit(stem, method, user, b"three", "dev")
    submit(stem, method, user, b"three", "public")
    submit(stem, method, make_user(), b"three", "dev")


def test_dev_takes_one_file_at_a_time_and_none_for_a_month_after_a_miss(stem, settings):
    """Else two guesses could be asked for before the first is answered."""
    user, method = make_user(), make_method(stem)
    first = submit(stem, method, user, b"one", "dev")
    with pytest.raises(Quota, match="not scored yet"):
        submit(stem, make_method(stem), user, b"two", "dev")
    challenge.end(first, 0.01)
    missed = submit(stem, method, user, b"two", "dev")
    challenge.end(missed, 0.11)
    Attempt.objects.filter(pk=missed.pk).update(queued_at=timezone.now() - timedelta(days=29))
    with pytest.raises(Quota, match="a file that was not calibrated ends it for 30 days"):
        submit(stem, make_method(stem), user, b"three", "dev")
    settings.PWM_DEV_UNCALIBRATED_A_MONTH = 2
    submit(stem, method, user, b"three", "dev")


def test_the_monthly_quota_holds_over_any_thirty_days_and_all_methods(stem, settings):
    settings.PWM_DEV_SUBMISSIONS_A_MONTH = 3
    user, now = make_user(), timezone.now()
    sent = [submit(stem, make_method(stem), user, bytes([i]), "public") for i in range(4)]
    for days, attempt in zip((31, 29, 20, 2), sent, strict=True):
        old = Attempt.objects.filter(pk=attempt.pk)
        challenge.end(attempt, 0.01)
        old.update(tier="dev", queued_at=now - timedelta(days=days))
    (left,) = Attempt.objects.of(user).files().left([stem])
    assert (left.today, left.month) == (0, 0)
    assert left.next_at == now + timedelta(days=1), "when the oldest of three is a month old"
    with pytest.raises(Quota, match=f"{left.next_at:%d %B, %H:%M} UTC"):
        submit(stem, make_method(stem), user, b"more", "dev")
    Attempt.objects.filter(pk=sent[1].pk).update(queued_at=now - timedelta(days=30))
    (left,) = Attempt.objects.of(user).files().left([stem])
    assert (left.today, left.month, left.next_at) == (1, 1, None)
    submit(stem, make_method(stem), user, b"more", "dev")


def test_what_was_refused_or_cancelled_leaves_the_quota_alone(stem, settings):
    settings.PWM_DEV_SUBMISSIONS_A_DAY = settings.PWM_DEV_SUBMISSIONS_A_MONTH = 1
    user, method = make_user(), make_method(stem)
    submit(stem, method, user, b"one", "dev").cancel(by="ada")
    refused = submit(stem, method, user, b"no file", "dev")
    assert score(refused).state == State.FAILED
    assert Attempt.objects.of(user).files().left([stem])[0].today == 1
    submit(stem, method, user, b"three", "dev")


def test_a_message_that_comes_twice_scores_once(stem, tmp_path):
    content = submission_file(tmp_path / "s.h5", *wiener(stem, "public"))
    made = score(submit(stem, make_method(stem), make_user(), content))
    assert score(made).tries == 1
    assert [e.event for e in made.events.all()].count("succeeded") == 1


def test_submitting_the_public_truth_does_not_help_on_dev(stem, tmp_path):
    xs = datasets.load_truth(stem.spec, "public").x
    content = submission_file(tmp_path / "s.h5", xs, [stem.spec.perturbed] * len(xs))
    honest = submission_file(tmp_path / "h.h5", *wiener(stem, "dev", probe_size=0.05))
    copied = score(submit(stem, make_method(stem), make_user(), content, "dev"))
    measured = score(submit(stem, make_method(stem), make_user(), honest, "dev"))
    assert copied.result["psnr"] < measured.result["psnr"] - 3


def test_a_file_that_changed_in_the_storage_is_not_scored(stem, tmp_path):
    content = submission_file(tmp_path / "s.h5", *wiener(stem, "public"))
    made = submit(stem, make_method(stem), make_user(), content)
    with made.file.storage.open(made.file.name, "r+b") as stored:
        stored.seek(-1, 2)
        stored.write(b"?")
    done = score(made)
    assert (done.state, done.error_code) == (State.FAILED, "changed")
    assert not Entry.objects.exists()


def test_old_numbers_stay_in_the_history_when_the_metrics_change(stem, tmp_path, monkeypatch):
    content = submission_file(tmp_path / "s.h5", *wiener(stem, "public"))
    with monkeypatch.context() as then:
        then.setattr(physics, "METRICS_VERSION", "old")
        then.setattr(physics, "tier_score", lambda *parts: 0.1)
        first = score(submit(stem, make_method(stem), make_user(), content))
    assert (first.score, list(uploads.outdated())) == (0.1, [first])

    call_command("rescore")
    again = Attempt.objects.get(kind=Kind.RERUN)
    assert (again.repeats, again.sha256) == (first, first.sha256)
    challenge.score_all()
    row = TierScore.objects.get()
    assert row.attempt == again
    assert row.score > 0.3
    versions = row.history.order_by("history_id").values_list("score", "metrics_version")
    assert list(versions) == [(0.1, "old"), (row.score, physics.METRICS_VERSION)]
    first.refresh_from_db()
    assert first.score == 0.1
    assert not uploads.outdated()
    call_command("rescore")
    assert Attempt.objects.count() == 2
