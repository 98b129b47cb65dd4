"""The version of the metrics …"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modalities.physics import METRICS_VERSION
from modalities.physics.versions import DEFINITIONS, version_of


@pytest.fixture
def copies(tmp_path: Path) -> list[Path]:
    return [Path(shutil.copy(path, tmp_path)) for path in DEFINITIONS]


def test_is_that_of_the_files_that_define_metrics_and_scores(copies):
    assert version_of(copies) == METRICS_VERSION
    assert {path.name for path in copies} == {"metrics.py", "scoring.py"}


@pytest.mark.parametrize("which", range(len(DEFINITIONS)))
def test_changes_with_any_byte_of_them(copies, which):
    code = bytearray(copies[which].read_bytes())
    code[len(code) // 2] ^= 1
    copies[which].write_bytes(code)
    assert version_of(copies) != METRICS_VERSION


def test_fits_into_twelve_characters():
    assert len(METRICS_VERSION) == 12
    assert int(METRICS_VERSION, 16) >= 0
