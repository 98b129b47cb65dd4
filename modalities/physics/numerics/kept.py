"""Remember large results: those that were asked for last, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Any, TypeVar

Result = TypeVar("Result")


def kept(
    most: int, size: Callable[[Result], int]
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Keep the results of a function by its positional arguments, which can be hashed.

    ``size`` gives the bytes of a result. The last one stays, however large it is; of the others as
    many as ``most`` bytes have room for.
    """

    def decorate(make: Callable[..., Result]) -> Callable[..., Result]:
        found: OrderedDict[tuple[Any, ...], Result] = OrderedDict()
        lock = Lock()

        @wraps(make)
        def get(*key: Any) -> Result:
            with lock:
                if key in found:
                    found.move_to_end(key)
                    return found[key]
            made = make(*key)
            with lock:
                found[key] = made
                while len(found) > 1 and sum(map(size, found.values())) > most:
                    found.popitem(last=False)
            return made

        return get

    return decorate
