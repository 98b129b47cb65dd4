"""The API says what the pages say, to anybody, and is described without a warning."""

import csv
import io

import pytest
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from leaderboards import boards
from leaderboards.models import Board, Entry, Method, Origin, Variant
from modalities import physics
from modalities.models import Modality
from tests.factories import make_entry, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db
TIERS = {"public": (0.7, 28.0, 0.85), "dev": (0.6, 25.0, 0.8), "hidden": (0.5, 22.0, 0.7)}


@pytest.fixture
def modality() -> Modality:
    return make_modality("electron_tomography")


def enter(modality: Modality, name: str, **fields: object) -> Entry:
    """An entry of a method called ``name``."""
    return make_entry(modality, make_method(modality, name=name), **{"tiers": TIERS} | fields)


def get(client: Client, path: str, **query: object) -> dict:
    answer = client.get(f"/api/v1/{path}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_schema_validates_without_a_warning(tmp_path) -> None:
    file = tmp_path / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(file))
    assert "/api/v1/modalities/{key}/boards/{board}/" in file.read_text()


def test_schema_is_served(client: Client) -> None:
    assert client.get("/api/v1/schema/").status_code == 200


def test_root_links_to_what_there_is(client: Client) -> None:
    assert get(client, "")["modalities"].endswith("/api/v1/modalities/")


def test_modality_tells_its_unknowns_tiers_ranges_and_scenes(
    client: Client, modality: Modality
) -> None:
    found = get(client, f"modalities/{modality.key}/")
    assert [m["name"] for m in found["mismatches"]] == list(modality.spec.nominal)
    spec = modality.spec
    assert [s["group"] for s in found["scenes"]] == [s.group for s in (*spec.scenes, *spec.away)]
    assert found["scenes"][1]["samples"] == {"public": 1, "dev": 1, "hidden": 1}
    dev = next(tier for tier in found["tiers"] if tier["name"] == "dev")
    for span in dev["ranges"]:
        assert (span["min"], span["max"]) == physics.tier_range(modality.spec, span["name"], "dev")


def test_graph_runs_from_object_to_measurement(client: Client, modality: Modality) -> None:
    graph = get(client, f"modalities/{modality.key}/")["graph"]
    assert [n["label"] for n in graph["nodes"]] == [
        *("x", "R(θ)", "P(e⁻)", "Π(proj)", "D(g, η₁)", "y"),
    ]
    assert graph["nodes"][1]["mismatches"] == ["tilt_angle", "tilt_axis"]
    assert graph["edges"][0] == ["x", "rotate"]
    assert graph["edges"][-1] == ["detect", "y"]


def test_modalities_are_found_by_category_and_by_words(client: Client, modality: Modality) -> None:
    make_modality("mri", category="Medical imaging", task="Reconstruct from k-space.")
    assert get(client, "modalities/", category="Medical imaging")["count"] == 1
    assert get(client, "modalities/", q="k-space")["results"][0]["key"] == "mri"
    assert get(client, "modalities/", q="sonar")["count"] == 0


def test_board_has_the_same_rows_as_the_page(client: Client, modality: Modality) -> None:
    for name in "AB":
        enter(modality, name)
    rows = boards.challenge(modality)
    found = get(client, f"modalities/{modality.key}/boards/challenge/")["results"]
    assert [(r["name"], r["rank"], r["score_text"]) for r in found] == [
        (r.name, r.rank, r.score_text) for r in rows
    ]
    assert [c["psnr_text"] for c in found[0]["cells"]] == [c.psnr_text for c in rows[0].cells]


def test_board_of_a_tier_follows_its_own_scores(client: Client, modality: Modality) -> None:
    enter(modality, "A")
    enter(modality, "B", tiers={"hidden": (0.9, 30.0, 0.9)})
    found = get(client, f"modalities/{modality.key}/boards/hidden/")["results"]
    assert [row["name"] for row in found] == ["B", "A"]


def test_boards_are_listed_with_their_leaders(client: Client, modality: Modality) -> None:
    enter(modality, "A", origin=Origin.REPORTED)
    links = get(client, f"modalities/{modality.key}/boards/")
    reported = next(x for x in links if (x["board"], x["origin"]) == ("challenge", "reported"))
    assert (reported["rows"], reported["leader"]) == (1, "A")
    assert client.get(reported["url"]).json()["count"] == 1


