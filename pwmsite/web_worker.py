"""The process that gunicorn starts for the web server: it serves through pwmsite/http_server.py."""

import os
import resource
import time
from types import FrameType
from typing import Any

from gunicorn.workers.base import Worker

FILES = 8192  # that one process may have open: its connections, and buffers that are files


class BufferingWorker(Worker):
    """A worker whose threads get whole requests only."""

    def run(self) -> None:
        # Imported here: the application is loaded by now, and with it Django's settings.
        from django.conf import settings

        from pwmsite import bodies
        from pwmsite.http_server import CONNECTIONS, Lanes, Rules, serve

        rules = Rules(
            largest=bodies.largest,
            uploads=frozenset(bodies.uploads()),
            proxies=tuple(self.cfg.forwarded_allow_ips),
            hops=max(settings.ALLAUTH_TRUSTED_PROXY_COUNT, 1),
            connections=min(CONNECTIONS, allow_files() // 4),
        )
        lanes = Lanes(self.cfg.threads, settings.PWM_WEB_UPLOADS, rules)
        listeners = [listener.sock for listener in self.sockets]
        self.servers, turn = serve(self.wsgi, listeners, rules, lanes)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            turn(1.0)
        deadline = time.monotonic() + self.cfg.graceful_timeout - 1
        while time.monotonic() < deadline and sum(server.wind_up() for server in self.servers):
            turn(0.1)
        lanes.shutdown(timeout=0.1)

    def handle_exit(self, number: int, frame: FrameType | None) -> Any:
        """Stop after the requests that have arrived (SIGTERM)."""
        super().handle_exit(number, frame)
        for server in getattr(self, "servers", []):
            server.pull_trigger()


def allow_files() -> int:
    """Allow this process to open ``FILES`` files, if the machine lets it; return how many."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now == resource.RLIM_INFINITY or now >= FILES:
        return FILES
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    return wanted
