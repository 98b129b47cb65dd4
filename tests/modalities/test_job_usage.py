"""A job's usage counts the work of its threads and children, and the peak of its own memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from modalities.jobs import usage
from modalities.jobs.usage import measured

MB = 2**20


def peak_with(megabytes: int) -> float:
    with measured() as used:
        np.ones(megabytes * MB // 8)  # freed at once: only a peak shows it
    assert used.peak_memory_mb is not None
    return used.peak_memory_mb


def burn(seconds: float) -> None:
    begun = time.thread_time()
    while time.thread_time() - begun < seconds:
        sum(range(1000))


def test_an_array_that_is_gone_again_is_seen_in_the_peak():
    base = peak_with(0)
    assert peak_with(256) - base == pytest.approx(256, rel=0.1)
    assert peak_with(512) - base == pytest.approx(512, rel=0.1)


def test_the_peak_of_earlier_work_is_not_counted():
    large = peak_with(512)
    assert large - peak_with(0) > 0.9 * 512


def test_a_kernel_that_keeps_the_peak_gives_no_number(monkeypatch, tmp_path):
    monkeypatch.setattr(usage, "PROC", tmp_path / "absent")
    with measured() as used:
        pass
    assert used.peak_memory_mb is None


def test_cpu_time_counts_every_thread():
    threads = [threading.Thread(target=burn, args=[0.2]) for _ in range(2)]
    with measured() as used:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 0.4 <= used.cpu_seconds < 0.8


def test_cpu_time_counts_children_that_ended():
    code = "import time\nwhile time.process_time() < 0.5: pass"
    with measured() as used:
        subprocess.run([sys.executable, "-c", code], check=True)
    assert 0.5 <= used.cpu_seconds < 1.0


def test_waiting_costs_no_cpu_time():
    with measured() as used:
        time.sleep(0.3)
    assert used.cpu_seconds < 0.1


def test_usage_of_work_that_fails_is_known_too():
    with suppress(ValueError), measured() as used:
        burn(0.1)
        raise ValueError("odd")
    assert used.cpu_seconds >= 0.1
    assert used.peak_memory_mb
