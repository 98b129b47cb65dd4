"""The long storm of ``make storm``: a thousand jobs on PostgreSQL and Redis, and two hundred kills.

It is no part of ``make test``; docs/scale.md has its outcome.
"""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.chaos import test_storms
from tests.chaos.servers import Postgres, Redis
from tests.chaos.storm import Plan, Storm
from tests.chaos.test_storms import accidents, broker, database, distributed, nothing_is_lost
from tests.sites import Site

__all__ = ["broker", "database", "distributed"]  # fixtures
PLAN = Plan(1000, 2, 2, kills=200, freezes=10, cancels=20)
PATIENCE = 6 * 3600.0  # only ends a storm that goes on for ever


def test_a_thousand_jobs_outlive_two_hundred_kills(
    distributed: Site, database: Postgres, broker: Redis, capsys: pytest.CaptureFixture[str]
):
    begun = time.monotonic()
    storm = Storm(distributed, PLAN, accidents(database, broker))
    storm.blow(PATIENCE)
    minutes = (time.monotonic() - begun) / 60
    with capsys.disabled():
        print(summary(storm, minutes))  # noqa: T201 - what it is run for
    nothing_is_lost(storm)
    test_storms.what_was_lost_came_back_at_once(storm)


def summary(storm: Storm, minutes: float) -> str:
    record = storm.record()
    states = Counter(nap["state"] for nap in record)
    tries = Counter(nap["events"].count("claimed") for nap in record)
    strikes = Counter(strike.fault for strike in storm.hits)
    struck = sum(len(strike.leases) for strike in storm.hits)
    return (
        f"\n{len(record)} jobs in {minutes:.0f} min: {dict(states)}; "
        f"begun so often: {dict(sorted(tries.items()))}; "
        f"strikes that hit: {dict(strikes)}, {struck} jobs; taken back late: {len(storm.late())}; "
        f"from sweep to sweep {storm.pause():.1f} s."
    )
