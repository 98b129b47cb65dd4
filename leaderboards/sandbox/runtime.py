"""The root file system that scripts run in."""

from __future__ import annotations


def packages() -> dict[str, str]:
    """Return what a script can import: package -> version."""
    raise NotImplementedError
