"""The curator's desk: who sees it, what it shows of two runs, and what it lets be decided."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from leaderboards import curators, desk
from leaderboards.models import (
    Attempt,
    Board,
    Checkpoint,
    Entry,
    Kind,
    Origin,
    Trust,
    Variant,
    Word,
)
from modalities import datasets
from modalities.jobs import State
from tests.factories import make_attempt, make_entry, make_method, make_modality, make_user
from tests.site import reading

pytestmark = pytest.mark.django_db
PUBLIC = {"public": (0.5, 25.0, 0.8)}
FULL = {"public": (0.5, 25.0, 0.8), "dev": (0.4567, 24.567, 0.7891), "hidden": (0.4, 23.0, 0.7)}


@pytest.fixture(autouse=True)
def arrays_in_a_folder_of_their_own(monkeypatch, tmp_path) -> None:
    field = Attempt._meta.get_field("arrays")
    monkeypatch.setattr(field, "storage", FileSystemStorage(tmp_path))


@pytest.fixture
def stem():
    return make_modality()


@pytest.fixture
def owner() -> User:
    return make_user(username="ada")


@pytest.fixture
def method(stem, owner):
    return make_method(stem, owner=owner, name="Sharpen")


@pytest.fixture
def entry(stem, method) -> Entry:
    return make_entry(stem, method, tiers=PUBLIC)


def make_curator(**fields: Any) -> User:
    user = make_user(**fields)
    user.groups.add(Group.objects.get(name=curators.GROUP))
    return user


@pytest.fixture
def curator(client: Client) -> User:
    user = make_curator(username="eve")
    client.force_login(user)
    return user


def url(entry: Entry, what: str = "") -> str:
    return f"/curate/{entry.pk}/{what}"


def fresh(entry: Entry) -> Entry:
    return Entry.objects.get(pk=entry.pk)


def decide(client: Client, entry: Entry, word: str, reason: str = "Because.") -> Any:
    return client.post(url(entry, "decide/"), {"word": word, "reason": reason}, follow=True)


def page(client: Client, entry: Entry) -> str:
    response = client.get(url(entry))
    assert response.status_code == 200
    return response.content.decode()


def words(response: Any) -> str:
    return reading.text(response.content.decode())


def offered(client: Client, entry: Entry) -> set[str]:
    return set(re.findall(r'name="word" value="(\w+)"', page(client, entry)))


def second_of(first: Attempt, **fields: Any) -> Attempt:
    """A second run of an attempt, which gave the same unless ``fields`` say otherwise."""
    figures = (first.score, first.result["psnr"], first.result["ssim"])
    return make_attempt(
        first.modality,
        first.method,
        first.tier,
        fields.pop("figures", figures),
        kind=Kind.RERUN,
        variant=first.variant,
        repeats=first,
        **fields,
    )


def draw(attempt: Attempt) -> None:
    """Give an attempt reconstructions to look at."""
    spec = attempt.modality.spec
    arrays = {
        name: np.zeros(spec.shape, np.float32) for name in datasets.sample_names(spec, "public")
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    storage = Attempt._meta.get_field("arrays").storage
    name = storage.save(f"{attempt.pk}.npz", ContentFile(file.getvalue()))
    Attempt.objects.filter(pk=attempt.pk).update(arrays=name)


# ---------------------------------------------------------------- who sees it
PAGES = ("/curate/", "/curate/{pk}/", "/curate/{pk}/progress/")


@pytest.mark.parametrize("path", PAGES)
def test_strangers_are_led_to_the_sign_in_page(client, entry, path):
    path = path.format(pk=entry.pk)
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("path", PAGES)
def test_members_and_owners_find_nothing(client, entry, owner, path):
    for person in (owner, make_user(), make_user(is_staff=True)):
        client.force_login(person)
        assert client.get(path.format(pk=entry.pk)).status_code == 404


@pytest.mark.parametrize("path", PAGES[:2])
def test_curators_and_superusers_see_it(client, entry, path):
    for person in (make_curator(), make_user(is_superuser=True)):
        client.force_login(person)
        assert client.get(path.format(pk=entry.pk)).status_code == 200


@pytest.mark.parametrize("what", ["decide/", "rerun/"])
def test_nobody_else_decides_or_runs_again(client, entry, owner, what):
    form = {"word": Word.DISQUALIFIED, "reason": "Because."}
    assert client.post(url(entry, what), form).status_code == 302
    client.force_login(owner)
    assert client.post(url(entry, what), form).status_code == 404
    assert fresh(entry).is_listed
    assert not Attempt.objects.filter(kind=Kind.RERUN).exists()


def test_a_closed_curator_sees_nothing(client, entry, curator):
    User.objects.filter(pk=curator.pk).update(is_active=False)
    assert client.get("/curate/").status_code == 302


def test_the_group_is_there_and_may_do_nothing_else():
    permissions = Group.objects.get(name="curators").permissions.values_list("codename", flat=True)
    assert list(permissions) == ["curate_entry"]


def test_only_curators_get_the_link(client, owner):
    assert "/curate/" not in client.get("/corner/").content.decode()
    client.force_login(owner)
    assert "/curate/" not in client.get("/corner/").content.decode()
    client.force_login(make_curator())
    assert 'href="/curate/"' in client.get("/corner/").content.decode()
    assert 'href="/curate/"' in client.get("/accounts/").content.decode()


def test_the_public_pages_stay_the_same_for_curators(client, stem, curator):
    assert "/curate/" not in client.get("/about/").content.decode()


def test_a_curator_sees_every_reconstruction_and_only_public_truths(client, stem, method, curator):
    for tier in ("public", "dev"):
        attempt = make_attempt(stem, method, tier)
        draw(attempt)
        path = f"/submissions/{attempt.pk}/0-{{}}.webp"
        assert client.get(path.format("reconstruction"))["Content-Type"] == "image/webp"
    for kind in ("truth", "error"):
        assert client.get(path.format(kind)).status_code == 404
    client.force_login(make_user())
    assert client.get(path.format("reconstruction")).status_code == 404


def test_the_truth_of_a_standard_result_is_the_gallerys(client, stem, curator):
    method = make_method(stem)
    attempt = make_attempt(stem, method, "standard", variant=Variant.NOMINAL)
    draw(attempt)
    truth, error = (
        client.get(f"/submissions/{attempt.pk}/0-{kind}.webp") for kind in ("truth", "error")
    )
    assert truth.status_code == error.status_code == 200
    assert truth.content != error.content


def test_arrays_that_are_gone_are_a_404(client, stem, method, curator):
    attempt = make_attempt(stem, method)
    picture = f"/submissions/{attempt.pk}/0-reconstruction.webp"
    assert client.get(picture).status_code == 404
    Attempt.objects.filter(pk=attempt.pk).update(arrays="gone.npz")
    assert client.get(picture).status_code == 404


# ---------------------------------------------------------------- the queue
def names(client: Client, query: str = "") -> list[str]:
    html = client.get(f"/curate/{query}").content.decode()
    return re.findall(r"data-row><b>([^<]+)</b>", html)


def make_waiting(stem, name: str, **fields: Any) -> Entry:
    fields = {"tiers": PUBLIC} | fields
    if fields.get("variant", Variant.OWN) == Variant.OWN:
        method = make_method(stem, name=name, owner=make_user())
    else:
        method = make_method(stem, name=name)
    tiers = fields.pop("tiers")
    entry = make_entry(stem, method, **fields)
    how = {"variant": entry.variant, "outputs_sha256": f"{Entry.objects.count():064x}"}
    if entry.variant != Variant.OWN:
        how["kind"] = Kind.BASELINE
    for tier, figures in tiers.items():
        make_attempt(stem, method, tier, figures, **how)
    return fresh(entry)


def test_flagged_come_first_then_peoples_then_baselines_the_longest_wait_first(
    client, stem, curator
):
    make_waiting(stem, "baseline", variant=Variant.GRADIENT)
    make_waiting(stem, "first")
    make_waiting(stem, "second")
    make_waiting(stem, "suspicious", tiers={"public": (0.7, 29.0, 0.8)})
    assert names(client) == ["suspicious", "first", "second", "baseline + gradient"]
    assert "Public: 4.0 dB better than everything else" in words(client.get("/curate/"))


def test_a_reviewed_entry_waits_again_when_its_result_changes(client, stem, entry, curator):
    assert names(client) == ["Sharpen"]
    decide(client, entry, Word.APPROVED)
    assert names(client) == []
    make_attempt(stem, entry.method, figures=(0.6, 27.0, 0.8))
    assert names(client) == ["Sharpen"]


def test_reported_entries_and_empty_ones_do_not_wait(client, stem, curator):
    make_entry(stem, origin=Origin.REPORTED)
    make_entry(stem)
    assert names(client) == []
    assert "Nothing waits" in words(client.get("/curate/"))


def test_filters_are_in_the_address(client, stem, curator):
    make_waiting(stem, "plain")
    make_waiting(stem, "suspicious", tiers={"public": (0.7, 29.0, 0.8)})
    other = make_modality("electron_tomography")
    make_waiting(other, "tilted")
    off = make_waiting(stem, "off")
    off.disqualify(curator, "It read the truth.")
    assert set(names(client)) == {"plain", "suspicious", "tilted"}
    assert names(client, "?flagged=1") == ["suspicious"]
    assert names(client, "?modality=electron_tomography") == ["tilted"]
    assert names(client, "?state=off") == names(client, "?state=reviewed") == ["off"]
    assert names(client, "?state=certified") == []
    assert len(names(client, "?state=all")) == 4
    assert names(client, "?state=nonsense&modality=none") == []
    assert "No entry matches" in words(client.get("/curate/?state=certified"))


def test_the_queue_is_paged_and_keeps_its_filter(client, stem, curator):
    for number in range(27):
        make_waiting(stem, f"entry {number}")
    assert len(names(client)) == 25
    assert len(names(client, "?page=2")) == 2
    assert "?modality=stem&amp;page=2" in client.get("/curate/?modality=stem").content.decode()


def test_the_queue_asks_as_often_for_many_entries_as_for_few(client, stem, curator):
    counts = []
    for more in (2, 20):
        for number in range(more):
            make_waiting(stem, f"entry {more}-{number}", tiers=FULL)
        client.get("/curate/")
        with CaptureQueriesContext(connection) as queries:
            client.get("/curate/")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 14


def test_the_desk_leads_to_the_neighbours_in_the_queue(client, stem, curator):
    first, second, third = (make_waiting(stem, name) for name in ("a", "b", "c"))
    html = page(client, second)
    assert f'href="/curate/{first.pk}/" data-key="k"' in html
    assert f'href="/curate/{third.pk}/" data-key="j"' in html
    assert "2 of 3" in html
    second.approve(curator, "Fine.")
    assert f'href="/curate/{first.pk}/" data-key="j"' in page(client, second)


# ---------------------------------------------------------------- the evidence
def compared(html: str) -> dict[str, str]:
    return {row[0]: row[-1] for row in reading.rows(html) if len(row) == 4}


def test_without_a_second_run_the_first_is_shown_alone(client, entry, curator):
    html = page(client, entry)
    assert "No second run yet." in html
    assert {compared(html)[name] for name in ("Inputs", "Outputs", "Score")} == {""}


def test_two_runs_are_compared_in_words(client, stem, entry, curator):
    first = entry.attempts.get()
    second_of(
        first,
        figures=(0.5002, 25.01, 0.8),
        environment_sha256="5" * 64,
        outputs_sha256="6" * 64,
        environment={"numpy": "2.2"},
    )
    found = compared(page(client, entry))
    assert (found["Inputs"], found["Outputs"], found["Environment"]) == (
        "equal",
        "different",
        "different",
    )
    assert found["Score"] == "+0.000200"
    assert found["SSIM"] == "equal"
    assert "because the environments differ" in page(client, entry)


def test_environments_are_compared_package_by_package(client, stem, method, curator):
    first = make_attempt(stem, method, environment={"numpy": "2.1", "scipy": "1.15"})
    second_of(first, environment={"numpy": "2.2", "scipy": "1.15"})
    found = compared(page(client, first.entry))
    assert (found["numpy"], found["scipy"]) == ("different", "equal")


def test_secret_tiers_tell_a_curator_what_they_tell_everybody(client, stem, method, curator):
    first = make_attempt(stem, method, "dev", (0.456789, 24.56789, 0.789123), cpu_seconds=12.34)
    second_of(first, figures=(0.456791, 24.56789, 0.789123), cpu_seconds=12.5)
    html = page(client, first.entry)
    assert {"0.457", "24.57", "0.789", "10.0 s"} <= set(re.findall(r"[\d.]+ s|[\d.]+", html))
    for secret in ("0.45678", "0.45679", "24.567", "0.7891", "12.3"):
        assert secret not in html
    assert compared(html)["Score"] == "+0.000002"


def test_pictures_of_the_public_tier_have_their_truth_beside_them(client, stem, method, curator):
    for tier in ("public", "dev"):
        draw(make_attempt(stem, method, tier))
    html = page(client, Entry.objects.get())
    public, dev = (
        reading.part(html, f'<section class="part" id="{tier}"', "Log of the runs")
        for tier in ("public", "dev")
    )
    count = len(stem.spec.samples("public"))
    assert public.count("-truth.webp") == public.count("-error.webp") == count
    assert dev.count("-reconstruction.webp") == count
    assert "-truth.webp" not in dev
    assert "-error.webp" not in dev


def test_log_flags_and_decisions_are_there(client, entry, curator):
    entry.approve(curator, "It looked fine.")
    html = page(client, entry)
    assert "claimed" in reading.text(reading.part(html, "Log of the runs", "</details>"))
    assert "It looked fine." in html
    assert "No flags." in html


def test_a_reported_entry_has_no_evidence_and_can_be_disqualified(client, stem, curator):
    entry = make_entry(stem, origin=Origin.REPORTED)
    assert "Nothing was run here." in page(client, entry)
    assert offered(client, entry) == {Word.APPROVED, Word.DISQUALIFIED}


def test_the_desk_asks_as_often_for_many_entries_as_for_few(client, stem, curator):
    entry = make_waiting(stem, "mine", tiers=FULL)
    counts = []
    for more in (1, 20):
        for number in range(more):
            make_waiting(stem, f"other {more}-{number}", tiers=FULL)
        client.get(url(entry))
        with CaptureQueriesContext(connection) as queries:
            client.get(url(entry))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 30


def test_the_page_keeps_to_the_strict_policy(client, entry, curator):
    for path in ("/curate/", url(entry)):
        html = client.get(path).content.decode()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
        ids = re.findall(r'\sid="([^"]+)"', html)
        assert len(ids) == len(set(ids))


# ---------------------------------------------------------------- second runs
def test_rerun_queues_what_has_no_second_run(client, stem, method, curator):
    entry = make_entry(stem, method, tiers=FULL | {"hidden": FULL["hidden"]})
    public = entry.attempts.get(tier="public")
    second_of(public)
    response = client.post(url(entry, "rerun/"), follow=True)
    assert "Queued for a second run: Dev, Hidden." in words(response)
    queued = Attempt.objects.filter(kind=Kind.RERUN, state=State.QUEUED)
    assert {run.tier for run in queued} == {"dev", "hidden"}
    assert {run.started_by for run in queued} == {curator}
    again = client.post(url(entry, "rerun/"), follow=True)
    assert "or one is on its way" in words(again)
    assert queued.count() == 2


def test_what_did_not_match_can_be_run_again(client, entry, curator):
    second_of(entry.attempts.get(kind=Kind.FILE), figures=(0.6, 27.0, 0.8))
    client.post(url(entry, "rerun/"))
    assert Attempt.objects.filter(kind=Kind.RERUN).live().count() == 1


def test_two_curators_who_ask_at_once_get_one_run(entry, curator, monkeypatch):
    seen = desk.pairs(entry)
    monkeypatch.setattr(desk, "pairs", lambda _: seen)
    assert desk.rerun(entry, curator) == ["Public"]
    assert desk.rerun(entry, make_curator()) == []
    assert Attempt.objects.filter(kind=Kind.RERUN).count() == 1


def test_progress_shows_until_the_run_has_ended(client, entry, curator):
    client.post(url(entry, "rerun/"))
    assert f'hx-get="{url(entry, "progress/")}"' in page(client, entry)
    waiting = client.get(url(entry, "progress/"))
    assert waiting.status_code == 200
    assert "place 1 in the queue" in words(waiting)
    run = Attempt.objects.get(kind=Kind.RERUN)
    run.claim("here:1")
    run.beat("scoring scene 2 of 4", 40)
    assert "scoring scene 2 of 4" in words(client.get(url(entry, "progress/")))
    run.fail("no_truth", "The data are not here.")
    ended = client.get(url(entry, "progress/"))
    assert (ended.status_code, ended["HX-Refresh"]) == (286, "true")
    assert "The second run failed: The data are not here." in page(client, entry)


# ---------------------------------------------------------------- decisions
def test_a_certificate_takes_two_attempts_that_agree(client, entry, curator):
    assert Word.CERTIFIED not in offered(client, entry)
    second = second_of(entry.attempts.get())
    assert Word.CERTIFIED in offered(client, entry)
    response = decide(client, entry, Word.CERTIFIED, "The second run gave the same bytes.")
    assert "Certified: Sharpen. The decision is recorded." in words(response)
    entry = fresh(entry)
    assert entry.trust == Trust.CERTIFIED
    (certificate,) = entry.certificates()
    assert certificate.second == second
    assert certificate.decision.by == curator


def test_the_newest_second_run_counts(client, entry, curator):
    first = entry.attempts.get()
    second_of(first, queued_at=timezone.now() - timedelta(hours=2))
    second_of(first, figures=(0.6, 27.0, 0.8), queued_at=timezone.now() - timedelta(hours=1))
    assert Word.CERTIFIED not in offered(client, entry)
    second_of(first)
    decide(client, entry, Word.CERTIFIED)
    assert fresh(entry).is_certified


def test_a_tier_without_a_second_run_is_named(client, stem, method, curator):
    entry = make_entry(stem, method, tiers=FULL)
    second_of(entry.attempts.get(tier="public"))
    html = page(client, entry)
    assert Word.CERTIFIED not in offered(client, entry)
    assert "Dev: There is no second run." in html
    response = decide(client, entry, Word.CERTIFIED)
    assert response.status_code == 400
    assert "none was given for Dev, Hidden" in words(response)


def test_runs_that_differ_are_not_certified(client, entry, curator):
    second_of(entry.attempts.get(), figures=(0.502, 25.0, 0.8))
    response = decide(client, entry, Word.CERTIFIED)
    assert response.status_code == 400
    assert "The scores of the two runs differ by more than 0.001." in words(response)
    assert not fresh(entry).is_certified


@pytest.mark.parametrize("word", [Word.APPROVED, Word.CERTIFIED])
def test_ones_own_entry_is_for_another_curator(client, stem, word):
    mine = make_curator()
    client.force_login(mine)
    entry = make_entry(stem, make_method(stem, owner=mine), tiers=PUBLIC)
    second_of(entry.attempts.get())
    assert word not in offered(client, entry)
    response = decide(client, entry, word)
    assert response.status_code == 400
    assert "another curator has to decide" in words(response)
    assert not fresh(entry).decisions.exists()


def test_asking_for_a_run_that_counts_does_not_make_an_entry_ones_own(stem, method, curator):
    first = make_attempt(stem, method, metrics_version="old")
    second_of(first, started_by=curator)
    assert not first.entry.belongs_to(curator)


@pytest.mark.parametrize("word", list(desk.DECISIONS))
def test_every_decision_needs_a_reason(client, entry, curator, word):
    response = decide(client, entry, word, "  ")
    assert response.status_code == 400
    assert "Give a reason; it is kept with the decision." in words(response)
    assert not fresh(entry).decisions.exists()


@pytest.mark.parametrize("word", ["", "superseded", "promoted"])
def test_there_are_no_other_decisions(client, entry, curator, word):
    response = decide(client, entry, word, "My reason.")
    assert response.status_code == 400
    assert "Choose one of the decisions." in words(response)
    assert "My reason." in response.content.decode()


def test_only_what_is_possible_is_offered(client, entry, curator):
    listed = {Word.APPROVED, Word.RETURNED, Word.DISQUALIFIED}
    assert offered(client, entry) == listed
    decide(client, entry, Word.DISQUALIFIED)
    assert offered(client, entry) == {Word.REINSTATED}
    decide(client, entry, Word.REINSTATED)
    assert offered(client, entry) == listed
    second_of(entry.attempts.get())
    decide(client, entry, Word.CERTIFIED)
    assert offered(client, entry) == {Word.REVOKED, Word.RETURNED, Word.DISQUALIFIED}
    decide(client, entry, Word.REVOKED)
    assert fresh(entry).trust == Trust.SCORED


def test_a_certified_entry_is_not_approved_over_its_certificate(client, entry, curator):
    second_of(entry.attempts.get())
    decide(client, entry, Word.CERTIFIED)
    assert decide(client, entry, Word.APPROVED).status_code == 400
    assert len(fresh(entry).certificates()) == 1


def test_a_baseline_cannot_be_returned(client, stem, curator):
    entry = make_waiting(stem, "baseline", variant=Variant.GRADIENT)
    assert offered(client, entry) == {Word.APPROVED, Word.DISQUALIFIED}


def test_a_method_without_its_checkpoint_cannot_be_certified(client, stem, curator):
    method = make_method(stem, owner=make_user(), checkpoint=Checkpoint.UNAVAILABLE)
    entry = make_entry(stem, method, tiers=PUBLIC)
    second_of(entry.attempts.get())
    assert Word.CERTIFIED not in offered(client, entry)
    assert "The checkpoint of the method is not available." in page(client, entry)


def test_a_decision_keeps_the_place_in_the_queue(client, entry, curator):
    response = client.post(
        url(entry, "decide/?flagged=1"), {"word": Word.APPROVED, "reason": "Fine."}
    )
    assert response["Location"] == url(entry, "?flagged=1")


def test_a_standard_baseline_has_its_desk(client, stem, curator):
    method = make_method(stem, physics_name="wiener")
    tiers = {"standard": (0.5, 30.0, 0.8)}
    entry = make_entry(stem, method, board=Board.STANDARD, variant=Variant.NOMINAL, tiers=tiers)
    second_of(entry.attempts.get())
    assert Word.CERTIFIED in offered(client, entry)
