"""Whether what is done is done in one transaction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg
from django.db import DatabaseError, connection

WRITES = ("INSERT", "UPDATE", "DELETE", "COPY")
STEPS = ("SAVEPOINT", "RELEASE", "ROLLBACK")


@contextmanager
def watched(*, failing: int = 0) -> Iterator[list[tuple[str, object]]]:
    """Note each statement with the transaction that it is in; fail the so manieth that writes."""
    depth = len(connection.atomic_blocks)
    noted: list[tuple[str, object]] = []

    def note(execute: Any, sql: str, *others: Any) -> Any:
        if not sql.startswith(STEPS):
            noted.append((sql, next(iter(connection.atomic_blocks[depth:]), None)))
        if sql.startswith(WRITES) and number_of_writes(noted) == failing:
            raise DatabaseError("The disk is full.")
        return execute(sql, *others)

    copy = psycopg.Cursor.copy

    def copy_noted(cursor: Any, statement: str, *others: Any) -> Any:
        # Django's wrapper of statements does not see it.
        return note(lambda *given: copy(cursor, *given), statement, *others)

    with (
        connection.execute_wrapper(note),
        patch.object(psycopg.Cursor, "copy", copy_noted),
    ):
        yield noted


def number_of_writes(noted: list[tuple[str, object]]) -> int:
    return sum(sql.startswith(WRITES) for sql, _block in noted)


def assert_one_transaction(act: Callable[[], object]) -> None:
    """It writes, and all that it reads and writes is in one transaction of its own."""
    with watched() as noted:
        act()
    assert number_of_writes(noted)
    first = noted[0][1]
    assert first is not None
    assert [sql for sql, block in noted if block is not first] == []
