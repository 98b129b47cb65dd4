"""Optional features that this machine cannot offer, and how to get them."""

import ctypes
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass


def has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def has_bubblewrap() -> bool:
    """Make an empty sandbox: bubblewrap may be there and the kernel may still refuse it."""
    if not shutil.which("bwrap"):
        return False
    command = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    return subprocess.run(command, capture_output=True).returncode == 0


def has_landlock() -> bool:
    """Ask the kernel for its version of Landlock: landlock_create_ruleset, the version flag."""
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


@dataclass(frozen=True)
class Feature:
    """A part of the site that needs something beyond the locked packages."""

    name: str
    is_there: Callable[[], bool]
    needs: str
    remedy: str


FEATURES = [
    Feature(
        "the learned method Noise2Void",
        lambda: has_module("torch"),
        "PyTorch",
        ".venv/bin/python -m pip install torch",
    ),
    Feature(
        "reading submitted files",
        has_landlock,
        "a kernel that locks their reader in",
        "Linux 5.13 or newer with Landlock and seccomp",
    ),
    Feature(
        "the second wall around the reader of submitted files",
        lambda: os.geteuid() != 0 and has_bubblewrap(),
        "a working bubblewrap and an ordinary user",
        "apt install bubblewrap, with user namespaces allowed, and do not run the site as root",
    ),
    Feature(
        "running people's programs on the hidden tier",
        has_bubblewrap,
        "a working bubblewrap",
        "apt install bubblewrap, with user namespaces allowed; /operations/ names each guard",
    ),
    Feature(
        "storage in S3",
        lambda: has_module("storages") and has_module("boto3"),
        "django-storages and boto3",
        ".venv/bin/python -m pip install 'django-storages[s3]'",
    ),
]


def missing() -> list[str]:
    """Return one line per feature that is off: what it needs, and how to get it."""
    return [
        f"Off here: {feature.name}, which needs {feature.needs} ({feature.remedy})."
        for feature in FEATURES
        if not feature.is_there()
    ]
