"""A feature that is off comes with what it needs and how to get it; others go unmentioned."""

from pathlib import Path

import pytest

from pwmsite import features


def test_a_feature_that_is_off_says_what_it_needs_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    off = features.Feature("flying", lambda: False, "wings", "apt install wings")
    on = features.Feature("walking", lambda: True, "legs", "grow them")
    monkeypatch.setattr(features, "FEATURES", [off, on])
    assert features.missing() == ["Off here: flying, which needs wings (apt install wings)."]


@pytest.mark.parametrize(("status", "works"), [(0, True), (1, False)])
def test_bubblewrap_counts_where_it_can_make_a_sandbox(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, works: bool
) -> None:
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\nexit {status}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not features.has_bubblewrap()
    program.chmod(0o755)
    assert features.has_bubblewrap() is works


def test_module_counts_where_it_can_be_imported() -> None:
    assert features.has_module("django")
    assert not features.has_module("no_such_module")
