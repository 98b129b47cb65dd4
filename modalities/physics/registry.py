"""The parts of the code that belong to one modality, found by key and imported on first use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TypeVar

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Map a modality's key to ``attribute`` of the module that holds it.

    ``modules`` names the modules in full. Importing them late keeps ``import physics`` cheap for
    those who only want a spec.
    """

    def __init__(self, attribute: str, modules: Mapping[str, str]) -> None:
        self._attribute = attribute
        self._modules = dict(modules)

    def __getitem__(self, key: str) -> T:
        if key not in self._modules:
            raise KeyError(
                f"There is no modality '{key}' in {self._attribute}; it has {', '.join(self)}."
            )
        value: T = getattr(import_module(self._modules[key]), self._attribute)
        return value

    def __contains__(self, key: object) -> bool:
        """Say whether there is such a module, without importing it."""
        return key in self._modules and find_spec(self._modules[str(key)]) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)
