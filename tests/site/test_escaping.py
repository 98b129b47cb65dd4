"""What people type stays text: on pages, in errors, in the feed, in CSV, LaTeX and BibTeX."""

from __future__ import annotations

import csv
import io
import re
from itertools import product
from xml.etree import ElementTree

import pytest

from leaderboards import boards, desk, export
from leaderboards.models import Attempt, Method, Word
from tests.factories import make_entry, make_method, make_modality
from tests.needs import FULL

from .addresses import World
from .test_access import site_rows
from .test_hostile_requests import PARAMETERS
from .walking import body

pytestmark = pytest.mark.django_db
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}${7*7}"
RAW = re.compile(rb"<script>alert|<img src=x|[^{]49[^}]\$49")
MARKUP = ("text/html", "application/atom+xml", "image/svg")
TIERS = {"public": (0.7, 28.0, 0.85)}


@pytest.fixture
def world() -> World:
    """Rows of earlier days, from before anybody checked what people type."""
    world = World()
    Method.objects.filter(pk=world.method.pk).update(
        name=HOSTILE, citation=HOSTILE, licence=HOSTILE, description=HOSTILE
    )
    Attempt.objects.filter(pk=world.attempt.pk).update(
        problems=[HOSTILE], code_url=f"https://example.org/{HOSTILE}"
    )
    type(world.people["owner"]).objects.filter(pk=world.people["owner"].pk).update(
        username="<script>alert(1)</script>"
    )
    desk.decide(world.entry, Word.APPROVED, world.people["curator"], HOSTILE)
    return world


def test_no_page_takes_what_people_typed_for_markup(world):
    for role in ("owner", "curator") if FULL else ("owner",):
        client = world.client(role)
        for path, method, _ in site_rows():
            place = path.format(**vars(world.paths))
            if method == "GET" and place != "/accounts/logout/":
                answer = client.get(place)
                if answer.get("Content-Type", "").startswith(MARKUP):
                    assert not RAW.search(body(answer)), f"{place} as {role}"


def test_feed_is_xml_that_says_what_the_curator_typed(world):
    feed = ElementTree.fromstring(world.client("anonymous").get("/history/feed.atom").content)
    assert HOSTILE in "".join(feed.itertext())


def test_addresses_and_forms_give_back_text(world):
    client = world.client("superuser")
    for page, names in PARAMETERS.items():
        for name in names:
            answer = client.get(page, {name: HOSTILE})
            if "json" not in answer.get("Content-Type", ""):
                assert not RAW.search(answer.content), f"{page}?{name}="
    fields = {
        "/methods/register/": ("name", "family", "description", "citation", "paper_url", "licence"),
        "/submissions/new/": ("modality", "tier", "method", "code_url"),
        "/accounts/tokens/": ("name",),
        f"/curate/{world.paths.entry}/decide/": ("word", "reason"),
    }
    for page, names in fields.items():
        answer = client.post(page, dict.fromkeys(names, HOSTILE))
        assert not RAW.search(answer.content), page
    for page in ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
        fields = dict.fromkeys(("login", "username", "email", "password", "next"), HOSTILE)
        assert not RAW.search(world.client("anonymous").post(page, fields).content), page


@pytest.mark.parametrize(
    "path", ["/modalities/<script>alert(1)</script>/", "/<img src=x onerror=alert(1)>", "/%22%3E/"]
)
def test_an_address_that_is_not_there_gives_back_text(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert not RAW.search(answer.content)


@pytest.mark.parametrize(("first", "space"), product("=+-@\t\r\n", ("", " ", "\u00a0")))
def test_no_cell_of_csv_is_a_formula(first, space):
    entry = make_entry(make_modality("stem"), make_method(name=f"{space}{first}1+1"), tiers=TIERS)
    text = export.to_csv(rows_of(entry))
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["name"].startswith("'")
    assert not [cell for cell in row.values() if re.match(r"\s*[=+@\t\r]|\s*-\D", cell)]


def rows_of(entry):
    return boards.tier(entry.modality, "public")


SPECIAL = r"\input{x} } { ~ ^ & % $ # _ @misc{evil, title={x}} \\ – −"


def test_latex_of_a_name_is_one_cell_of_text():
    entry = make_entry(make_modality("stem"), make_method(name=SPECIAL), tiers=TIERS)
    (line,) = [x for x in export.to_latex(rows_of(entry)).splitlines() if "evil" in x]
    plain = re.sub(r"\\(text\w+\{\}|[&%$#_{}]|\\$)", "", line.replace("$-$", ""))
    assert not re.search(r"[\\{}%$#_^~]", plain)
    assert len(re.findall(r"(?<!\\)&", line)) == line.count(" & ")


def test_bibtex_of_any_text_is_one_entry():
    method = make_method(
        make_modality("stem"), name=SPECIAL, citation=f"{SPECIAL}\n\n}}}}@book{{evil,", slug="odd"
    )
    entry = make_entry(method.modalities.get(), method, tiers=TIERS)
    text, depth, starts = export.to_bibtex(rows_of(entry)), 0, 0
    for letter in text:  # as BibTeX does: a backslash escapes no brace
        starts += letter == "@" and depth == 0
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert (depth, starts) == (0, 1)
