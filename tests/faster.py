"""Two people send the same form at once, and the other one is faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def write_first(monkeypatch: Any, form: type, write: Callable[[], object]) -> None:
    """Call ``write`` between the check of a form and its save."""
    plain = form.save

    def save(self: Any, *args: Any) -> Any:
        write()
        return plain(self, *args)

    monkeypatch.setattr(form, "save", save)
