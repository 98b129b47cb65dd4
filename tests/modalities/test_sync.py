"""Catalogue files become rows: repeatably, in one direction, and all or nothing."""

import shutil
from pathlib import Path

import pytest

from modalities.models import Modality
from modalities.physics.catalogue import CATALOGUE
from modalities.physics.tables import CatalogueError
from modalities.sync import sync

pytestmark = pytest.mark.django_db
KEY = "electron_tomography"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue of one modality that a test may spoil."""
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    for suffix in (".toml", ".md"):
        shutil.copy(CATALOGUE / f"{KEY}{suffix}", catalogue)
    shutil.copy(CATALOGUE.parent / "tiers.toml", tmp_path)
    return catalogue


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def everything() -> list[dict[str, object]]:
    return list(Modality.objects.order_by("pk").values())


def test_rows_say_what_the_files_say(folder: Path) -> None:
    assert sync(folder) == [KEY]
    modality = Modality.objects.get()
    assert modality.name == "Electron Tomography"
    assert [card["name"] for card in modality.tiers] == ["public", "dev", "hidden"]
    assert len({card["summary"] for card in modality.tiers}) == 3
    assert len(modality.facts["signal_chain"]) == 5
    assert [s["title"] for s in modality.sections] == [
        "About",
        "Principle",
        "How to build the system",
        "Reconstruction algorithms",
        "Mistakes and remedies",
        "Mismatch cases and corrections",
    ]


def test_tables_of_the_prose_are_rendered(folder: Path) -> None:
    sync(folder)
    html = Modality.objects.get().sections[4]["html"]
    assert "<th>Mistake</th>" in html
    assert "<th>Remedy</th>" in html


def test_formula_becomes_mathml(folder: Path) -> None:
    replace(folder / f"{KEY}.md", "## About\n", "## About\n\nContrast grows as $Z^{1.7}$.\n")
    sync(folder)
    assert "<msup><mi>Z</mi>" in Modality.objects.get().sections[0]["html"]


def test_source_gallery_is_kept_to_the_last_digit(folder: Path) -> None:
    sync(folder)
    gallery = Modality.objects.get().facts["source_gallery"]
    assert gallery["mean"]["I"] == {"psnr": 16.13048219573312, "ssim": 0.14122379979375504}
    assert len(gallery["scenes"]) == 4


def test_second_sync_changes_nothing(folder: Path) -> None:
    sync(folder)
    before = everything()
    assert sync(folder) == []
    assert everything() == before


def test_change_in_a_file_bumps_the_version_and_keeps_the_row(folder: Path) -> None:
    sync(folder)
    before = Modality.objects.get()
    replace(folder / f"{KEY}.toml", 'unit = "nm/µm"', 'unit = "nm per µm"')
    assert sync(folder) == [KEY]
    after = Modality.objects.get()
    assert (after.pk, after.version) == (before.pk, before.version + 1)
    assert after.revision != before.revision


def test_edited_row_returns_to_what_the_file_says(folder: Path) -> None:
    sync(folder)
    Modality.objects.update(name="Something else")
    sync(folder)
    assert Modality.objects.get().name == "Electron Tomography"


def test_modality_without_a_file_is_no_longer_listed(folder: Path) -> None:
    sync(folder)
    for path in list(folder.iterdir()):
        path.unlink()
    assert sync(folder) == [KEY]
    assert not Modality.objects.get().is_listed
    assert not Modality.objects.listed()


def test_file_may_replace_the_text_of_a_tier_card(folder: Path) -> None:
    with (folder / f"{KEY}.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tiers.dev]\nsummary = "Its own line."\n')
    sync(folder)
    public, dev, _ = Modality.objects.get().tiers
    assert (dev["title"], dev["summary"]) == ("Dev", "Its own line.")
    assert public["summary"] != "Its own line."


TOML, MD = f"{KEY}.toml", f"{KEY}.md"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (TOML, 'key = "electron_tomography"', 'key = "electron', r"line 1"),
        (TOML, 'short_name = "Electron Tomography"\n', "", r"short_name: expected a text, got n"),
        (TOML, "short_name = ", "shortname = ", r"short_name: expected a text"),
        (TOML, 'category = "', 'colour = "red"\ncategory = "', r"colour: not a known field"),
        (TOML, 'category = "Electron microscopy"', "category = 3", r"category: expected a text"),
        (TOML, 'task = "Recover', 'task = "<b>Recover', r"task: expected a text without HTML"),
        (TOML, "year = 2006", 'year = "2006"', r"reference\[0\]\.year: expected an integer"),
        (TOML, 'doi = "10', 'doi = "https://doi.org/10', r"reference\[0\]\.doi: expected a bare"),
        (TOML, 'url = "https://www', 'url = "http://www', r"dataset\[0\]\.url: expected a link"),
        (TOML, 'unit = "nm"', 'unit = "nm"\nsize = 3', r"object\.size: not a known field"),
        (TOML, '["defocus_gradient"]', '["defocus"]', r"signal_chain\[2\]\.mismatch: .*'defocus'"),
        (TOML, '["defocus_gradient"]', "[]", r"no component says that defocus_gradient"),
        (TOML, '"rotate.axis"', '"rotate.angle"', r"tilt_axis acts on rotate.angle, which"),
        (TOML, 'model = "parallel"', 'model = "fan"', r"chain\[2\]"),
        (TOML, "scattering = 0.1", "scatter = 0.1", r"chain\[2\]\.args\.scatter"),
        (TOML, 'phantom = "vesicles"', 'phantom = "bubbles"', r"scene\[3\]\.phantom: 'bubbles'"),
        (TOML, 'method = "cs"', 'method = "magic"', r"gallery\.method: 'magic'"),
        (TOML, "psnr = 15.146", 'psnr = "15.1', r"electron_tomography\.toml"),
        (TOML, "ssim = 0.141", "ssim = 1.141", r"source_gallery\.mean\.I\.ssim: expected a finite"),
        (MD, "## Principle", "## Principles", r"line \d+: expected '## Principle'"),
        (MD, "| Mistake |", "| Error |", r"line \d+: expected one table with the columns Mistake"),
        (MD, "## About\n", "## About\n\n<script>x</script>\n", r"line 3: HTML is not allowed"),
        (MD, "## About\n", "## About\n\n$a_b_c$\n", r"line 3: not a valid formula"),
        ("../tiers.toml", 'title = "Dev"', 'name = "Dev"', r"tiers\.toml: dev\.title"),
    ],
)  # fmt: skip
def test_wrong_file_is_refused_by_name_and_place_and_changes_nothing(
    folder: Path, name: str, old: str, new: str, message: str
) -> None:
    sync(folder)
    before = everything()
    replace(folder / name, old, new)
    with pytest.raises(CatalogueError, match=message) as refused:
        sync(folder)
    assert Path(name).name in str(refused.value)
    assert everything() == before


def test_missing_prose_is_refused(folder: Path) -> None:
    (folder / MD).unlink()
    with pytest.raises(CatalogueError, match=r"electron_tomography.md: the file is missing"):
        sync(folder)


def test_prose_without_a_modality_is_refused(folder: Path) -> None:
    (folder / "orphan.md").write_text("## About\n")
    with pytest.raises(CatalogueError, match=r"orphan.md: there is no orphan.toml"):
        sync(folder)
