"""Between some tests Django empties all tables, which the guards of history would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.db import connection, transaction
from django.db.backends.base.operations import BaseDatabaseOperations

empty = BaseDatabaseOperations.execute_sql_flush


@contextmanager
def without_triggers() -> Iterator[None]:
    """Let ``flush`` empty every table, until the block ends."""
    with patch.object(BaseDatabaseOperations, "execute_sql_flush", _empty):
        yield


def _empty(operations: Any, statements: list[str]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")
            empty(operations, statements)
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
        empty(operations, statements)
        for _, sql in triggers:
            cursor.execute(sql)
