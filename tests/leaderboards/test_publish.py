"""Reported results become rows that say whose they are, and a file that contradicts itself none."""

import shutil
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from leaderboards.catalogue import FAMILIES, enlist
from leaderboards.models import Checkpoint, Entry, Family, Kind, Method, TierScore, Trust
from leaderboards.published_files import PUBLISHED, facts_of, publish
from modalities import physics
from modalities.models import Modality
from modalities.physics.tables import CatalogueError
from tests.factories import make_attempt, make_entry, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db
KEY = "electron_tomography"
FILE = f"{KEY}.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The reported results of one modality, which a test may spoil."""
    make_modality(KEY)
    shutil.copy(PUBLISHED / FILE, tmp_path)
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def everything() -> list[list[dict[str, object]]]:
    kinds = (Modality, Method, Entry, TierScore)
    return [list(kind.objects.order_by("pk").values()) for kind in kinds]


def test_rows_say_what_the_source_printed(folder: Path) -> None:
    assert publish(folder) == [KEY]
    entry = Entry.objects.get(method__slug="sirt-et", board="challenge")
    assert entry.name == "SIRT-ET + gradient"
    assert entry.trust == Trust.REPORTED
    assert entry.source_label == "Certified"
    assert entry.tier_scores.count() == 3
    assert TierScore.objects.get(entry__board="standard", entry__method__slug="diffet").psnr == 39.1


def test_page_says_what_the_file_says_of_its_source() -> None:
    facts = facts_of(KEY)
    assert facts.dataset == "PWM Benchmark (9 algorithms)"
    assert "reproduced" in facts.html
    assert facts_of("sonar").html == ""


def test_both_boards_have_all_their_rows(folder: Path) -> None:
    publish(folder)
    assert Entry.objects.on("standard").count() == Entry.objects.on("challenge").count() == 9
    assert TierScore.objects.count() == 9 + 27


def test_second_publish_changes_nothing(folder: Path) -> None:
    publish(folder)
    before = everything()
    assert publish(folder) == []
    assert everything() == before


def test_changed_result_bumps_the_version_of_its_page(folder: Path) -> None:
    publish(folder)
    before = Modality.objects.get().version
    replace(folder / FILE, 'label = "Certified"', 'label = "Verified"')
    assert publish(folder) == [KEY]
    assert Modality.objects.get().version == before + 1


def test_measured_entry_is_left_alone(folder: Path) -> None:
    publish(folder)
    mine = make_entry(Modality.objects.get(), Method.objects.get(slug="sirt-et"))
    assert publish(folder) == []
    assert Entry.objects.measured().get() == mine


def drop_last_row(path: Path) -> None:
    text = path.read_text("utf-8")
    path.write_text(text[: text.rindex("[[challenge]]")], "utf-8")


def test_result_that_the_source_no_longer_reports_goes(folder: Path) -> None:
    publish(folder)
    drop_last_row(folder / FILE)
    assert publish(folder) == [KEY]
    assert Entry.objects.on("challenge").count() == 8
    assert publish(folder) == []


