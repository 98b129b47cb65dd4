"""A broker that is away delays work; it loses none, and keeps no visitor waiting."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.servers import Redis
from tests.sites import site, wait


def test_job_asked_for_while_the_broker_is_away_is_done_when_it_is_back(
    tmp_path: Path, server_folder: Path
):
    broker = Redis(server_folder)
    broker.kill()
    with site(tmp_path, PWM_LEASE_SECONDS="4", PWM_BROKER_URL=broker.url) as made:
        made.prepare()
        worker = made.worker()
        made.do("nap = Nap.objects.buy(purse, seconds=0.2)")
        assert made.do("(nap.refresh_from_db() or nap.state, nap.message_sent_at)") == [
            "queued",
            None,
        ]
        wait(lambda: "Cannot connect" in made.log.read_text())
        broker.start()
        wait(lambda: made.do("nap.refresh_from_db() or nap.state") == "succeeded")
        assert worker.process.poll() is None
    broker.kill()
