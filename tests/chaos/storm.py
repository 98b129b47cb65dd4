"""Jobs and faults at once: what happens, and what is on record when it is over."""

from __future__ import annotations

import math
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.sites import Site, Worker

LEASE = 10.0
ALIVE = (
    "Nap.objects.running().filter(percent__gt=0, "
    "heartbeat_at__gt=Now() - timedelta(seconds=given[0])).count()"
)
ENDED = {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True)
class Plan:
    """How much of everything; ``jobs`` at least, for each fault finds somebody at work."""

    jobs: int
    workers: int
    processes: int
    kills: int
    freezes: int
    cancels: int


@dataclass
class Storm:
    """One storm over ``site``; ``accidents`` are further faults, each of which happens once."""

    site: Site
    plan: Plan
    accidents: dict[str, Callable[[], None]]
    seed: int = 0
    deaths: dict[int, float] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    outages: list[float] = field(default_factory=list)
    left_alone: set[float] = field(default_factory=set)
    bought: int = 0
    total: int = 1

    def blow(self, patience: float) -> None:
        """Buy jobs and let faults happen until all have ended; fail after ``patience`` seconds."""
        chance = random.Random(self.seed)
        self.site.do("from datetime import timedelta")
        self.site.do("from django.db.models.functions import Now")
        for _ in range(self.plan.workers):
            self.site.worker(self.plan.processes)
        faults = self._faults()
        self.total = len(faults)
        chance.shuffle(faults)
        deadline = time.monotonic() + patience
        while faults or self.bought < self.plan.jobs or self._live():
            assert time.monotonic() < deadline, f"Not over after {self.happened}: {self.record()}"
            self._buy(chance)
            if faults and self._is_busy():
                self._happen(faults.pop(), chance)
            self._supervise()
            time.sleep(chance.uniform(0.3, 1.2))

    def _faults(self) -> list[str]:
        plan = self.plan
        killed = ["kill a worker"] * (plan.kills // 2) + ["kill a child"] * -(-plan.kills // 2)
        return killed + ["freeze"] * plan.freezes + ["cancel"] * plan.cancels + [*self.accidents]

    def _buy(self, chance: random.Random) -> None:
        """Buy some more, in step with the faults, so that each of them finds somebody at work."""
        share = min(1.0, (len(self.happened) + 1) / self.total)
        due = math.ceil(self.plan.jobs * share) - self.bought
        if len(self.happened) < self.total and not self._live():
            due = max(due, 1)
        for _ in range(min(chance.randint(1, 3), due)):
            with suppress(AssertionError):  # the database is away: the visitor is told so
                self.site.do("Nap.objects.buy(purse, seconds=given[0])", chance.uniform(0.5, 2.5))
            self.bought = self._count("True")

    def _happen(self, fault: str, chance: random.Random) -> None:
        self.happened.append(fault)
        worker = chance.choice(self.site.workers)
        if fault in self.accidents:
            self.outages.append(time.time())
            self.accidents[fault]()
            self.outages.append(time.time())
        elif fault == "kill a worker":
            self._mourn(worker, worker.children())
            worker.kill()
            self.left_alone |= {time.time()} if self.plan.workers == 1 else set()
        elif fault == "kill a child":
            self._kill_child(worker, chance)
        elif fault == "freeze":
            self._freeze(worker)
        else:
            with suppress(AssertionError):
                self.site.do("[n.cancel('a visitor') for n in Nap.objects.live()[:1]]")

    def _kill_child(self, worker: Worker, chance: random.Random) -> None:
        """Kill a process that computes, if there is one."""
        busy = set(self._busy_pids()) & set(worker.children())
        if victims := sorted(busy) or worker.children():
            victim = chance.choice(victims)
            self._mourn(worker, [victim])
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)

    def _freeze(self, worker: Worker) -> None:
        """Stop a worker and its pool for longer than a lease, then let them go on."""
        worker.signal(signal.SIGSTOP)
        self._mourn(worker, worker.children())
        time.sleep(1.3 * LEASE)
        worker.signal(signal.SIGCONT)

    def _mourn(self, worker: Worker, pids: list[int]) -> None:
        self.deaths |= dict.fromkeys(pids, time.time())

    def _supervise(self) -> None:
        """Start again what has died, as systemd or a container engine would."""
        for worker in list(self.site.workers):
            if worker.process.poll() is not None:
                worker.signal(signal.SIGKILL)
                self.site.workers.remove(worker)
                self.site.worker(self.plan.processes)

    def _live(self) -> bool:
        return self._count("n.is_live") > 0

    def _is_busy(self) -> bool:
        """Say whether some worker is alive and computes: a fault that hits nobody is none."""
        with suppress(AssertionError):
            return bool(self.site.do(ALIVE, LEASE / 3))
        return False

    def _count(self, condition: str) -> int:
        with suppress(AssertionError):
            return int(self.site.do(f"sum(bool({condition}) for n in Nap.objects.all())"))
        return 1

    def _busy_pids(self) -> list[int]:
        with suppress(AssertionError):
            names = self.site.do("list(Nap.objects.running().values_list('worker', flat=True))")
            return [int(name.rsplit(":", 1)[1]) for name in names]
        return []

    # What is on record when it is over.

    def record(self) -> list[dict[str, Any]]:
        return self.site.do(
            "[{'state': n.state, 'code': n.error_code, 'dreams': n.dreams.count(), 'events': "
            "[(e.event, e.worker, e.at.timestamp()) for e in n.events.all()]} "
            "for n in Nap.objects.all()]"
        )

    def waits(self) -> list[float]:
        """Give the seconds from a worker's death to the moment its job was taken back.

        Those that an outage of the database falls into are left out: nobody can take back then.
        Where the only worker was killed, the time counts from when the next one was ready.
        """
        found = []
        ready = sorted(self._ready())
        for killed in self.left_alone:
            came = next((at for at in ready if at > killed), killed)
            for pid, died in self.deaths.items():
                if abs(died - killed) < 1.0:
                    self.deaths[pid] = came
        for nap in self.record():
            for event, worker, at in nap["events"]:
                died = self.deaths.get(int(worker.rsplit(":", 1)[1])) if ":" in worker else None
                if died and event in ("reclaimed", "lost") and not self._was_out(died, at):
                    found.append(at - died)
        return found

    def _ready(self) -> list[float]:
        """Read from the log when workers were ready."""
        lines = self.site.log.read_text(errors="replace").splitlines()
        times = (line.split()[0] for line in lines if "@test ready." in line)
        return [datetime.fromisoformat(time).timestamp() for time in times]

    def _was_out(self, since: float, until: float) -> bool:
        return any(since - LEASE < outage < until for outage in self.outages)
