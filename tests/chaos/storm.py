"""Jobs and faults at once: what happens, and what is on record when it is over.

A fault counts once it has hit: a kill or a freeze when a job was taken back from a process that it
struck, a cancel when a job took it. One that hit nobody happens again, however long that takes.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

from tests.needs import FULL
from tests.sites import Site

LEASE = 10.0 if FULL else 5.0
TICK = 0.05  # seconds by which two clocks of one machine may seem to differ, when rounded

# All that a visitor or the storm asks of the site's console.
BUY = "str(Nap.objects.buy(purse, seconds=given[0]).pk)"
CANCEL = "any(n.cancel('a visitor') for n in Nap.objects.live()[:1])"
LIVE = "Nap.objects.live().count()"
HELD = (
    "[(str(n.pk), n.token, int(n.worker.rsplit(':', 1)[1]), n.lease_expires_at.timestamp()) "
    "for n in Nap.objects.running()]"
)
EVENTS = (
    "[(str(e.job_id), e.token, e.event, e.at.timestamp()) for e in NapEvent.objects.order_by('id')]"
)
RECORD = (
    "[{'id': str(n.pk), 'state': n.state, 'code': n.error_code, 'dreams': n.dreams.count(), "
    "'events': [e.event for e in n.events.all()]} for n in Nap.objects.all()]"
)
TAKEN = ("reclaimed", "lost")
ENDS = (*TAKEN, "succeeded", "failed", "cancelled", "released")

Hold = tuple[str, int]  # a job's id, and the token with which a process held it


@dataclass(frozen=True)
class Plan:
    """How much of everything, at least."""

    jobs: int
    workers: int
    processes: int
    kills: int
    freezes: int
    cancels: int

    def strikes(self) -> dict[str, int]:
        """Say how often processes are struck, and how."""
        half = self.kills // 2
        return {"kill a worker": half, "kill a child": self.kills - half, "freeze": self.freezes}


@dataclass
class Strike:
    """A fault that struck processes at work; ``leases`` says when each job's lease ends."""

    fault: str
    leases: dict[Hold, float]


