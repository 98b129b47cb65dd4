"""Loops that NumPy has no word for, compiled by Numba."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

Loop = TypeVar("Loop", bound=Callable[..., None])


def compiled(loop: Loop) -> Loop:
    """Compile ``loop`` when it is first called with arguments of some types.

    That takes a fraction of a second per process; nothing is written beside the source, which may
    be read-only. Numba itself is loaded then too: whoever only reads a spec never pays for it.
    Other threads go on while the loop runs.
    """

    @lru_cache(maxsize=1)
    def fast() -> Any:
        from numba import njit

        return njit(nogil=True)(loop)

    @wraps(loop)
    def call(*arguments: Any) -> None:
        fast()(*arguments)

    return call  # type: ignore[return-value]
