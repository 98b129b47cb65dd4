"""The admin shows what others write, with who decided what, and edits registered methods alone."""

import pytest
from django.test import Client
from django.urls import reverse

from leaderboards.models import Entry, Method
from modalities.models import Modality
from tests.factories import make_entry, make_method, make_user

pytestmark = pytest.mark.django_db
TIERS = dict.fromkeys(("public", "dev", "hidden"), (0.5, 25.0, 0.8))


@pytest.fixture
def curator(client: Client) -> Client:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def test_entry_and_its_history_show_who_decided_what_and_why(curator: Client) -> None:
    entry, ada = make_entry(tiers=TIERS), make_user(username="ada")
    entry.disqualify(ada, "It read the truth.")
    page = curator.get(reverse("admin:leaderboards_entry_change", args=[entry.pk]))
    assert "It read the truth." in page.content.decode()
    history = curator.get(reverse("admin:leaderboards_entry_history", args=[entry.pk]))
    assert "Disqualified: It read the truth." in history.content.decode()
    assert "ada" in history.content.decode()


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
