"""From a file to a place on the board: scored exactly once, refused with reasons, never charged."""

from __future__ import annotations

import io
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from leaderboards.submission import Evaluation, Quota, Submission
from skimage.metrics import structural_similarity

from leaderboards import bundle, evaluate, receive, tasks
from leaderboards.catalogue import sync_everything
from leaderboards.models import Board, Calibration, Entry, Origin, Trust
from modalities import datasets, physics
from modalities.jobs import State, worker
from modalities.models import Modality
from tests.factories import make_method, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    """A folder for tiers' data that all tests of this module share, made once."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def stem(state, settings):
    settings.TRUTH_DIR = state / "truth"
    folder = "modalities.storage.WholeFileStorage"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": folder, "OPTIONS": {"location": str(state / "media")}},
    }
    sync_everything()
    modality = Modality.objects.get(key="stem")
    call_command("build_datasets", "stem", stdout=io.StringIO())
    return modality


def submission_file(path: Path, x_hats, specs) -> bytes:
    with h5py.File(path, "w") as h5:
        for i, (x_hat, spec) in enumerate(zip(x_hats, specs, strict=True)):
            group = h5.create_group(f"sample_{i:02d}")
            group.create_dataset("x_hat", data=np.asarray(x_hat, "f4"), compression="gzip")
            group.attrs["corrected_spec"] = json.dumps(spec)
    return path.read_bytes()


def wiener(modality, tier: str, **spec: float) -> tuple[list, list]:
    H = physics.forward(modality.spec, **spec)
    ys = datasets.load_measurements(modality.spec, tier)
    return [physics.reconstruct("wiener", H, y) for y in ys], [H.mismatch] * len(ys)


def submit(modality, method, user, content: bytes, tier: str = "public") -> Submission:
    import hashlib

    return Submission.objects.submit(
        user,
        file=ContentFile(content, "upload.h5"),
        sha256=hashlib.sha256(content).hexdigest(),
        modality=modality,
        method=method,
        tier=tier,
    )


def score(submission: Submission) -> Submission:
    tasks.score_submission(str(submission.pk), submission.queue)
    submission.refresh_from_db()
    return submission


def test_the_score_equals_one_computed_from_the_public_file_alone(stem, tmp_path):
    x_hats, specs = wiener(stem, "public", probe_size=0.05)
    content = submission_file(tmp_path / "s.h5", x_hats, specs)
    done = score(submit(stem, make_method(stem), make_user(), content))
    assert done.state == State.SUCCEEDED, (done.error_message, done.problems)

    scores = []
    name = datasets.challenge_name(stem.spec, "public")
    from django.core.files.storage import default_storage

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
    assert done.result["score"] == pytest.approx(np.mean(scores), abs=1e-6)
    entry = Entry.objects.get(pk=done.entry_id)
    assert (entry.trust, entry.origin, entry.board) == (
        Trust.SCORED,
        Origin.MEASURED,
        Board.CHALLENGE,
    )
    assert entry.score is None, "an entry is complete only with all three tiers"


def test_the_spec_error_is_the_distance_from_the_truth_in_parts_of_the_range(stem, tmp_path):
    truth = datasets.draw(stem.spec, "public").mismatch
    x_hats, _ = wiener(stem, "public")
    content = submission_file(tmp_path / "s.h5", x_hats, [truth] * 4)
    done = score(submit(stem, make_method(stem), make_user(), content))
    assert max(done.result["spec_error"].values()) < 1e-9
    assert done.result["ceiling"] >= done.result["consistency"] - 0.2


def test_a_refused_file_lists_its_problems_and_costs_nothing(stem, tmp_path, settings):
    settings.PWM_DEV_SUBMISSIONS_A_DAY = 1
    user, method = make_user(), make_method(stem)
    bad = submission_file(tmp_path / "s.h5", [np.zeros((3, 3))] * 4, [{"probe_size": 9}] * 4)
    refused = score(submit(stem, method, user, bad, "dev"))
    assert refused.state == State.FAILED
    assert refused.error_code == "refused"
    assert len(refused.problems) == 8
    assert (
        refused.problems[0] == "sample_00/x_hat: expected float32 (256, 256), got float32 (3, 3)."
    )
    assert not Entry.objects.measured().exists()
    good = submission_file(tmp_path / "s.h5", *wiener(stem, "dev"))
    assert score(submit(stem, method, user, good, "dev")).state == State.SUCCEEDED


def test_the_same_file_twice_is_one_submission(stem, tmp_path):
    user, method = make_user(), make_method(stem)
    content = submission_file(tmp_path / "s.h5", *wiener(stem, "public"))
    first = submit(stem, method, user, content)
    assert submit(stem, method, user, content).pk == first.pk
    score(first)
    assert submit(stem, method, user, content).pk == first.pk
    assert Submission.objects.count() == 1


def test_the_daily_quota_of_the_dev_tier_holds(stem, settings):
    settings.PWM_DEV_SUBMISSIONS_A_DAY = 2
    user, method = make_user(), make_method(stem)
    for content in (b"one", b"two"):
        submit(stem, method, user, content, "dev")
    with pytest.raises(Quota, match="after midnight UTC"):
        submit(stem, method, user, b"three", "dev")
    submit(stem, method, user, b"three", "public")
    submit(stem, method, make_user(), b"three", "dev")


def test_a_message_that_comes_twice_scores_once(stem, tmp_path):
    content = submission_file(tmp_path / "s.h5", *wiener(stem, "public"))
    made = submit(stem, make_method(stem), make_user(), content)
    tasks.score_submission(str(made.pk), made.queue)
    tasks.score_submission(str(made.pk), made.queue)
    made.refresh_from_db()
    assert made.attempts == 1
    assert [e.event for e in made.events.all()].count("succeeded") == 1


def test_submitting_the_public_truth_does_not_help_on_dev(stem, tmp_path):
    with_truth = datasets.load_truth(stem.spec, "public")
    content = submission_file(tmp_path / "s.h5", with_truth.x, [stem.spec.nominal] * 4)
    honest = submission_file(tmp_path / "h.h5", *wiener(stem, "dev"))
    user = make_user()
    copied = score(submit(stem, make_method(stem), user, content, "dev"))
    measured = score(submit(stem, make_method(stem), user, honest, "dev"))
    assert copied.result["psnr"] < measured.result["psnr"] - 3


def run(evaluation: Evaluation) -> Evaluation:
    evaluation.claim("test")
    worker.run(evaluation, evaluate.compute)
    evaluation.refresh_from_db()
    assert evaluation.state == State.SUCCEEDED, evaluation.error_message
    return evaluation


def test_baselines_fill_the_boards_and_are_never_mixed_with_references(stem):
    queued = evaluate.queue_missing(stem)
    assert evaluate.queue_missing(stem) == [], "what is queued is not queued again"
    plain = [e for e in queued if e.method.physics_name == "wiener" and e.variant == "nominal"]
    assert {e.tier for e in plain} == {"standard", "public", "dev", "hidden"}
    for evaluation in plain:
        run(evaluation)
    entry = Entry.objects.get(name="Wiener Filter, nominal spec")
    assert entry.trust == Trust.RERUN
    assert entry.score == pytest.approx(np.mean([s.score for s in entry.tier_scores.all()]))
    assert entry.rank_low == 1
    assert entry.score_low < entry.score < entry.score_high
    best = stem.spec.gallery_method
    oracle = [e for e in queued if e.variant == "oracle" and e.tier == "public"]
    assert [e.method.physics_name for e in oracle] == [best]
    assert oracle[0].is_reference


def test_an_evaluation_of_other_code_says_so_and_writes_nothing(stem):
    queued = evaluate.queue_missing(stem)[0]
    Evaluation.objects.filter(pk=queued.pk).update(inputs="0" * 64)
    queued.claim("test")
    worker.run(queued, evaluate.compute)
    queued.refresh_from_db()
    assert (queued.state, queued.error_code) == (State.FAILED, "outdated")
    assert not Entry.objects.measured().exists()
    assert not Calibration.objects.exists()


@pytest.fixture
def scored(stem, tmp_path) -> Submission:
    content = submission_file(tmp_path / "s.h5", *wiener(stem, "public"))
    return score(submit(stem, make_method(stem), make_user(), content))


def test_a_bundle_confirms_its_own_score(scored, tmp_path):
    path = tmp_path / "bundle.zip"
    path.write_bytes(bundle.write(scored.entry))
    call_command("verify_bundle", str(path))
    assert [f.is_confirmed for f in bundle.verify(path.read_bytes())] == [True]


def test_the_page_of_an_entry_offers_its_bundle(scored, client):
    page = client.get(scored.entry.get_absolute_url())
    address = f"/entries/{scored.entry.pk}/bundle.zip"
    assert address in page.content.decode()
    sent = client.get(address)
    assert f"pwm-entry-{scored.entry.pk}.zip" in sent["Content-Disposition"]
    assert [f.is_confirmed for f in bundle.verify(sent.content)] == [True]
    reported = Entry.objects.reported().first()
    assert client.get(f"/entries/{reported.pk}/bundle.zip").status_code == 404


def test_one_changed_byte_in_a_bundle_is_refused(scored):
    content = bundle.write(scored.entry)
    for at in range(0, len(content), len(content) // 50):
        spoilt = bytearray(content)
        spoilt[at] ^= 1
        with pytest.raises(bundle.BundleError):
            bundle.verify(bytes(spoilt))


def test_a_bundle_that_claims_another_score_is_found_out(scored):
    Submission.objects.filter(pk=scored.pk).update(result=scored.result | {"score": 0.99})
    findings = bundle.verify(bundle.write(scored.entry))
    assert [f.is_confirmed for f in findings] == [False]


def test_a_bundle_holds_no_outputs_of_secret_tiers(stem, tmp_path):
    content = submission_file(tmp_path / "s.h5", *wiener(stem, "dev"))
    done = score(submit(stem, make_method(stem), make_user(), content, "dev"))
    packed = bundle.write(done.entry)
    assert b"outputs/dev.npz" not in packed
    assert [f.is_confirmed for f in bundle.verify(packed)] == [None]


def test_old_numbers_stay_in_the_history_when_the_metrics_change(scored, monkeypatch):
    assert not receive.outdated()
    stale = scored.result | {"metrics_version": 0, "score": 0.1}
    Submission.objects.filter(pk=scored.pk).update(result=stale)
    row = scored.entry.tier_scores.get()
    row.score, row.metrics_version = 0.1, 0
    row.save()
    call_command("rescore")
    row.refresh_from_db()
    assert row.score == pytest.approx(scored.result["score"])
    assert {h.score for h in row.history.all()} >= {0.1, row.score}
    assert not receive.outdated()
