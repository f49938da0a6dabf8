"""What people do at the same moment, in threads that meet for certain."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from threading import Barrier, Thread
from typing import Any

from django.db import connection, connections, models, transaction
from django.db.backends.utils import CursorWrapper

from project.tests.processes import wait_until

# Whoever takes longer waits for something that never comes.
LIMIT = 60


class Runner(Thread):
    """Does one thing over a connection of its own, and keeps what came of it."""

    def __init__(self, act: Callable[[], Any], start: Barrier | None = None) -> None:
        super().__init__(daemon=True)
        self.act = act
        self.start_line = start
        self.backend: int | None = None
        self.outcome: Any = None

    def run(self) -> None:
        try:
            self._connect()
            if self.start_line:
                self.start_line.wait(LIMIT)
            self.outcome = self.act()
        except Exception as error:  # noqa: BLE001 - it is for the test to judge
            self.outcome = error
        finally:
            connections.close_all()

    def _connect(self) -> None:
        connection.ensure_connection()
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Or what waits for ever keeps the next test from emptying the tables.
                cursor.execute("SELECT set_config('statement_timeout', %s, FALSE)", [f"{LIMIT}s"])
                cursor.execute("SELECT pg_backend_pid()")
                (self.backend,) = cursor.fetchone()

    def stands_still(self, cursor: CursorWrapper) -> bool:
        """Whether it has ended, or waits for a lock of the database."""
        if not self.is_alive():
            return True
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", [self.backend]
        )
        return bool(cursor.fetchone()[0])


def at_once(
    *acts: Callable[[], Any],
    before_writing: type[models.Model] | None = None,
    refused: tuple[type[Exception], ...] = (),
) -> list[Any]:
    """Do all of it at the same time; return what each came to, in order. An exception is an outcome
    if it is of a kind in `refused`; of any other the test fails.

    A start at the same time is no meeting yet. With `before_writing` each act begins when the one
    before it has ended or stands still, and on PostgreSQL nobody can write to this table until all
    have begun: what an act decides by without a lock, it has read by then, and that is out of date
    when it writes. SQLite has one writer at a time and can't tell who waits: there all start at once.
    """
    together = before_writing is None or connection.vendor != "postgresql"
    line = Barrier(len(acts)) if together else None
    runners = [Runner(act, line) for act in acts]
    with ExitStack() as stack:
        cursor = None if before_writing is None or together else _hold(stack, before_writing)
        for runner in runners:
            runner.start()
            if cursor:
                wait_until(partial(runner.stands_still, cursor), LIMIT, pause=0.005)
    for runner in runners:
        runner.join(LIMIT)
        assert not runner.is_alive(), "it waits for something that never comes"
    outcomes = [runner.outcome for runner in runners]
    faults = [it for it in outcomes if isinstance(it, Exception) and not isinstance(it, refused)]
    if faults:
        raise ExceptionGroup("at once", faults)
    return outcomes


def _hold(stack: ExitStack, model: type[models.Model]) -> CursorWrapper:
    """Let others read the table and lock its rows, but not write to it, until the stack ends."""
    stack.enter_context(transaction.atomic())
    cursor = stack.enter_context(connection.cursor())
    table = connection.ops.quote_name(model._meta.db_table)
    cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
    return cursor


def meanwhile(
    first: Callable[[], Any], second: Callable[[], Any], then: Callable[[], Any] = lambda: None
) -> tuple[Any, Any, bool]:
    """Do the second thing while the first one is not committed yet; that comes when the second one
    waits for it, or is done. `then` is done in the first transaction, at that moment. Return what
    the first one returned, what the second one returned or raised, and whether it waited.
    PostgreSQL only: on SQLite everybody waits for whoever writes."""
    other = Runner(second)
    with transaction.atomic(), connection.cursor() as cursor:
        done = first()
        other.start()
        wait_until(partial(other.stands_still, cursor), pause=0.005)
        waited = other.is_alive()
        then()
    other.join(LIMIT)
    return done, other.outcome, waited


def elsewhere[T](call: Callable[[], T]) -> T:
    """Call something over another connection to the database, which waits for no lock longer than a
    second (on PostgreSQL); return what it returned."""

    def run() -> T:
        try:
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '1s'")
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def statuses(answers: list[Any]) -> Counter[int]:
    """How many of the answers of the API have each status."""
    return Counter(answer.status_code for answer in answers)