def test_board_is_measured_unless_reported_is_asked_for(client: Client, modality: Modality) -> None:
    enter(modality, "Theirs", origin=Origin.REPORTED)
    path = f"modalities/{modality.key}/boards/challenge/"
    assert get(client, path)["count"] == 0
    assert get(client, path, origin="reported")["results"][0]["name"] == "Theirs"


def test_long_board_comes_in_pages(client: Client, modality: Modality) -> None:
    for i in range(3):
        enter(modality, f"E{i}", tiers=dict.fromkeys(TIERS, (0.1 * i, 25.0, 0.8)))
    page = get(client, f"modalities/{modality.key}/boards/challenge/", limit=2)
    assert (page["count"], len(page["results"])) == (3, 2)
    assert client.get(page["next"]).json()["results"][0]["rank"] == 3


def test_method_tells_where_it_stands(client: Client, modality: Modality) -> None:
    method = make_method(modality, slug="good-one")
    make_entry(modality, method, board=Board.STANDARD, tiers={"standard": (0.6, 30.0, 0.7)})
    found = get(client, "methods/good-one/")
    assert found["modalities"] == [modality.key]
    (standing,) = found["standings"]
    assert (standing["board"], standing["row"]["rank"], standing["of"]) == ("standard", 1, 1)


def test_methods_are_filtered_by_modality_and_kind(client: Client, modality: Modality) -> None:
    make_method(modality, slug="one", family="learned")
    make_method(make_modality("mri"), slug="two")
    assert [m["slug"] for m in get(client, "methods/", modality="mri")["results"]] == ["two"]
    assert [m["slug"] for m in get(client, "methods/", family="learned")["results"]] == ["one"]


@pytest.mark.parametrize(
    "path",
    [
        "modalities/sonar/",
        "modalities/sonar/boards/",
        "modalities/sonar/boards/standard/",
        "modalities/electron_tomography/boards/secret/",
        "methods/nobody/",
    ],
)
def test_what_is_not_there_is_404(client: Client, modality: Modality, path: str) -> None:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/json"


def test_unknown_origin_is_explained(client: Client, modality: Modality) -> None:
    answer = client.get(f"/api/v1/modalities/{modality.key}/boards/challenge/?origin=guessed")
    assert answer.status_code == 400
    assert answer.json() == {"origin": "Expected reported or measured."}


def register(client: Client, **changes: object) -> HttpResponse:
    method = {
        "name": "Good one",
        "family": "classical",
        "description": "It reconstructs.",
        "checkpoint": "none needed",
        "modalities": ["electron_tomography"],
    }
    return client.post("/api/v1/methods/", method | changes, content_type="application/json")


def test_method_is_registered_under_its_owner(client: Client, modality: Modality) -> None:
    user = make_user()
    client.force_login(user)
    answer = register(client)
    assert answer.status_code == 201, answer.content
    assert answer.json()["slug"] == "good-one"
    assert Method.objects.get(slug="good-one").owner == user
    assert list(Method.objects.get().modalities.all()) == [modality]


def test_nobody_registers_a_method_without_signing_in(client: Client, modality: Modality) -> None:
    assert register(client).status_code == 401
    assert not Method.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", ["a", "list"]),
        ("paper_url", "http://example.org"),
        ("citation", "half of a pair: \ud800"),
        ("citation", "x" * 2001),
        ("licence", "\u202etxet"),
        ("modalities", []),
        ("modalities", ["sonar"]),
        ("modalities", "electron_tomography"),
        ("modalities", [{"key": 1}]),
        ("checkpoint", "perhaps"),
    ],
)
def test_registration_names_the_field_that_is_wrong(
    client: Client, modality: Modality, field: str, value: object
) -> None:
    client.force_login(make_user())
    answer = register(client, **{field: value})
    assert answer.status_code == 400
    assert list(answer.json()) == [field]


