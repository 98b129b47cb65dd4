"""In CI nothing is skipped in silence, and what breaks is printed, on one worker and on many."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Plugins that take long to load and that no such test needs.
WITHOUT = ("schemathesis", "playwright", "hypothesispytest", "anyio")
FILES = {
    "conftest.py": "from tests.conftest import *",
    "test_whole.py": "import pytest\npytest.skip('nothing to see', allow_module_level=True)",
    "test_part.py": "import pytest\ndef test_part():\n    pytest.skip('too lazy')",
    "test_broken.py": "def test_broken():\n    broken = 'to bits'\n    assert not broken",
    "test_sound.py": "def test_sound():\n    pass",
}


def run(folder: Path, *options: str, **environment: str) -> str:
    """Run such tests as ours are run; give what was printed, which must tell of a failure."""
    for name, content in FILES.items():
        (folder / name).write_text(content)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), *options]
    command += [f"-pno:{name}" for name in WITHOUT]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST") and k != "CI"}
    path = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, str(folder)],
        cwd=folder,
        env=kept | path | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_is_skipped_fails_in_ci_with_its_reason(tmp_path: Path, workers: str) -> None:
    printed = run(tmp_path, "-n", workers, "--continue-on-collection-errors", CI="true")
    assert "CI accepts no skipped test. Skipped: nothing to see" in printed
    assert "CI accepts no skipped test. Skipped: too lazy" in printed
    assert "1 passed" in printed


def test_what_is_skipped_elsewhere_fails_nothing_and_what_breaks_is_printed(tmp_path: Path) -> None:
    printed = run(tmp_path, "-n", "1")
    assert "assert not 'to bits'" in printed
    assert "1 failed, 1 passed" in printed
