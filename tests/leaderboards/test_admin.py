"""The curators' desk asks for a reason, calls the one method, and edits nothing else."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from leaderboards.models import Entry, Method, Trust
from modalities.models import Modality
from tests.factories import make_entry, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db
ENTRIES = reverse("admin:leaderboards_entry_changelist")
TIERS = dict.fromkeys(("public", "dev", "hidden"), (0.5, 25.0, 0.8))
EVIDENCE = {
    "inputs_sha256": "a" * 64,
    "program_sha256": "b" * 64,
    "outputs_sha256": "c" * 64,
    "environment_sha256": "d" * 64,
    "second_score": "0.5004",
}


@pytest.fixture
def curator(client: Client) -> Client:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def decide(client: Client, decision: str, *entries: Entry, **form: str) -> str:
    data = {"action": decision, "_selected_action": [str(e.pk) for e in entries]} | form
    return client.post(ENTRIES, data, follow=True).content.decode()


def test_action_asks_for_a_reason_before_it_does_anything(curator: Client) -> None:
    entry = make_entry(score=0.5)
    page = decide(curator, "disqualify", entry)
    assert 'name="reason"' in page
    assert not Entry.objects.get().is_disqualified


def test_disqualification_without_a_reason_is_asked_again(curator: Client) -> None:
    entry = make_entry(score=0.5)
    assert "This field is required" in decide(curator, "disqualify", entry, decide="yes", reason="")
    assert not Entry.objects.get().is_disqualified


def test_certificate_is_given_with_reason_and_evidence(curator: Client) -> None:
    entry = make_entry(trust=Trust.RERUN, program_sha256="b" * 64, tiers=TIERS)
    decide(curator, "certify", entry, decide="yes", reason="The second run matches.", **EVIDENCE)
    entry.refresh_from_db()
    assert entry.is_certified
    assert entry.certified_reason == "The second run matches."


def test_certificate_that_the_rules_refuse_is_explained(curator: Client) -> None:
    entry = make_entry(tiers=TIERS)
    page = decide(curator, "certify", entry, decide="yes", reason="Please.", **EVIDENCE)
    assert "not possible for an entry that is scored" in page


def test_certificates_are_given_one_at_a_time(curator: Client) -> None:
    method = make_method(make_modality())
    entries = [make_entry(None, method, name=name, tiers=TIERS) for name in "AB"]
    assert "one entry at a time" in decide(curator, "certify", *entries)


def test_several_entries_are_disqualified_at_once(curator: Client) -> None:
    method = make_method(make_modality())
    entries = [make_entry(None, method, name=name, tiers=TIERS) for name in "AB"]
    decide(curator, "disqualify", *entries, decide="yes", reason="Both read the truth.")
    assert Entry.objects.filter(disqualified_reason="Both read the truth.").count() == 2


def test_staff_without_the_permission_cannot_decide(client: Client) -> None:
    user = make_user(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_entry"))
    client.force_login(user)
    entry = make_entry(score=0.5)
    decide(client, "disqualify", entry, decide="yes", reason="Because.")
    assert not Entry.objects.get().is_disqualified


def test_history_of_an_entry_shows_who_and_why(curator: Client) -> None:
    entry = make_entry(tiers=TIERS)
    decide(curator, "disqualify", entry, decide="yes", reason="It read the truth.")
    page = curator.get(reverse("admin:leaderboards_entry_history", args=[entry.pk]))
    assert "Disqualified: It read the truth." in page.content.decode()


@pytest.mark.parametrize("kind", [Modality, Entry])
def test_rows_that_others_write_cannot_be_edited(curator: Client, kind: type) -> None:
    make_entry(tiers=TIERS)
    row = kind.objects.get()
    name = f"admin:{kind._meta.app_label}_{kind._meta.model_name}"
    page = curator.get(reverse(f"{name}_change", args=[row.pk]))
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert curator.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
    assert curator.get(reverse(f"{name}_delete", args=[row.pk])).status_code == 403


def test_registered_method_can_be_corrected_and_catalogue_method_cannot(curator: Client) -> None:
    registered, catalogued = make_method(owner=make_user()), make_method()
    for method, editable in ((registered, True), (catalogued, False)):
        page = curator.get(reverse("admin:leaderboards_method_change", args=[method.pk]))
        assert ('name="_save"' in page.content.decode()) is editable
    assert Method.objects.count() == 2
