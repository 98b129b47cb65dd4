"""Several people send the same at the same instant: each in a thread, with a connection of its own.

All of them have passed the checks of the form before the first one writes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from django.db import connections
from django.http import HttpResponse
from django.test import Client

PATIENCE = 120.0  # seconds until all are at the start; only ends what would wait for ever


def at_once(
    runners: list[Client], form: type, send: Callable[[Client], HttpResponse]
) -> list[tuple[int, str]]:
    """Let every one send; ``form`` saves what they send. Give status and text of each answer."""
    start = threading.Barrier(len(runners), timeout=PATIENCE)
    plain = form.save  # type: ignore[attr-defined]

    def save(self: Any, *args: Any) -> Any:
        start.wait()
        return plain(self, *args)

    def run(client: Client) -> tuple[int, str]:
        try:
            answer = send(client)
            return answer.status_code, answer.content.decode()
        finally:
            connections.close_all()

    with mock.patch.object(form, "save", save), ThreadPoolExecutor(len(runners)) as pool:
        return list(pool.map(run, runners))
