"""The least that writing rows costs: the same rows into the same tables with the same indexes, by
COPY, or by one prepared INSERT in one transaction on SQLite."""

import sqlite3
import time
from itertools import batched
from pathlib import Path

CHUNK = 1024 * 1024


def copy_again(tables: list[str], folder: Path) -> float:
    """Take all rows out of the tables, and return how many seconds it takes to put them back."""
    from django.db import connection  # noqa: PLC0415 - Django is set up by now

    if connection.vendor == "postgresql":
        return _by_copy(tables, folder)
    return _by_insert(tables, folder / "rows.sqlite3")


def _by_copy(tables: list[str], folder: Path) -> float:
    from django.db import connection, transaction  # noqa: PLC0415

    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        for table in tables:
            with (
                (folder / table).open("wb") as file,
                cursor.copy(f"COPY {table} TO STDOUT") as rows,
            ):
                for part in rows:
                    file.write(part)
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        started = time.monotonic()
        with transaction.atomic():
            for table in tables:
                with (
                    (folder / table).open("rb") as file,
                    cursor.copy(f"COPY {table} FROM STDIN") as rows,
                ):
                    while part := file.read(CHUNK):
                        rows.write(part)
    return time.monotonic() - started


def _by_insert(tables: list[str], copy: Path) -> float:
    from django.db import connection  # noqa: PLC0415

    # Django's connection has the functions that the constraints of the tables call.
    connection.ensure_connection()
    database = connection.connection
    source = sqlite3.connect(copy)
    database.execute("ATTACH ? AS kept", [str(copy)])
    for table in tables:
        database.execute(f"CREATE TABLE kept.{table} AS SELECT * FROM {table}")
    for table in reversed(tables):
        database.execute(f"DELETE FROM {table}")
    started = time.monotonic()
    database.execute("BEGIN")
    for table in tables:
        rows = source.execute(f"SELECT * FROM {table}")
        marks = ", ".join("?" for _column in rows.description)
        for some in batched(rows, 10_000, strict=False):
            database.executemany(f"INSERT INTO {table} VALUES ({marks})", some)
    database.execute("COMMIT")
    source.close()
    return time.monotonic() - started
