"""The catalogue's files: found by key, read, and compiled once so that a bad one is refused."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .build import forward
from .spec import Spec, read
from .tables import CatalogueError, Table, parse_toml, read_toml

CATALOGUE = Path(__file__).resolve().parent.parent / "catalogue"


def keys() -> list[str]:
    """List the modalities of the catalogue."""
    return sorted(path.stem for path in CATALOGUE.glob("*.toml"))


@cache
def load(key: str) -> Spec:
    """Read ``catalogue/<key>.toml``; raise CatalogueError if there is none or it is wrong."""
    if key not in keys():
        known = ", ".join(keys())
        raise CatalogueError(f"There is no modality '{key}'; the catalogue has {known}.")
    return take(read_toml(CATALOGUE / f"{key}.toml"))


def parse(text: str, filename: str) -> Spec:
    """Turn the text of a catalogue file into a Spec whose chain can be built."""
    return take(parse_toml(text, filename))


def take(top: Table) -> Spec:
    """Take a Spec whose chain can be built out of a catalogue file.

    Raise CatalogueError naming the file and the field, for a table that is wrong and for a step
    that cannot be built, at the nominal or at the perturbed mismatch.
    """
    spec = read(top)
    for mismatch in (spec.nominal, spec.perturbed):
        forward(spec, **mismatch)
    return spec
