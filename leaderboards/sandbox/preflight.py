"""Find out whether every guard of the sandbox holds on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guard:
    """One guard, whether it holds here, and a sentence about it."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Preflight:
    """All guards of this machine. ``dataclasses.asdict`` of it can be written as JSON."""

    guards: tuple[Guard, ...]

    @property
    def ok(self) -> bool:
        """Whether programs are run here."""
        return bool(self.guards) and all(guard.holds for guard in self.guards)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the guards that do not hold."""
        return tuple(guard.name for guard in self.guards if not guard.holds)


def preflight(*, fresh: bool = False) -> Preflight:
    """Try all guards, once per process and boot unless ``fresh``."""
    raise NotImplementedError
