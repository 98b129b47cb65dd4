"""Measured series are read where their package lies, and only if they are the very files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modalities import physics
from realdata.series import SERIES, NotThere, read_mrc, recorded, spec_of, stored_alignment, why_not

from .packages import TURN, install, mrc


def test_mrc_gives_back_the_images(rng: np.random.Generator) -> None:
    views = rng.integers(-30000, 30000, (3, 4, 5)).astype(np.int16)
    np.testing.assert_array_equal(read_mrc(mrc(views)), views)


def test_mrc_that_is_cut_off_or_none_is_refused() -> None:
    content = mrc(np.zeros((3, 4, 5), np.int16))
    for broken, words in (
        (content[:-1], "ends before"),
        (content[:100], "shorter than its header"),
        (b"\xff" * len(content), "no MRC file"),
    ):
        with pytest.raises(NotThere, match=words):
            read_mrc(broken)


def test_series_is_read_with_dark_level_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = install(tmp_path, monkeypatch)
    assert why_not(series) == ""
    y = recorded(series)
    assert y.shape == (21, 48, 96)
    assert abs(np.median(y[:, :3])) < 0.01
    assert np.percentile(y, 99.5) == pytest.approx(1, abs=0.01)
    assert stored_alignment(series).rotation == TURN


def test_other_version_other_file_and_no_package_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as other:
        assert "rods 3.1 is installed" in why_not(install(tmp_path / "3", other, "3.1"))
    series = install(tmp_path / "2", monkeypatch)
    (tmp_path / "2" / "rod.mrc").write_bytes(b"something else")
    with pytest.raises(NotThere, match="hash differs"):
        recorded(series)
    (tmp_path / "2" / "rod.mrc").unlink()
    assert "lacks its file" in why_not(series)


@pytest.mark.parametrize("key", SERIES)
def test_every_series_fits_the_model_of_the_catalogue(key: str) -> None:
    series = SERIES[key]
    H = physics.forward(spec_of(series, 4))
    assert H.out_shape == (series.views, series.width, 4)
    np.testing.assert_allclose(np.asarray(H.steps[0].angles), series.angles)
