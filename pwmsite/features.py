"""What this machine lacks for all of PWM, and how to get it; nothing here is needed to start."""

import importlib.util
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


def has_container_engine() -> bool:
    return bool(shutil.which("podman") or shutil.which("docker"))


@dataclass(frozen=True)
class Feature:
    """A part of the site that needs something beyond the locked packages."""

    name: str
    is_there: Callable[[], bool]
    wants: str
    remedy: str


FEATURES = [
    Feature(
        "the learned method Noise2Void",
        lambda: has_module("torch"),
        "PyTorch",
        ".venv/bin/python -m pip install torch",
    ),
    Feature(
        "running submitted programs",
        has_bubblewrap,
        "a working bubblewrap",
        "apt install bubblewrap, with user namespaces allowed",
    ),
    Feature(
        "running submitted containers",
        has_container_engine,
        "Podman or Docker",
        "apt install podman",
    ),
    Feature(
        "storage in S3",
        lambda: has_module("storages") and has_module("boto3"),
        "django-storages and boto3",
        ".venv/bin/python -m pip install 'django-storages[s3]'",
    ),
]


def missing() -> list[str]:
    """Return one line per feature that is off: what it wants, and how to get it."""
    return [
        f"Off here: {feature.name}, for want of {feature.wants} ({feature.remedy})."
        for feature in FEATURES
        if not feature.is_there()
    ]
