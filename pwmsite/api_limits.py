"""How many requests to the API are answered in a minute; the settings give the rates.

They are counted in the cache, which all web servers share. While that cannot be used, each process
counts for itself, so that a client may at most send as many to each of them.
"""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle


class Counts:
    """What the throttles use of a cache: the shared one, or memory while that is away."""

    def __init__(self) -> None:
        self.here = LocMemCache("limits of the API", {"OPTIONS": {"MAX_ENTRIES": 10_000}})

    def get(self, key: str, default: Any) -> Any:
        found = cache.get(key, default)
        return self.here.get(key, default) if _is_away() else found

    def set(self, key: str, value: Any, timeout: float) -> None:
        cache.set(key, value, timeout)
        if _is_away():
            self.here.set(key, value, timeout)


def _is_away() -> bool:
    return bool(getattr(cache, "is_away", False))


counts = Counts()


class OfAnAddress(AnonRateThrottle):
    cache = counts


class OfAPerson(UserRateThrottle):
    cache = counts
