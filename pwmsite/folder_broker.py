"""The embedded broker: messages as files in a folder, by Kombu's transport, made safe and sparing.

Kombu's own transport writes a message in place, where another process may read half of it, and it
reads by way of the system's folder for temporary files. Here a message appears and goes by a
rename. A message with the header ``merge`` says only that there is work: while one of its task and
queue is unread, another one would say nothing new, so it takes its place.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import structlog
from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

log = structlog.get_logger(__name__)
POLL = 0.25  # seconds between two looks into the folder


class Channel(filesystem.Channel):
    """Reads and writes whole messages; ``<order>.<queue>.msg`` names a file, as Kombu does."""

    # Its parents do not agree on the name of the message either.
    def _put(  # type: ignore[override]
        self, queue: str, message: dict[str, Any], **kwargs: Any
    ) -> None:
        folder = Path(self.data_folder_out)
        draft = folder / f".{uuid.uuid4().hex}.draft"
        try:
            draft.write_text(dumps(message))
            draft.replace(folder / f"{_order(message)}.{queue}.msg")
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise ChannelError(f"The message cannot be written to {folder}: {error}") from error

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for path in self._waiting(queue):
            taken = path.with_name(f".{uuid.uuid4().hex}.taken")
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue  # another process was quicker
            try:
                return loads(taken.read_text())
            except ValueError:
                log.warning("A damaged message was dropped.", queue=queue)
            finally:
                taken.unlink(missing_ok=True)
        raise Empty

    def _waiting(self, queue: str) -> Iterator[Path]:
        """Find the messages of ``queue``, the oldest first."""
        folder = Path(self.data_folder_in)
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(os.listdir(folder)):
                if name.partition(".")[2] == f"{queue}.msg":
                    yield folder / name


def _order(message: dict[str, Any]) -> str:
    """Name a message's place, without a dot; merging messages come after all others."""
    headers = message.get("headers") or {}
    if headers.get("merge"):
        return "work-" + str(headers["task"]).replace(".", "-")
    return f"{time.time_ns():020d}-{uuid.uuid4().hex}"


class Transport(filesystem.Transport):
    Channel = Channel
    polling_interval = POLL
    driver_type = driver_name = "folder"
