"""Programs that some tests need beyond Python: without them a test is skipped, but never in CI."""

import os
import shutil

import pytest


def needs(program: str, package: str = "") -> str:
    """Return the path of ``program``; skip the test where it is missing, or fail it in CI."""
    path = shutil.which(program)
    if path:
        return path
    reason = f"{program} is missing here: apt install {package or program}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