@pytest.mark.parametrize("decision", ["approve", "disqualify"])
def test_result_that_a_curator_decided_about_goes_off_its_board_and_stays_on_record(
    folder: Path, decision: str
) -> None:
    publish(folder)
    entry = Entry.objects.get(method__slug="wbp-et", board="challenge")
    getattr(entry, decision)(make_user(), "The source withdrew it.")
    drop_last_row(folder / FILE)
    publish(folder)
    assert not Entry.objects.listed().filter(pk=entry.pk).exists()
    assert entry.decisions.count() == 1
    assert publish(folder) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("score = 0.878", "score = 0.879", r"standard\[0\]\.score: PSNR and SSIM give 0\.878"),
        ("score = 0.764", "score = 0.77", r"challenge\[0\]\.score: the three tiers give 0\.764"),
        ("score = 0.878", "score = nan", r"standard\[0\]\.score: expected a finite number"),
        ('method = "diffet"', 'method = "difet"', r"standard\[0\]\.method: the file has no method"),
        ('slug = "diffet"', 'slug = "Diff ET"', r"method\[0\]\.slug: expected lower case"),
        (
            'family = "learned"',
            'family = "deep"',
            r"method\[0\]\.family: expected one of classical",
        ),
        ('medal = "gold"', 'medal = "silver"', r"standard\[0\]\.medal: rank 1 has gold"),
        ("rank = 4", "rank = 5", r"standard: ranks run from 1 without gaps"),
        ('label = "Certified"', 'mark = "Certified"', r"standard\[0\]\.label: expected a text"),
        ('key = "electron', 'key = "ion', r"key: expected the file's own name"),
        ('slug = "physet"', 'slug = "diffet"', r"has no method 'physet'|slug is there twice"),
        (
            "year = 2024",
            'physics_name = "magic"\nyear = 2024',
            r"physics_name: there is no 'magic'",
        ),
    ],
)
def test_wrong_file_is_refused_by_name_and_field_and_changes_nothing(
    folder: Path, old: str, new: str, message: str
) -> None:
    publish(folder)
    before = everything()
    replace(folder / FILE, old, new)
    with pytest.raises(CatalogueError, match=message) as refused:
        publish(folder)
    assert FILE in str(refused.value) or "ion" in str(refused.value)
    assert everything() == before


def test_slug_of_somebody_elses_method_is_not_taken_over(folder: Path) -> None:
    make_method(slug="diffet", owner=make_user())
    with pytest.raises(CatalogueError, match="somebody has registered a method 'diffet'"):
        publish(folder)
    assert not Entry.objects.exists()


def test_results_of_an_unknown_modality_are_refused(folder: Path) -> None:
    Modality.objects.all().delete()
    with pytest.raises(CatalogueError, match="the catalogue has no modality"):
        publish(folder)


def test_methods_of_the_physics_get_a_row_each(folder: Path) -> None:
    assert enlist() == [KEY]
    assert Method.objects.get(physics_name="sirt").is_ours
    assert enlist() == []


def test_every_kind_of_the_physics_has_its_word_on_the_boards() -> None:
    methods = [method for key in physics.keys() for method in physics.METHODS[key].values()]  # noqa: SIM118
    assert {method.family for method in methods} <= set(FAMILIES)


def test_kind_that_the_boards_do_not_know_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(FAMILIES, "iterative")
    with pytest.raises(CatalogueError, match=r"family: expected one of .* got 'iterative'"):
        enlist()


def test_noise2void_learns_by_itself_and_needs_no_checkpoint() -> None:
    make_modality("stem")
    enlist()
    ours = Method.objects.get(physics_name="noise2void")
    assert (ours.family, ours.checkpoint) == (Family.SELF_SUPERVISED, Checkpoint.NOT_NEEDED)


def test_published_method_that_runs_here_takes_the_results_over(folder: Path) -> None:
    enlist()
    ours = Method.objects.get(physics_name="sirt")
    entry = make_attempt(Modality.objects.get(), ours, kind=Kind.BASELINE).entry
    publish(folder)
    entry.refresh_from_db()
    assert Method.objects.get(physics_name="sirt").slug == "sirt-et"
    assert entry.method.slug == "sirt-et"
    assert not Method.objects.filter(slug="sirt").exists()
    assert enlist() == []


def test_command_refuses_a_wrong_catalogue_and_says_that_nothing_changed(folder: Path) -> None:
    catalogue = folder / "catalogue"
    catalogue.mkdir()
    (catalogue / "ct.toml").write_text('key = "ct')
    before = everything()
    with pytest.raises(
        CommandError, match=r"ct\.toml: not valid TOML.*line 1.*Nothing was changed"
    ):
        call_command("sync_catalogue", catalogue=catalogue, published=folder)
    assert everything() == before
