"""Rounds of checking: one snapshot of the database, and a bounded part of what it holds.

A full check reads every row that there ever was. A round reads what changed since the last round
that found nothing wrong, and the next ``PART`` rows of each table in the order of their keys, so
that all of history is read again in (rows / PART) rounds, and a round takes as long in ten years as
today. The places are kept in ``Checked`` and move on only when a round found nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connection, models, transaction
from django.db.models import Q

from modalities.models import Checked

PART = 2000
# A transaction that was open at the last round may have begun this long before it.
MARGIN = timedelta(hours=1)
BATCH = 500
CLOCK = "clean since"

Row = TypeVar("Row", bound=models.Model)


class Round:
    """Where the checks of one round begin, and how far they came."""

    def __init__(self) -> None:
        kept = dict(Checked.objects.values_list("name", "place"))
        self.since = datetime.fromisoformat(kept[CLOCK]) - MARGIN if CLOCK in kept else None
        self.places = kept
        self.reached: dict[str, str] = {CLOCK: _now().isoformat()}

    def due(
        self, name: str, rows: models.QuerySet[Row], changed: Callable[[datetime], Q]
    ) -> Iterator[Row]:
        """Give the rows of this round; ``changed``: those that may differ since a time."""
        if self.since is None:
            yield from rows.iterator(BATCH)
            return
        seen = set()
        part = rows.order_by("pk")
        if place := self.places.get(name):
            part = part.filter(pk__gt=place)
        for row in part[:PART]:
            seen.add(row.pk)
            yield row
        self.reached[name] = str(max(seen)) if len(seen) == PART else ""
        for row in rows.filter(changed(self.since)).iterator(BATCH):
            if row.pk not in seen:
                yield row

    def keep(self) -> None:
        """Note that nothing was wrong; the next round goes on from here."""
        for name, place in self.reached.items():
            Checked.objects.update_or_create(name=name, defaults={"place": place})


_round: ContextVar[Round | None] = ContextVar("round", default=None)


def due(name: str, rows: models.QuerySet[Row], changed: Callable[[datetime], Q]) -> Iterator[Row]:
    """Give the rows that a check has to look at: those of the round, or all outside of one."""
    current = _round.get()
    return current.due(name, rows, changed) if current else rows.iterator(BATCH)


@contextmanager
def entered(current: Round | None) -> Iterator[None]:
    """Let checks within the block look at the rows of this round."""
    token = _round.set(current)
    try:
        yield
    finally:
        _round.reset(token)


@contextmanager
def snapshot() -> Iterator[None]:
    """Let everything in the block read one state of the database, and write nothing.

    PostgreSQL: REPEATABLE READ. SQLite: a deferred transaction, which in WAL mode reads one state
    and lets others write; the usual one (IMMEDIATE) would keep them waiting. Within a transaction,
    as in tests, it is that one's.
    """
    if connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    mode: Any = getattr(connection, "transaction_mode", None)
    if connection.vendor == "sqlite":
        connection.transaction_mode = "DEFERRED"  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    finally:
        if connection.vendor == "sqlite":
            connection.transaction_mode = mode  # type: ignore[attr-defined]


def _now() -> datetime:
    """Ask the database for the time: it is what rows carry."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        found = cursor.fetchone()[0]
    return found if isinstance(found, datetime) else datetime.fromisoformat(f"{found}+00:00")
