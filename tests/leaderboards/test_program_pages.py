"""Sending programs by the form, and what pages tell of their runs to owner, curators and others."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db.models.functions import Now
from django.test import Client

from leaderboards import programs
from leaderboards.curators import GROUP
from leaderboards.models import (
    Attempt,
    CreditAccount,
    CreditChange,
    Ending,
    Kind,
    Method,
    ProgramRun,
)
from tests.factories import make_attempt, make_method, make_modality, make_user
from tests.leaderboards.sending import SCRIPT, end, form_data, send

pytestmark = pytest.mark.django_db
EVIDENCE: dict[str, Any] = dict.fromkeys(
    ("input_sha256", "output_sha256", "runtime_sha256"), "1" * 64
) | {"ran_at": Now()}
NEW, CREDITS, GIVE = "/submissions/program/", "/accounts/credits/", "/curate/credits/"


@pytest.fixture
def method() -> Method:
    return make_method(make_modality("stem"), owner=make_user(username="ada"))


@pytest.fixture
def ada(client: Client, method: Method) -> Client:
    client.force_login(method.owner)
    return client


@pytest.fixture
def curator() -> Client:
    person, client = make_user(username="cleo"), Client()
    person.groups.add(Group.objects.get(name=GROUP))
    client.force_login(person)
    return client


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_form_says_price_balance_limits_and_packages(ada):
    page = text(ada.get(NEW))
    assert "<b>10 credits</b>; you have 100." in page
    for part in ("Wall clock", "CPU time", "Processes and threads", "Network", "none"):
        assert part in page
    for package in ("numpy", "scipy", "scikit-image", "h5py"):
        assert f"<code>{package}</code>" in page
    assert 'href="/programs/"' in page


def test_form_of_files_leads_to_that_of_programs(ada, method):
    answer = ada.get(f"/submissions/new/?modality=stem&tier=hidden&method={method.slug}")
    assert answer.url == f"{NEW}?modality=stem&tier=hidden&method={method.slug}"
    assert f'href="{NEW}?modality=stem"' in text(ada.get("/submissions/new/?modality=stem"))
    page = text(ada.get(answer.url))
    assert 'value="hidden" id="id_tier_1" checked' in page or "checked" in page


def test_trial_run_is_sent_followed_and_free(ada, method):
    answer = ada.post(NEW, form_data(method))
    made = Attempt.objects.get()
    assert answer.url == made.get_absolute_url()
    page = text(ada.get(answer.url))
    assert "<h1>Waits for a runner</h1>" in page
    assert "A trial run is free." in page
    assert 'aria-current="step">Waits for a runner' in page
    assert CreditAccount.objects.of(method.owner).balance == 100


def test_hidden_run_shows_what_is_held_and_gives_it_back_when_cancelled(ada, method):
    answer = ada.post(NEW, form_data(method, tier="hidden"))
    assert "10 credits are held for this run." in text(ada.get(answer.url))
    page = text(ada.get(CREDITS))
    assert "Held now" in page
    assert "−10" in page
    ada.post(f"{answer.url}cancel/")
    assert "charged and given back: the run cost nothing" in text(ada.get(answer.url))
    page = text(ada.get(CREDITS))
    assert "Given back" in page
    assert "+10" in page
    assert "Held now" not in page


def test_same_program_twice_is_one_run(ada, method):
    first = ada.post(NEW, form_data(method, tier="hidden"))
    second = ada.post(NEW, form_data(method, tier="hidden"), follow=True)
    assert second.redirect_chain[0][0] == first.url
    assert "Nothing was charged again" in text(second)
    assert CreditAccount.objects.of(method.owner).balance == 90


def test_too_few_credits_are_said_with_what_there_is_and_what_is_free(ada, method, settings):
    settings.PWM_CREDITS_AT_START = 5
    answer = ada.post(NEW, form_data(method, tier="hidden"))
    assert answer.status_code == 402
    assert "costs 10 credits and you have 5" in text(answer)
    assert "a trial run is free" in text(answer)
    assert f'href="{CREDITS}"' in text(answer)
    assert not Attempt.objects.exists()


def test_used_up_quota_is_said_with_when_there_is_more(ada, method, settings):
    settings.PWM_TRIAL_RUNS_A_DAY = 1
    ada.post(NEW, form_data(method))
    answer = ada.post(NEW, form_data(method, b"another"))
    assert answer.status_code == 429
    assert "can be sent from" in text(answer)
    assert "0 of 1 trials are left" in text(answer)


@pytest.mark.parametrize(
    ("source", "more", "status", "told"),
    [
        (b"", {}, 400, "This file is empty"),
        (b"\x1f\x8b\x08\xff\xfe", {}, 400, "no text in UTF-8"),
        (b"x" * 3000, {}, 413, "a python script has at most 1.0"),
        (SCRIPT, {"tier": "dev"}, 400, "Programs run on the hidden tier, and for a trial"),
        (SCRIPT, {"form": "binary"}, 400, "a Python script or a container archive"),
        (SCRIPT, {"method": "nobodys"}, 400, "You have not registered this method"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(
    ada, method, settings, source, more, status, told
):
    settings.PWM_SCRIPT_KB = 1
    answer = ada.post(NEW, form_data(method, source, **more))
    assert answer.status_code == status
    assert told in text(answer)
    assert not Attempt.objects.exists()


def test_program_larger_than_any_is_dropped_while_it_arrives(ada, method, monkeypatch):
    monkeypatch.setattr(programs, "largest_of_all", lambda: 1000)
    answer = ada.post(NEW, form_data(method, b"x" * 3000))
    assert answer.status_code == 413
    assert "larger than any program may be" in text(answer)


def test_server_that_takes_no_containers_says_so(ada, method, settings):
    settings.PWM_IMAGE_MB = 0
    assert "This server takes no container archives" in text(ada.get(NEW))
    answer = ada.post(NEW, form_data(method, form="container"))
    assert answer.status_code == 400
    assert "takes no container archives" in text(answer)


def test_server_without_a_sandbox_says_so_before_anybody_uploads(ada, method, monkeypatch):
    told = "Blocked: no sandbox on this server (user namespaces)."
    monkeypatch.setattr(programs, "why_blocked", lambda: told)
    page = text(ada.get(NEW))
    assert told in page
    assert 'type="file"' not in page
    answer = ada.post(NEW, form_data(method, tier="hidden"))
    assert answer.status_code == 503
    assert "nothing was charged" in text(answer)
    assert CreditAccount.objects.of(method.owner).balance == 100


def test_form_needs_its_token(method):
    client = Client(enforce_csrf_checks=True)
    client.force_login(method.owner)
    assert client.post(NEW, form_data(method)).status_code == 403


def test_failed_trial_shows_reason_log_and_exact_costs(ada, method):
    run = end(send(method, tier="public"), Ending.FAILED, "Traceback: <b>no</b>\n")
    page = text(ada.get(run.get_absolute_url()))
    assert "<h1>Program failed</h1>" in page
    assert "exit code other than 0" in page
    assert "Traceback: &lt;b&gt;no&lt;/b&gt;" in page
    assert "3.3 s" in page
    assert "Make a trial run" not in page
    assert "Waits for a runner</li>" in page
    assert "Is scored" not in page  # it never came to that


def test_failed_hidden_run_shows_no_log_no_problem_and_coarse_costs(ada, method):
    secret = "y = 0.123456789"
    run = end(send(method), Ending.FAILED, secret, problems=[secret], detail=secret)
    page = text(ada.get(run.get_absolute_url()))
    assert secret not in page
    assert "for curators alone" in page
    assert "up to 5.0 s" in page
    assert "up to 100 MB" in page
    assert "the program ran, whatever came of it" in page
    assert "tier=public" in page  # the next step


def test_times_of_a_hidden_run_are_told_to_ten_minutes(ada, method):
    run = end(send(method), Ending.TIME)
    page = text(ada.get(run.get_absolute_url()))
    for event in run.events.all():
        assert f"{event.at:%H:%M:%S}" not in page
    assert f"{run.finished_at:%H}:{run.finished_at.minute // 10}0" in page


def test_runs_of_others_are_not_there(method):
    run, other = send(method), Client()
    other.force_login(make_user())
    assert other.get(run.get_absolute_url()).status_code == 404
    assert other.post(f"{run.get_absolute_url()}cancel/").status_code == 404


def test_progress_names_the_step_and_then_reloads_the_page(ada, method):
    run = send(method)
    answer = ada.get(f"{run.get_absolute_url()}progress/")
    assert answer.status_code == 200
    assert 'aria-current="step">Waits for a runner' in text(answer)
    run.cancel("ada")
    answer = ada.get(f"{run.get_absolute_url()}progress/")
    assert (answer.status_code, answer["HX-Refresh"]) == (286, "true")


def test_progress_of_a_hidden_run_foretells_no_time(ada, method):
    end(send(method, b"first"), Ending.TIME)
    assert "Done about" not in text(ada.get(f"{send(method).get_absolute_url()}progress/"))


def test_curator_reads_the_log_of_a_hidden_run_marked_as_a_strangers(curator, method):
    run = end(send(method), Ending.OUTPUT_REFUSED, "I claim 0.99", problems=["sample_00: no x_hat"])
    assert f'href="/curate/programs/{run.pk}/"' in text(curator.get("/curate/programs/"))
    page = text(curator.get(f"/curate/programs/{run.pk}/"))
    assert "A stranger wrote what follows." in page
    assert "I claim 0.99" in page
    assert "sample_00: no x_hat" in page


def test_curator_reads_what_a_second_run_left(curator, method):
    second = Attempt.objects.repeat(send(method))
    page = text(curator.get(f"/curate/programs/{second.pk}/"))
    assert "A second run is free." in page


def test_curator_gives_credits_with_a_reason_that_the_person_reads(curator, ada):
    answer = curator.post(GIVE, {"username": "ada", "amount": 30, "reason": "For a long study."})
    assert answer.status_code == 302
    change = CreditChange.objects.get(amount=30)
    assert (change.by.username, change.reason) == ("cleo", "For a long study.")
    assert "For a long study." in text(curator.get(GIVE))
    page = text(ada.get(CREDITS))
    assert "For a long study." in page
    assert ">130<" in page


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"username": "nobody", "amount": 1, "reason": "Why not."}, "nobody with this user name"),
        ({"username": "cleo", "amount": 1, "reason": "Mine."}, "Another curator has to"),
        ({"username": "ada", "amount": 0, "reason": "None."}, "greater than or equal to 1"),
        ({"username": "ada", "amount": 1001, "reason": "All."}, "less than or equal to 1000"),
        ({"username": "ada", "amount": 1}, "Give a reason"),
    ],
)
def test_grant_that_cannot_be_is_refused(curator, method, given, told):
    answer = curator.post(GIVE, given)
    assert answer.status_code == 400
    assert told in text(answer)
    assert not CreditChange.objects.filter(by__isnull=False).exists()


def test_ledger_is_paged_the_newest_first(ada, method):
    account = CreditAccount.objects.of(method.owner)
    for number in range(60):
        account.grant(1, f"Grant {number}.")
    page = text(ada.get(CREDITS))
    assert page.index("Grant 59.") < page.index("Grant 58.")
    assert "Grant 5." not in page
    assert "Grant 5." in text(ada.get(f"{CREDITS}?page=2"))


def test_rules_say_that_credits_are_no_money(ada):
    page = text(ada.get(CREDITS))
    assert "Credits are no money." in page
    assert "withdrawals" in page


def test_account_waits_for_its_address_where_the_site_sends_mail(ada, settings):
    settings.SENDS_MAIL = True
    page = text(ada.get(CREDITS))
    assert "wait for your address" in page
    assert "once an e-mail address is confirmed" in page


def scored(method: Method, tier: str, **fields: Any) -> Attempt:
    run = make_attempt(
        method.modalities.get(), method, tier, (0.6123, 25.0, 0.8), kind=Kind.PROGRAM, **fields
    )
    ProgramRun.objects.create(attempt=run, form="script", ending=Ending.DONE, **EVIDENCE)
    return run


def test_scored_trial_shows_its_scenes_counts_nowhere_and_leads_to_the_hidden_tier(ada, method):
    page = text(ada.get(scored(method, "public").get_absolute_url()))
    assert "<h1>Scored</h1>" in page
    assert "0.612" in page
    assert "Scene by scene" in page
    assert "tier=hidden" in page
    assert "counts on the board" not in page
    assert "Your entry" not in page


def test_scored_hidden_run_shows_rounded_means_and_no_scene(ada, method):
    page = text(ada.get(scored(method, "hidden").get_absolute_url()))
    assert "0.612" in page
    assert "Scene by scene" not in page
    assert "This tier says no more" in page
    assert "Your entry" in page
