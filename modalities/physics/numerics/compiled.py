"""Loops that NumPy cannot vectorise, compiled by Numba."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

Loop = TypeVar("Loop", bound=Callable[..., None])


def compiled(loop: Loop) -> Loop:
    """Compile ``loop`` when it is first called with arguments of some types.

    That takes a fraction of a second per process and loads Numba, which code that only reads a
    spec does not need. Nothing is written beside the source, which may be read-only. Other threads
    run on during the loop. Division by zero gives what it gives in NumPy: a check for it would keep
    loops from being vectorised.
    """

    @lru_cache(maxsize=1)
    def fast() -> Any:
        from numba import njit

        return njit(nogil=True, error_model="numpy")(loop)

    @wraps(loop)
    def call(*arguments: Any) -> None:
        fast()(*arguments)

    return call  # type: ignore[return-value]
