"""The catalogue's files: found by key, read, and compiled once so that a bad one is refused."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .build import forward
from .spec import Spec, SpecError, read

CATALOGUE = Path(__file__).resolve().parent.parent / "catalogue"


def keys() -> list[str]:
    """List the modalities of the catalogue."""
    return sorted(path.stem for path in CATALOGUE.glob("*.toml"))


@cache
def load(key: str) -> Spec:
    """Read ``catalogue/<key>.toml``; raise SpecError if there is none or it is wrong."""
    if key not in keys():
        raise SpecError(f"There is no modality '{key}'; the catalogue has {', '.join(keys())}.")
    return parse((CATALOGUE / f"{key}.toml").read_text(encoding="utf-8"), f"{key}.toml")


def parse(text: str, filename: str) -> Spec:
    """Turn the text of a catalogue file into a Spec whose chain can be built.

    Raise SpecError naming the file and the field, for a table that is wrong and for a step that
    cannot be built, be it at the nominal or at the perturbed mismatch.
    """
    spec = read(text, filename)
    for mismatch in (spec.nominal, spec.perturbed):
        forward(spec, **mismatch)
    return spec
