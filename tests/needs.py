"""What tests need beyond Python, and how much of the tests is wanted.

Without a program that it needs, a test is skipped, but never in CI.
"""

import os
import shutil

import pytest

# The long form of searches and storms, which .ci/run asks for.
FULL = bool(os.environ.get("PWM_FULL_TESTS"))


def needs(program: str, package: str = "") -> str:
    """Return the path of ``program``; skip the test where it is missing, or fail it in CI."""
    path = shutil.which(program)
    if path:
        return path
    reason = f"{program} is missing here: apt install {package or program}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
