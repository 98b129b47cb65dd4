"""The cache in Redis, without which the site works: an error of Redis counts as a miss.

What may not be lost is not kept here. The rate limits of sign-in are, but they take their lock with
``add``, which then says no, so that nobody signs in while nobody counts (``views.too_many``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError
from redis.retry import Retry

log = structlog.get_logger(__name__)
WAIT = 1.0  # seconds that a page waits for Redis
PAUSE = 1.0  # seconds after an error in which a process does not ask again
# One more try for a connection that has gone meanwhile, as after a restart of Redis.
OPTIONS = {
    "socket_connect_timeout": WAIT,
    "socket_timeout": WAIT,
    "retry": Retry(NoBackoff(), 1, supported_errors=(Disconnected,)),
}


class Client(RedisCacheClient):
    """Redis, or a miss."""

    ask_again_at = 0.0  # of all threads of the process

    def _try(self, ask: Callable[[], Any], miss: Any) -> Any:
        if time.monotonic() < Client.ask_again_at:
            return miss
        try:
            return ask()
        except RedisError as error:
            Client.ask_again_at = time.monotonic() + PAUSE
            log.warning("The cache cannot be used; the site works without it.", error=str(error))
            return miss

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return bool(self._try(lambda: super(Client, self).add(key, value, timeout), False))

    def get(self, key: Any, default: Any) -> Any:
        return self._try(lambda: super(Client, self).get(key, default), default)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        self._try(lambda: super(Client, self).set(key, value, timeout), None)

    def touch(self, key: Any, timeout: Any) -> bool:
        return bool(self._try(lambda: super(Client, self).touch(key, timeout), False))

    def delete(self, key: Any) -> bool:
        return bool(self._try(lambda: super(Client, self).delete(key), False))

    def get_many(self, keys: Any) -> dict[Any, Any]:
        found: dict[Any, Any] = self._try(lambda: super(Client, self).get_many(keys), {})
        return found

    def has_key(self, key: Any) -> bool:
        return bool(self._try(lambda: super(Client, self).has_key(key), False))

    def incr(self, key: Any, delta: int) -> int:
        found = self._try(lambda: super(Client, self).incr(key, delta), None)
        if found is None:
            raise ValueError(f"Key '{key}' not found.")
        return int(found)

    def set_many(self, data: Any, timeout: Any) -> None:
        self._try(lambda: super(Client, self).set_many(data, timeout), None)

    def delete_many(self, keys: Any) -> None:
        self._try(lambda: super(Client, self).delete_many(keys), None)

    def clear(self) -> bool:
        return bool(self._try(super().clear, False))


class SharedCache(RedisCache):
    """Django's cache in Redis with the client above."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = Client

    @property
    def is_away(self) -> bool:
        """Say whether Redis failed just now, so that what was asked of it counts as a miss."""
        return time.monotonic() < Client.ask_again_at

    def ping(self) -> None:
        """Ask Redis for an answer; raise its error if there is none."""
        self._cache.get_client().ping()