@pytest.mark.parametrize("body", ["[]", '"text"', "{", "null", "3"])
def test_registration_that_is_no_object_is_refused(
    client: Client, modality: Modality, body: str
) -> None:
    client.force_login(make_user())
    answer = client.post("/api/v1/methods/", body, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize("verb", ["post", "put", "patch", "delete"])
def test_catalogue_cannot_be_written(client: Client, modality: Modality, verb: str) -> None:
    answer = getattr(client, verb)(f"/api/v1/modalities/{modality.key}/")
    assert answer.status_code in (401, 403, 405)
    assert Modality.objects.filter(pk=modality.pk).exists()


def csv_of(client: Client, modality: Modality, board: str = "challenge") -> list[dict[str, str]]:
    answer = client.get(f"/api/v1/modalities/{modality.key}/boards/{board}/?format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    name = f'filename="{modality.key}-{board}-measured.csv"'
    assert name in answer.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_csv_has_every_row_with_its_raw_values(client: Client, modality: Modality) -> None:
    public = {"public": (0.7123456789, 28.123456789, 0.85)}
    enter(modality, "A, B & “C”", tiers=TIERS | public)
    (row,) = csv_of(client, modality)
    assert (row["name"], row["rank"], row["trust"]) == ("A, B & “C”", "1", "scored")
    assert (float(row["hidden_psnr"]), float(row["public_psnr"])) == (22.0, 28.123456789)
    assert float(row["public_score"]) == 0.7123456789
    assert float(row["public_score_away"]) == pytest.approx(0.7113456789)
    assert (row["score_home"], row["dev_score_home"]) == ("0.605", "0.601")


def test_csv_of_an_empty_board_has_a_header_only(client: Client, modality: Modality) -> None:
    assert csv_of(client, modality, "standard") == []


def test_name_that_looks_like_a_formula_is_a_text_in_csv(
    client: Client, modality: Modality
) -> None:
    enter(modality, "=1+1")
    assert csv_of(client, modality)[0]["name"] == "'=1+1"


def test_latex_escapes_what_latex_would_read_as_a_command(
    client: Client, modality: Modality
) -> None:
    enter(modality, r"50 % of \input{x}_y & more")
    text = client.get(
        f"/api/v1/modalities/{modality.key}/boards/challenge/?format=tex"
    ).content.decode()
    assert r"1 & 50 \% of \textbackslash{}input\{x\}\_y \& more & 0.600 & 0.601 & 0.599" in text
    assert text.startswith(r"\begin{tabular}{rlrrrrrr}")
    assert "Score & Home & Away & Public & Dev & Hidden" in text


def test_bibtex_cites_each_method_once(client: Client, modality: Modality) -> None:
    method = make_method(
        modality,
        slug="wiener",
        citation="N. Wiener, MIT Press",
        year=1949,
        paper_url="https://example.org/}{x",
    )
    for variant in (Variant.NOMINAL, Variant.GRADIENT):
        make_entry(modality, method, variant=variant, tiers=TIERS)
    text = client.get(
        f"/api/v1/modalities/{modality.key}/boards/challenge/?format=bib"
    ).content.decode()
    assert text.count("@misc{wiener,") == 1
    assert "year = {1949}" in text
    assert r"\url{https://example.org/%7D%7Bx}" in text


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("modalities/", 2),
        ("modalities/electron_tomography/", 1),
        ("modalities/electron_tomography/boards/", 3),
        ("modalities/electron_tomography/boards/challenge/", 3),
        ("modalities/electron_tomography/boards/challenge/?format=bib", 4),
        ("methods/", 3),
        ("methods/m0/", 4),
    ],
)
def test_number_of_queries_does_not_grow(
    client: Client,
    modality: Modality,
    path: str,
    most: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for start in (0, 5):
        for i in range(start, start + 5):
            method = make_method(modality, slug=f"m{i}")
            make_entry(modality, method, tiers=TIERS)
        with django_assert_num_queries(most):
            client.get(f"/api/v1/{path}")
    assert Method.objects.count() == 10


def test_public_keys_of_bundles_are_those_of_the_well_known_address(client: Client) -> None:
    (key,) = get(client, "bundle-keys/")["keys"]
    assert len(key["key_id"]) == 16
    assert get(client, "bundle-keys/") == client.get("/.well-known/pwm-bundle-keys.json").json()
