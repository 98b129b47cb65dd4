"""Submitting by program, with a token."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pytest
from django.test import Client
from skimage.metrics import structural_similarity

from leaderboards import tells, upload
from leaderboards.models import Attempt
from modalities import physics
from pwmsite.models import ApiToken
from tests import challenge
from tests.factories import make_user

pytestmark = pytest.mark.django_db
scoring = pytest.mark.django_db(transaction=True)
PLACE = "/api/v1/submissions/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder, catalogue=False)


@pytest.fixture
def ada():
    return make_user(username="ada")


@pytest.fixture
def method(ada, stem):
    return challenge.own_method(ada, stem)


@pytest.fixture
def program(ada):
    """A client that brings a token and nothing else, and must need no form's token."""
    _, token = ApiToken.objects.make(ada, "test")
    return Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {token}"})


def send(program, method, content: bytes = b"content", tier: str = "public", **more):
    return program.post(PLACE, challenge.form_data(method, content, tier) | more)


@scoring
def test_the_score_is_the_one_that_anybody_computes_from_the_public_file(program, method, folder):
    public = challenge.download(program, "public")
    written = challenge.starter_writes(public)
    answer = send(program, method, written, code_url="https://example.org/code")
    assert answer.status_code == 201, answer.content
    assert answer.json()["state"] == "queued"
    challenge.score_all()
    found = program.get(f"{PLACE}{answer.json()['id']}/").json()
    assert found["state"] == "succeeded"
    assert found["result"]["score"] == pytest.approx(_scored_by_hand(public, written), abs=1e-6)
    groups = [scene["group"] for scene in found["result"]["scenes"]]
    assert groups == [scene.group for scene in physics.load("stem").samples("public")]
    assert program.get(f"/entries/{found['entry']}/").status_code == 200


def _scored_by_hand(public: bytes, written: bytes) -> float:
    H, scores = physics.forward(physics.load("stem")), []
    with h5py.File(io.BytesIO(public)) as data, h5py.File(io.BytesIO(written)) as mine:
        for name in sorted(mine):
            x, y = (data[name][what][:].astype(float) for what in ("x_true", "y"))
            x_hat = mine[name]["x_hat"][:].astype(float)
            clipped = np.clip(x_hat, 0, 1)
            psnr = -10 * np.log10(np.mean((clipped - x) ** 2))
            ssim = structural_similarity(x, clipped, data_range=1.0, win_size=7)
            consistency = np.clip(1 - np.linalg.norm(y - H(x_hat)) / np.linalg.norm(y), 0, 1)
            scores.append(0.4 * np.clip((psnr - 10) / 40, 0, 1) + 0.4 * ssim + 0.2 * consistency)
    return float(np.mean(scores))


@scoring
def test_on_dev_numbers_are_rounded_and_scenes_are_left_out(program, method, folder):
    written = challenge.starter_writes(challenge.download(program, "dev"))
    written = challenge.calibrated(written, method.modalities.get(), "dev", error=0.2)
    place = f"{PLACE}{send(program, method, written, 'dev').json()['id']}/"
    challenge.score_all()
    result = program.get(place).json()["result"]
    assert set(result) == {"is_calibrated", "metrics_version"}
    assert result["is_calibrated"] is False
    exact = Attempt.objects.get()
    near = exact.result | {"spec_error": dict.fromkeys(exact.result["spec_error"], 0.09)}
    told = tells.to_owner("dev", near)
    assert told["psnr"] == round(near["psnr"], 2)
    assert "scenes" not in told


def test_what_is_wrong_comes_by_field(program, method):
    answer = program.post(PLACE, {"tier": "hidden", "method": method.slug})
    assert answer.status_code == 400
    assert set(answer.json()) == {"modality", "tier", "file"}
    assert "takes a program instead of a file" in answer.json()["tier"][0]


def test_a_file_sent_where_text_is_expected_is_no_file(program, method):
    answer = send(program, method, file="content")
    assert answer.json()["file"] == ["Choose the HDF5 file with your reconstructions."]


def test_the_same_file_again_is_answered_with_the_first(program, method):
    first, second = (send(program, method, b"the same") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


def test_the_quota_answers_429_with_the_reason(program, method, settings):
    settings.PWM_DEV_SUBMISSIONS_A_DAY = 1
    send(program, method, b"one", "dev")
    challenge.end(Attempt.objects.get(), 0.01)
    answer = send(program, method, b"two", "dev")
    assert answer.status_code == 429
    assert "can be sent from" in answer.json()["detail"]


def test_too_large_a_file_answers_413(program, method):
    most = upload.largest_of_all()
    assert send(program, method, bytes(most + 1)).status_code == 413
    assert not Attempt.objects.exists()


def test_without_a_token_nothing_is_taken(method):
    answer = send(Client(), method)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_session_without_the_forms_token_is_not_enough(ada, method):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    assert send(browser, method).status_code == 403


def test_only_ones_own_are_listed_in_as_many_queries_for_many(
    program, method, django_assert_num_queries
):
    stranger = make_user()
    theirs = challenge.own_method(stranger, method.modalities.get())
    _, token = ApiToken.objects.make(stranger, "theirs")
    send(Client(headers={"Authorization": f"Bearer {token}"}), theirs, b"theirs")
    for i in range(4):
        send(program, method, f"mine {i}".encode())
    program.get(PLACE)
    with django_assert_num_queries(3):  # the token, the count, the page
        found = program.get(PLACE).json()
    assert found["count"] == 4
    assert {row["method"] for row in found["results"]} == {method.slug}
