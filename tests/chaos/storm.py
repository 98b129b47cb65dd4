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
from typing import Any

from tests.sites import Site, Worker

LEASE = 10.0
HELD = (
    "[(str(n.pk), n.token, int(n.worker.rsplit(':', 1)[1])) "
    "for n in Nap.objects.running().filter(percent__gt=0)]"
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
    struck: dict[tuple[str, int], float] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    bought: int = 0
    total: int = 1

    def blow(self, patience: float) -> None:
        """Buy jobs and let faults happen until all have ended; fail after ``patience`` seconds."""
        chance = random.Random(self.seed)
        for _ in range(self.plan.workers):
            self.site.worker(self.plan.processes)
        faults = self._faults()
        self.total = len(faults)
        chance.shuffle(faults)
        deadline = time.monotonic() + patience
        while faults or self.bought < self.plan.jobs or self._live():
            assert time.monotonic() < deadline, f"Not over after {self.happened}: {self.record()}"
            self._buy(chance)
            if faults and (busy := self._at_work()):
                self._happen(faults.pop(), busy, chance)
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
                self.site.do("Nap.objects.buy(purse, seconds=given[0])", chance.uniform(1.0, 3.0))
            self.bought = self._count("True")

    def _happen(self, fault: str, busy: list[int], chance: random.Random) -> None:
        """Let ``fault`` hit one of the processes that are ``busy``, or its worker."""
        self.happened.append(fault)
        victim = chance.choice(busy)
        worker = next(w for w in self.site.workers if victim in w.children())
        if fault in self.accidents:
            self.accidents[fault]()
        elif fault == "kill a worker":
            self._mourn(worker.children())
            worker.kill()
        elif fault == "kill a child":
            self._mourn([victim])
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        elif fault == "freeze":
            self._freeze(worker)
        else:
            with suppress(AssertionError):
                self.site.do("[n.cancel('a visitor') for n in Nap.objects.live()[:1]]")

    def _freeze(self, worker: Worker) -> None:
        """Stop a worker and its pool for longer than a lease, then let them go on."""
        self._mourn(worker.children())
        worker.signal(signal.SIGSTOP)
        time.sleep(1.3 * LEASE)
        worker.signal(signal.SIGCONT)

    def _mourn(self, pids: list[int]) -> None:
        """Note which jobs the processes hold that are struck now."""
        now = time.time()
        self.struck |= {(nap, token): now for nap, token, pid in self._held() if pid in pids}

    def _supervise(self) -> None:
        """Start again what has died, as systemd or a container engine would."""
        for worker in list(self.site.workers):
            if worker.process.poll() is not None:
                worker.signal(signal.SIGKILL)
                self.site.workers.remove(worker)
                self.site.worker(self.plan.processes)

    def _live(self) -> bool:
        return self._count("n.is_live") > 0

    def _at_work(self) -> list[int]:
        """List the living processes that compute: a fault that hits nobody is none."""
        alive = {pid for worker in self.site.workers for pid in worker.children()}
        return sorted(alive & {pid for _, _, pid in self._held()})

    def _held(self) -> list[tuple[str, int, int]]:
        """List the running jobs: id, token and the process that holds it."""
        with suppress(AssertionError):
            return [tuple(row) for row in self.site.do(HELD)]
        return []

    def _count(self, condition: str) -> int:
        with suppress(AssertionError):
            return int(self.site.do(f"sum(bool({condition}) for n in Nap.objects.all())"))
        return 1

    # What is on record when it is over.

    def record(self) -> list[dict[str, Any]]:
        return self.site.do(
            "[{'id': str(n.pk), 'state': n.state, 'code': n.error_code, 'why': n.error_message, "
            "'dreams': n.dreams.count(), 'events': "
            "[(e.event, e.token, e.at.timestamp()) for e in n.events.all()]} "
            "for n in Nap.objects.all()]"
        )

    def waits(self) -> list[float]:
        """Give the seconds from a worker's death to the moment its job was taken back."""
        return [
            at - self.struck[nap["id"], token]
            for nap in self.record()
            for event, token, at in nap["events"]
            if event in ("reclaimed", "lost") and (nap["id"], token) in self.struck
        ]
