"""The public history holds every decision, in words, for readers and for feed readers."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leaderboards.models import Board, Decision, Kind, Origin, Variant
from tests.factories import make_attempt, make_entry, make_method, make_modality, make_user
from tests.site import reading

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def stem():
    return make_modality(name="Scanning microscopy")


@pytest.fixture
def eve():
    return make_user(username="eve")


@pytest.fixture
def entry(stem):
    method = make_method(stem, name="Sharpen", owner=make_user())
    return make_entry(stem, method, tiers={"public": (0.5, 25.0, 0.8)})


def words(client: Client, url: str = "/history/") -> str:
    response = client.get(url)
    assert response.status_code == 200
    said = reading.text(reading.part(response.content.decode(), "<main", "</main>"))
    return said.replace(" .", ".").replace(" ,", ",")  # the reader puts a space after each link


def test_everybody_reads_who_decided_what_and_why(client, entry, eve):
    entry.approve(eve, "The figures add up.")
    said = words(client)
    assert "eve approved Sharpen on the blind challenge of Scanning microscopy." in said
    assert "The figures add up." in said
    assert f"{Decision.objects.get().at:%Y, %H:%M} UTC" in said


def test_every_decision_has_its_words(client, stem, entry, eve):
    first = entry.attempts.get()
    second = make_attempt(
        stem, entry.method, figures=(0.5, 25.0, 0.8), kind=Kind.RERUN, repeats=first
    )
    entry.certify(eve, "Agrees.", second)
    entry.revoke(eve, "Too early.")
    entry.send_back(eve, "Say which data.")
    make_attempt(stem, entry.method, figures=(0.6, 27.0, 0.8))
    entry.refresh_from_db()
    entry.disqualify(eve, "It read the truth.")
    entry.reinstate(eve, "It did not.")
    said = words(client)
    for phrase in (
        "eve certified Sharpen on",
        "eve revoked the certificate of Sharpen on",
        "eve returned Sharpen to its owner on",
        "the site let a newer result replace that of Sharpen on",
        "eve disqualified Sharpen on",
        "eve reinstated Sharpen on",
    ):
        assert phrase in said


def test_the_newest_comes_first(client, entry, eve):
    entry.approve(eve, "First look.")
    entry.approve(eve, "Second look.")
    said = words(client)
    assert said.index("Second look.") < said.index("First look.")


def test_a_closed_account_is_not_named(client, entry, eve):
    entry.approve(eve, "Fine.")
    eve.delete()
    assert "a closed account approved Sharpen" in words(client)


def test_a_row_of_a_source_is_called_so(client, stem, eve):
    method = make_method(stem, name="Theirs")
    make_entry(stem, method, origin=Origin.REPORTED, board=Board.STANDARD).disqualify(eve, "Gone.")
    expected = "disqualified Theirs, reported by a source, on the standard board"
    assert expected in words(client)


def test_one_modality_alone(client, entry, eve):
    other = make_modality("electron_tomography", name="Tilting")
    there = make_entry(other, tiers={"public": (0.5, 25.0, 0.8)})
    entry.approve(eve, "Here.")
    there.approve(eve, "There.")
    said = words(client, "/history/?modality=electron_tomography")
    assert "There." in said
    assert "Here." not in said


def test_an_empty_history_says_so(client, stem):
    assert "No curator has decided anything yet" in words(client)
    assert "No decision concerns this modality yet" in words(client, "/history/?modality=stem")


def test_it_is_paged_with_as_many_queries_for_many_as_for_few(client, entry, eve):
    counts = []
    for more in (3, 57):
        for number in range(more):
            entry.approve(eve, f"Look {number}.")
        with CaptureQueriesContext(connection) as queries:
            words(client)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 4
    assert "Page 1 of 2" in words(client)
    assert "Look 0." in words(client, "/history/?page=2")
    assert "Page 2 of 2" in words(client, "/history/?page=900")


def test_a_reason_cannot_bring_markup(client, entry, eve):
    entry.approve(eve, "<script>alert(1)</script> & more")
    for url in ("/history/", "/history/feed.atom"):
        page = client.get(url).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_feed_is_atom_with_every_decision_once(client, entry, eve):
    entry.approve(eve, "Fine & <good>.")
    entry.disqualify(eve, "Not fine.")
    response = client.get("/history/feed.atom")
    assert response["Content-Type"].startswith("application/atom+xml")
    feed = ElementTree.fromstring(response.content)
    assert feed.tag == f"{ATOM}feed"
    for part in ("id", "title", "updated"):
        assert feed.findtext(f"{ATOM}{part}")
    entries = feed.findall(f"{ATOM}entry")
    assert [e.findtext(f"{ATOM}summary") for e in entries] == ["Not fine.", "Fine & <good>."]
    assert "eve disqualified Sharpen" in entries[0].findtext(f"{ATOM}title")
    assert len({e.findtext(f"{ATOM}id") for e in entries}) == 2
    link = entries[0].find(f"{ATOM}link").get("href")
    assert link.split("#")[0] == f"http://testserver{entry.get_absolute_url()}"


def test_feed_of_one_modality(client, entry, eve):
    entry.approve(eve, "Fine.")
    make_modality("electron_tomography")
    url = "/history/feed.atom?modality="
    assert b"Fine." in client.get(f"{url}stem").content
    assert b"Fine." not in client.get(f"{url}electron_tomography").content
    assert client.get(f"{url}nothing").status_code == 404


@pytest.mark.parametrize("url", ["/about/", "/history/"])
def test_pages_lead_to_it(client, stem, url):
    assert 'href="/history/"' in client.get(url).content.decode()


def test_about_names_it_beside_trust(client):
    main = reading.part(client.get("/about/").content.decode(), "<main", "</main>")
    assert 'href="/history/"' in main


def test_a_baseline_is_named_with_its_variant(client, stem, eve):
    method = make_method(stem, name="Sharpen")
    baseline = make_entry(
        stem, method, variant=Variant.GRADIENT, tiers={"public": (0.5, 25.0, 0.8)}
    )
    baseline.approve(eve, "Fine.")
    assert "approved Sharpen + gradient on" in words(client)
