"""The page of a modality shows what other programs say, with dates, and what disagrees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modalities import second_opinions
from modalities.physics.versions import program_sha256

ROW = {
    "modality": "stem",
    "what": "Probe",
    "against": "abTEM 1.0",
    "difference": 0.0027,
    "unit": "of its maximum",
    "limit": 0.01,
    "detail": "largest of 4",
    "name": "probe",
    "date": "2026-01-02",
    "program_sha256": program_sha256(),
}


@pytest.fixture
def opinions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    second_opinions._rows.cache_clear()
    monkeypatch.setattr(second_opinions, "FILE", tmp_path / "opinions.json")
    return tmp_path / "opinions.json"


def test_missing_file_means_not_run(opinions: Path) -> None:
    assert second_opinions.of("stem") == []


def test_difference_above_its_limit_is_no_agreement(opinions: Path) -> None:
    opinions.write_text(json.dumps([ROW, ROW | {"what": "Frame", "difference": 0.05}]))
    good, bad = second_opinions.of("stem")
    assert (good.difference, good.agrees, good.is_current) == ("0.0027 of its maximum", True, True)
    assert not bad.agrees
    assert second_opinions.of("electron_tomography") == []


def test_code_that_changed_since_is_told(opinions: Path) -> None:
    opinions.write_text(json.dumps([ROW | {"program_sha256": "0" * 64}]))
    assert not second_opinions.of("stem")[0].is_current


def test_every_modality_of_the_catalogue_has_some() -> None:
    second_opinions._rows.cache_clear()
    for key in ("stem", "electron_tomography"):
        assert len(second_opinions.of(key)) >= 2