@dataclass
class Storm:
    """One storm over ``site``; ``accidents`` are further faults, each of which happens once."""

    site: Site
    plan: Plan
    accidents: dict[str, Callable[[], None]]
    seed: int = 0
    faults: list[str] = field(default_factory=list)  # those that have still to hit
    open: list[Strike] = field(default_factory=list)  # those whose jobs have not ended yet
    hits: list[Strike] = field(default_factory=list)
    bought: set[str] = field(default_factory=set)

    def blow(self, patience: float) -> None:
        """Buy jobs and let faults happen until enough have hit and all jobs have ended.

        ``patience`` in seconds only ends a storm that would go on for ever.
        """
        chance = random.Random(self.seed)
        self.faults = [*Counter(self.plan.strikes()).elements(), *self.accidents]
        self.faults += ["cancel"] * self.plan.cancels
        chance.shuffle(self.faults)
        for _ in range(self.plan.workers):
            self.site.worker(self.plan.processes)
        deadline = time.monotonic() + patience
        while self.faults or self.open or len(self.bought) < self.plan.jobs or self._live():
            assert time.monotonic() < deadline, f"Not over: {self.faults}, {self.open}"
            self._buy(chance)
            if self.faults and (busy := self._at_work()):
                self._happen(self.faults.pop(), chance.choice(busy))
            self._settle()
            self._supervise()
            time.sleep(chance.uniform(0.3, 1.2))

    def _buy(self, chance: random.Random) -> None:
        """Keep every process at work, and one job waiting, while faults look for a victim."""
        if not self.faults and len(self.bought) >= self.plan.jobs:
            return
        wanted = self.plan.workers * self.plan.processes + 1 - self._live()
        for _ in range(min(chance.randint(1, 3), wanted)):
            with suppress(AssertionError):  # the database is away: the visitor is told so
                self.bought.add(self.site.do(BUY, chance.uniform(1.0, 3.0)))

    def _happen(self, fault: str, victim: int) -> None:
        """Let ``fault`` hit the process ``victim`` or its worker, or try again later."""
        if fault in self.accidents:
            self.accidents[fault]()
        elif not (self._cancel() if fault == "cancel" else self._strike(fault, victim)):
            self.faults.insert(0, fault)

    def _cancel(self) -> bool:
        with suppress(AssertionError):
            return self.site.do(CANCEL)
        return False

    def _strike(self, fault: str, victim: int) -> bool:
        """Stop the processes, so that they keep what they hold; let them go on if that is nothing.

        Else kill them, or leave them frozen until their jobs were taken back.
        """
        worker = next((w for w in self.site.workers if victim in w.children()), None)
        if worker is None:
            return False
        struck = [victim] if fault == "kill a child" else worker.children()
        send = _to_process(victim) if fault == "kill a child" else worker.signal
        send(signal.SIGSTOP)
        leases = {hold: end for hold, pid, end in self._held() if pid in struck}
        if not leases:
            send(signal.SIGCONT)
            return False
        self.open.append(strike := Strike(fault, leases))
        if fault == "freeze":
            self._wait_for(strike)
            send(signal.SIGCONT)
        else:
            send(signal.SIGKILL)
        return True

    def _wait_for(self, strike: Strike) -> None:
        """Wait for the end of a strike; not for ever, as what froze may hold a lock meanwhile."""
        until = time.monotonic() + 4 * LEASE
        while strike in self.open and time.monotonic() < until:
            time.sleep(0.3)
            self._settle()

    def _settle(self) -> None:
        """Count the strikes whose jobs were taken back; those that hit nobody happen again."""
        if not self.open:
            return
        now, ends = {hold: end for hold, _, end in self._held()}, {}
        with suppress(AssertionError):
            ends = self._ends()
        for strike in list(self.open):
            # What was on its way to the database as the signal came may still renew a lease.
            strike.leases |= {hold: now[hold] for hold in strike.leases if hold in now}
            if not strike.leases.keys() <= ends.keys():
                continue
            self.open.remove(strike)
            if any(ends[hold][0] in TAKEN for hold in strike.leases):
                self.hits.append(strike)
            else:
                self.faults.insert(0, strike.fault)

    def _supervise(self) -> None:
        """Start again what has died, as systemd or a container engine would."""
        for worker in list(self.site.workers):
            if worker.process.poll() is not None:
                worker.signal(signal.SIGKILL)
                self.site.workers.remove(worker)
                self.site.worker(self.plan.processes)

    def _at_work(self) -> list[int]:
        """List the living processes that hold a job."""
        alive = {pid for worker in self.site.workers for pid in worker.children()}
        return sorted(alive & {pid for _, pid, _ in self._held()})

    def _live(self) -> int:
        with suppress(AssertionError):
            return self.site.do(LIVE)
        return 1  # the database is away: nobody knows, so it is not over

    def _held(self) -> Iterator[tuple[Hold, int, float]]:
        """Give the running jobs: how they are held, by which process, and until when."""
        with suppress(AssertionError):
            for nap, token, pid, end in self.site.do(HELD):
                yield (nap, token), pid, end

    def _ends(self) -> dict[Hold, tuple[str, float]]:
        """Give how each process came to hold its job no longer: the event, and when."""
        ends: dict[Hold, tuple[str, float]] = {}
        for nap, token, event, at in self.site.do(EVENTS):
            if event in ENDS:  # the first one: a job that was taken back may be cancelled later
                ends.setdefault((nap, token), (event, at))
        return ends

    # What is on record when it is over.

    def record(self) -> list[dict[str, Any]]:
        return self.site.do(RECORD)

    def late(self) -> list[Hold]:
        """List the jobs that the first whole sweep after the end of their lease left where they
        were: whatever the machine's load, that sweep has to take them back."""
        taken_at = {hold: at for hold, (event, at) in self._ends().items() if event in TAKEN}
        sweeps = sorted(sweep for sweeps in self._sweeps().values() for sweep in sweeps)
        return [
            hold
            for strike in self.hits
            for hold, end in strike.leases.items()
            if hold in taken_at
            and any(end + TICK < begun and over < taken_at[hold] - TICK for begun, over in sweeps)
        ]

    def pause(self) -> float:
        """Give the seconds from one sweep of a process to its next, typically."""
        begun = [[begin for begin, _ in sweeps] for sweeps in self._sweeps().values()]
        return median(b - a for times in begun for a, b in pairwise(times))

    def _sweeps(self) -> dict[str, list[tuple[float, float]]]:
        """Read what tests/naps/apps.py notes: from when until when each process swept."""
        sweeps = defaultdict(list)
        for line in (self.site.folder / "sweeps.txt").read_text().splitlines():
            pid, begun, over = line.split()
            sweeps[pid].append((float(begun), float(over)))
        return sweeps


def _to_process(pid: int) -> Callable[[signal.Signals], None]:
    def send(number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    return send
