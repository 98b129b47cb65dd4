"""Registering a method: what is refused, with the field named, and who may change it."""

from __future__ import annotations

import pytest

from leaderboards.catalogue import sync_everything
from leaderboards.models import Method
from modalities.models import Modality
from tests.factories import make_attempt, make_method, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def stem():
    sync_everything()
    return Modality.objects.get(key="stem")


@pytest.fixture
def ada(client):
    user = make_user(username="ada")
    client.force_login(user)
    return user


def fields(stem, **changes):
    return {
        "name": "Sparse atoms",
        "family": "classical",
        "description": "Counts *atoms*, where $x \\ge 0$.",
        "checkpoint": "none needed",
        "modalities": [stem.pk],
        "paper_url": "https://example.org/paper",
    } | changes


def test_a_registered_method_has_a_page_and_leads_on_to_submitting(client, ada, stem):
    answer = client.post("/methods/register/?modality=stem", fields(stem))
    assert answer["Location"] == "/submissions/new/?modality=stem&method=sparse-atoms"
    method = Method.objects.get(slug="sparse-atoms")
    assert method.owner == ada
    page = client.get("/methods/sparse-atoms/").content.decode()
    assert "<em>atoms</em>" in page
    assert "<math" in page


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "", "Give the method a name."),
        ("name", "Wiener filter", "already exists; choose another name"),
        ("name", "register", "already exists; choose another name"),
        ("name", "…", "needs a Latin letter or a digit"),
        ("family", "magic", "magic"),
        ("description", "", "Describe the method"),
        ("description", "<script>alert(1)</script>", "HTML is not allowed"),
        ("description", "$\\notacommand{$", "not a valid formula"),
        ("description", "x" * 2001, "2000 is the most"),
        ("description", "Turned \u202eround", "cannot be seen"),
        ("citation", "x" * 2001, "2000 is the most"),
        ("name", "Sp\u200barse", "cannot be seen"),
        ("name", "x" * 81, "80"),
        ("name", "Wıener fiIter", "looks like that of the method “Wiener Filter”"),
        ("name", "Ԝiener Fіlter", "looks like that of the method “Wiener Filter”"),
        ("licence", "x" * 61, "60"),
        ("paper_url", "https://example.org@evil.example/", "without a user name"),
        ("paper_url", "data:text/html,x", "https://"),
        ("paper_url", "https://example.org/" + "x" * 200, "200"),
        ("paper_url", "http://example.org", "https://"),
        ("code_url", "javascript:alert(1)", "https://"),
        ("checkpoint", "", "Choose the state of the checkpoint."),
        ("modalities", [], "Choose at least one modality."),
    ],
)
def test_a_wrong_field_is_named(client, ada, stem, field, value, told):
    answer = client.post("/methods/register/", fields(stem, **{field: value}))
    assert answer.status_code == 400
    form = answer.context["form"]
    assert told in " ".join(form.errors[field])
    assert f'href="#id_{field}' in answer.content.decode()
    assert not Method.objects.owned_by(ada).exists()


def test_a_learned_method_says_whether_its_weights_can_be_had(client, ada, stem):
    answer = client.post("/methods/register/", fields(stem, family="learned"))
    assert "checkpoint" in answer.context["form"].errors


def test_an_owner_changes_a_method_and_its_address_stays(client, ada, stem):
    client.post("/methods/register/", fields(stem))
    version = Modality.objects.get(key="stem").version
    answer = client.post("/methods/sparse-atoms/edit/", fields(stem, name="Sparser atoms"))
    assert answer["Location"] == "/methods/sparse-atoms/"
    assert Method.objects.get(slug="sparse-atoms").name == "Sparser atoms"
    assert Modality.objects.get(key="stem").version > version


@pytest.mark.parametrize("owner", ["nobody", "somebody"])
def test_others_methods_cannot_be_edited(client, ada, stem, owner):
    theirs = make_method(stem, owner=make_user() if owner == "somebody" else None)
    assert client.get(f"/methods/{theirs.slug}/edit/").status_code == 404
    assert client.post(f"/methods/{theirs.slug}/edit/", fields(stem)).status_code == 404


def test_registering_needs_an_account(client, stem):
    answer = client.get("/methods/register/")
    assert answer["Location"] == "/accounts/login/?next=/methods/register/"


def test_a_person_who_was_first_keeps_the_name_that_a_method_of_ours_gets_later(db):
    theirs = make_method(slug="fista-tv", owner=make_user())
    sync_everything()
    assert Method.objects.get(slug="fista-tv") == theirs
    assert Method.objects.get(slug="fista-tv-here").physics_name == "fista_tv"
    assert sync_everything() == []


def test_names_are_kept_in_their_plain_form(client, ada, stem):
    client.post("/methods/register/", fields(stem, name=" Ｄeep  ﬁlter２ "))
    assert Method.objects.owned_by(ada).get().name == "Deep filter2"


def test_an_owner_may_keep_a_name_that_another_one_has_come_to_look_like(client, ada, stem):
    client.post("/methods/register/", fields(stem))
    make_method(stem, name="Sparse at0ms")
    answer = client.post("/methods/sparse-atoms/edit/", fields(stem, description="Better."))
    assert answer.status_code == 302


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "http://example.org", "https://me@example.org", "data:,x", "//a.b"],
)
def test_an_unsafe_address_of_earlier_days_is_no_link(client, ada, stem, url):
    sent = make_attempt(stem, make_method(stem, owner=ada), code_url=url, started_by=ada)
    assert sent.code_link == ""
    page = client.get(sent.get_absolute_url()).content.decode()
    assert f'href="{url}"' not in page
