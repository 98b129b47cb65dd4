"""What a job costs: CPU seconds and peak memory of this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Usage:
    cpu_seconds: float = 0.0
    peak_memory_mb: float | None = None


@contextmanager
def measured() -> Iterator[Usage]:
    usage, start = Usage(), time.process_time()
    yield usage
    usage.cpu_seconds = time.process_time() - start
