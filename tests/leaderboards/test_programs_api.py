"""Programs and credits in the API, with a token."""

from __future__ import annotations

import pytest
from django.test import Client

from leaderboards import programs
from leaderboards.models import Attempt, CreditAccount, Ending
from pwmsite.models import ApiToken
from tests.factories import make_method, make_modality, make_user
from tests.leaderboards.sending import end, form_data, send

pytestmark = pytest.mark.django_db
PLACE = "/api/v1/programs/"


@pytest.fixture
def method():
    return make_method(make_modality("stem"), owner=make_user(username="ada"))


@pytest.fixture
def ada(method):
    """A client that brings a token and nothing else, and must need no form's token."""
    _, token = ApiToken.objects.make(method.owner, "test")
    return Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {token}"})


def test_program_is_sent_and_followed(ada, method):
    answer = ada.post(PLACE, form_data(method, tier="hidden"))
    assert answer.status_code == 201, answer.content
    found = ada.get(f"{PLACE}{answer.json()['id']}/").json()
    assert (found["step"], found["price"], found["form"]) == ("waits for a runner", 10, "script")
    assert found["log"] is None
    assert ada.post(PLACE, form_data(method, tier="hidden")).status_code == 200
    assert [run["id"] for run in ada.get(PLACE).json()["results"]] == [found["id"]]
    assert ada.get("/api/v1/submissions/").json()["results"] == []
    balance = ada.get("/api/v1/credits/balance/").json()
    assert balance == {"balance": 90, "held": 10, "price_of_a_hidden_run": 10}
    assert [row["amount"] for row in ada.get("/api/v1/credits/").json()["results"]] == [-10, 100]


def test_trial_tells_its_log_and_a_hidden_run_does_not(ada, method):
    trial = end(send(method, b"1", "public"), Ending.FAILED, "Traceback")
    hidden = end(send(method, b"2"), Ending.FAILED, "the measurements")
    found = ada.get(f"{PLACE}{trial.pk}/").json()
    assert (found["error_code"], found["log"]) == ("failed", "Traceback")
    assert found["costs"] == {"cpu_seconds": 3.3, "peak_memory_mb": 71.0}
    answer = ada.get(f"{PLACE}{hidden.pk}/")
    assert "the measurements" not in answer.content.decode()
    assert answer.json()["costs"] == {"cpu_seconds": 5.0, "peak_memory_mb": 100.0}
    for name in ("started_at", "finished_at"):
        assert answer.json()[name][14:19].endswith("0:00")


def test_problems_are_answered_with_their_status(ada, method, settings, monkeypatch):
    settings.PWM_SCRIPT_KB, settings.PWM_TRIAL_RUNS_A_DAY = 1, 0
    settings.PWM_CREDITS_AT_START = 5
    short = ada.post(PLACE, form_data(method, tier="hidden"))
    assert (short.status_code, "you have 5" in short.json()["detail"]) == (402, True)
    assert ada.post(PLACE, form_data(method)).status_code == 429
    large = ada.post(PLACE, form_data(method, b"x" * 3000))
    assert (large.status_code, "at most" in large.json()["detail"]) == (413, True)
    assert "tier" in ada.post(PLACE, form_data(method, tier="dev")).json()
    monkeypatch.setattr(programs, "why_blocked", lambda: "Blocked: no sandbox here (seccomp).")
    blocked = ada.post(PLACE, form_data(method))
    assert (blocked.status_code, "seccomp" in blocked.json()["detail"]) == (503, True)
    assert not Attempt.objects.exists()
    assert CreditAccount.objects.of(method.owner).balance == 5


def test_without_a_token_nothing_is_told(method):
    run = send(method)
    for path in (PLACE, f"{PLACE}{run.pk}/", "/api/v1/credits/", "/api/v1/credits/balance/"):
        assert Client().get(path).status_code == 401
    other = Client()
    other.force_login(make_user())
    assert other.get(f"{PLACE}{run.pk}/").status_code == 404
    assert len(other.get("/api/v1/credits/").json()["results"]) == 1
