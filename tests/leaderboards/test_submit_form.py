"""Submitting by the form: from the download to the score, and everything that is refused."""

from __future__ import annotations

import h5py
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leaderboards import upload
from leaderboards.models import Attempt, Entry, private_storage
from modalities import datasets
from modalities.jobs import State
from modalities.physics import load
from tests import challenge
from tests.factories import (
    make_attempt,
    make_method,
    make_modality,
    make_result,
    make_user,
    make_worker,
)

pytestmark = pytest.mark.django_db
# What a worker does on a second connection needs rows that are really there.
scoring = pytest.mark.django_db(transaction=True)
NEW = "/submissions/new/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder, catalogue=False)


@pytest.fixture
def ada(client):
    user = make_user(username="ada")
    client.force_login(user)
    return user


@pytest.fixture
def method(ada, stem):
    return challenge.own_method(ada, stem)


def starter_file(client, folder, tier: str = "public") -> bytes:
    return challenge.starter_writes(challenge.download(client, tier))


def send(client, method, content: bytes, tier: str = "public", **more):
    return client.post(NEW, challenge.form_data(method, content, tier, **more))


def kept_files() -> list[str]:
    storage = private_storage()
    days = storage.listdir("submissions")[0] if storage.exists("submissions") else []
    return [name for day in days for name in storage.listdir(f"submissions/{day}")[1]]


@scoring
def test_what_the_starter_writes_is_scored_and_shown_scene_by_scene(client, method, folder):
    answer = send(client, method, starter_file(client, folder))
    assert "Waiting for a worker" in client.get(answer["Location"]).content.decode()
    challenge.score_all()
    made = Attempt.objects.get()
    assert made.state == State.SUCCEEDED, made.problems
    page = client.get(answer["Location"]).content.decode()
    assert f"{made.result['score']:.3f}" in page
    assert all(name in page for name in datasets.sample_names(load("stem"), "public"))
    assert made.entry.get_absolute_url() in page
    for kind in ("reconstruction", "truth", "error"):
        picture = client.get(f"/submissions/{made.pk}/2-{kind}.webp")
        assert picture.content[8:12] == b"WEBP"
        assert "private" in picture["Cache-Control"]


@scoring
def test_on_dev_a_result_that_is_not_calibrated_shows_no_figure(client, method, folder):
    written = starter_file(client, folder, "dev")
    written = challenge.calibrated(written, method.modalities.get(), "dev", error=0.2)
    answer = send(client, method, written, "dev")
    challenge.score_all()
    made = Attempt.objects.get()
    page = client.get(answer["Location"]).content.decode()
    assert "<h1>Not calibrated</h1>" in page
    assert "within 10 %" not in page
    assert f"{made.result['psnr']:.2f}" not in page
    assert f"{made.result['score']:.3f}" not in page
    assert "Not calibrated" in client.get("/submissions/").content.decode()
    for error in made.result["spec_error"].values():
        assert f"{100 * error:.1f} %" not in page
    assert client.get(f"/submissions/{made.pk}/0-reconstruction.webp").status_code == 200
    for kind in ("truth", "error"):
        assert client.get(f"/submissions/{made.pk}/0-{kind}.webp").status_code == 404


@scoring
def test_all_problems_of_a_refused_file_are_listed(client, method, tmp_path):
    with h5py.File(tmp_path / "bad.h5", "w") as h5:
        h5.create_group("sample_00")
    answer = send(client, method, (tmp_path / "bad.h5").read_bytes())
    challenge.score_all()
    page = client.get(answer["Location"]).content.decode()
    problems = Attempt.objects.get().problems
    assert len(problems) == 1 + len(load("stem").samples("public")), "two of sample_00"
    assert all(problem in page for problem in problems)
    assert "nothing counts against your quota" in page
    assert not Entry.objects.exists()


def test_every_missing_field_is_named_at_once(client, method):
    answer = client.post(NEW, {})
    assert answer.status_code == 400
    assert set(answer.context["form"].errors) == {"modality", "tier", "method", "file"}
    page = answer.content.decode()
    assert all(f'href="#id_{name}' in page for name in ("modality", "method", "file"))


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"modality": "ct"}, "modality", "no such modality"),
        ({"tier": "secret"}, "tier", "public or the dev tier"),
        ({"tier": "hidden"}, "tier", "takes a program instead of a file"),
        ({"method": "unknown"}, "method", "not registered this method"),
        ({"code_url": "http://example.org"}, "code_url", "https://"),
        ({"code_url": "javascript:alert(1)"}, "code_url", "https://"),
        ({"file": SimpleUploadedFile("s.h5", b"")}, "file", "empty"),
    ],
)
def test_a_wrong_field_is_named(client, method, changes, field, told):
    answer = client.post(NEW, challenge.form_data(method, b"content") | changes)
    assert answer.status_code == 400
    assert told in " ".join(answer.context["form"].errors[field])
    assert not Attempt.objects.exists()


def test_results_are_entered_under_ones_own_methods_only(client, ada, stem):
    for theirs in (make_method(stem), challenge.own_method(make_user(), stem)):
        answer = send(client, theirs, b"content")
        assert "You have not registered this method" in answer.context["form"].errors["method"][0]


def test_a_method_is_for_the_modalities_that_it_is_registered_for(client, ada, stem):
    elsewhere = challenge.own_method(ada, make_modality("electron_tomography"))
    answer = send(client, elsewhere, b"content")
    assert "is not registered for" in answer.context["form"].errors["method"][0]


def test_a_file_larger_than_any_submission_is_dropped_while_it_comes(client, method):
    before = kept_files()
    answer = send(client, method, bytes(upload.largest_of_all() + 1))
    assert answer.status_code == 400
    assert "larger than any submission" in answer.context["form"].errors["file"][0]
    assert kept_files() == before


def test_a_file_too_large_for_its_modality_is_refused(client, method, stem):
    answer = send(client, method, bytes(upload.largest(stem) + 1))
    assert "has at most" in answer.context["form"].errors["file"][0]


@scoring
def test_on_dev_the_means_of_a_calibrated_result_are_shown_and_no_spec_error(client, method):
    near = {"spec_error": {"probe_size": 0.07182818}}
    made = make_attempt(
        method.modalities.get(), method, "dev", result=make_result(0.61, 29.76, 0.9) | near
    )
    page = client.get(made.get_absolute_url()).content.decode()
    assert "29.76 dB" in page
    assert "within 10 %" in page
    assert "Scene by scene" not in page
    assert "7.2 %" not in page


def test_the_quota_is_shown_before_and_named_after(client, method, settings):
    settings.PWM_DEV_SUBMISSIONS_A_DAY = 1
    settings.PWM_DEV_SUBMISSIONS_A_MONTH = 4
    assert "1 today, 4 of 4 in 30 days" in client.get(NEW + "?modality=stem").content.decode()
    send(client, method, b"one", "dev")
    challenge.end(Attempt.objects.get(), 0.01)
    page = client.get(NEW + "?modality=stem").content.decode()
    assert "0 today, 3 of 4 in 30 days" in page
    assert "00:00 UTC on" in page, "the next one is for tomorrow"
    before = kept_files()
    answer = send(client, method, b"two", "dev")
    assert answer.status_code == 429
    assert (
        "1 a day, 4 in 30 days. The next one can be sent from"
        in answer.context["form"].errors["tier"][0]
    )
    assert kept_files() == before
    assert send(client, method, b"two").status_code == 302


def test_the_same_file_twice_leads_to_the_first_and_is_kept_once(client, method):
    first = send(client, method, b"the same")
    before = kept_files()
    second = send(client, method, b"the same")
    assert first["Location"] == second["Location"]
    assert kept_files() == before
    assert "already submitted this file" in client.get(second["Location"]).content.decode()


def test_nobody_else_sees_a_submission(client, method):
    place = send(client, method, b"mine")["Location"]
    pages = [place, f"{place}progress/", f"{place}0-reconstruction.webp", f"/api/v1{place}"]
    for stranger in (make_user(), make_user(is_staff=True, is_superuser=True)):
        other = Client()
        other.force_login(stranger)
        assert [other.get(page).status_code for page in pages] == [404] * 4
        assert other.post(f"{place}cancel/").status_code == 404
        assert place not in other.get("/submissions/").content.decode()
    nobody = Client()
    assert nobody.get(place).status_code == 302
    assert nobody.get(f"/api/v1{place}").status_code == 401


def test_a_waiting_submission_can_be_cancelled_and_counts_no_more(client, method, settings):
    settings.PWM_DEV_SUBMISSIONS_A_DAY = 1
    place = send(client, method, b"one", "dev")["Location"]
    client.post(f"{place}cancel/")
    assert "Cancelled" in client.get(place).content.decode()
    assert send(client, method, b"two", "dev").status_code == 302


@scoring
def test_the_progress_asks_again_until_the_end(client, method):
    place = send(client, method, b"no HDF5")["Location"]
    waiting = client.get(f"{place}progress/")
    assert waiting.status_code == 200
    assert "place 1 in the queue" in waiting.content.decode()
    assert "there is none for this at present" in waiting.content.decode()
    make_worker(queues=["gallery", "scoring"])
    assert "none for this" not in client.get(f"{place}progress/").content.decode()
    assert 'hx-trigger="every 2s"' in waiting.content.decode()
    challenge.score_all()
    ended = client.get(f"{place}progress/")
    assert ended.status_code == 286
    assert ended["HX-Refresh"] == "true"


def test_without_the_forms_token_nothing_is_taken(method, ada):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    assert send(strict, method, b"content").status_code == 403
    assert not Attempt.objects.exists()
    page = strict.get(NEW).content.decode()
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    assert send(strict, method, b"content", csrfmiddlewaretoken=token).status_code == 302


def test_without_an_account_the_body_is_not_read(stem):
    answer = Client().post(NEW, {"file": SimpleUploadedFile("s.h5", b"content")})
    assert answer["Location"] == f"/accounts/login/?next={NEW}"


def test_who_has_no_method_is_led_to_register_one(client, ada, stem):
    page = client.get(NEW + "?modality=stem").content.decode()
    assert "/methods/register/?modality=stem" in page
    assert 'type="file"' not in page


def test_one_person_cannot_fill_the_queue(client, method, monkeypatch):
    monkeypatch.setattr("leaderboards.models.quota.MOST_LIVE", 2)
    for content in (b"1", b"2"):
        assert send(client, method, content).status_code == 302
    assert send(client, method, b"3").status_code == 429


def test_lists_ask_the_database_as_often_for_many_submissions(client, method):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/submissions/")
            client.get("/accounts/")
        return len(captured)

    send(client, method, b"1")
    queries()  # the first visit opens the account of credits
    before = queries()
    for i in range(5):
        send(client, method, f"more {i}".encode())
    assert queries() == before
