"""Writing many rows of a model without model objects: by COPY, or by one prepared INSERT on SQLite.

Django's `bulk_create` takes several times as long as the database to write a row. What only
`full_clean` knows is passed by, here as there; the database's constraints hold. All of it happens in
a transaction of the caller.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import connection, models

# Of SQLite's cache while many rows are written, in KiB; with its usual 2 MiB it writes each page of
# an index over and over.
LARGE_CACHE = 64 * 1024
Converter = Callable[[Any], Any]


@contextmanager
def many_writes() -> Iterator[None]:
    """Give the database what it needs for a transaction that writes very many rows."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size")
        (usual,) = cursor.fetchone()
        cursor.execute(f"PRAGMA cache_size = -{LARGE_CACHE}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA cache_size = {usual}")


def insert_rows(
    model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Write rows with a value for each of the columns, named by the fields' `attname`; what is not
    among them gets the default of its field."""
    fields: dict[str, Any] = {field.attname: field for field in model._meta.concrete_fields}
    given = [fields.pop(name) for name in columns]
    others = [field for field in fields.values() if not field.primary_key]
    filled = ([*row, *(field.get_default() for field in others)] for row in rows)
    quote = connection.ops.quote_name
    names = ", ".join(quote(field.column) for field in [*given, *others])
    table = f"{quote(model._meta.db_table)} ({names})"
    if connection.vendor == "postgresql":
        _copy(table, filled)
    else:
        _insert(table, [*given, *others], filled)


def reserve_ids(model: type[models.Model], count: int) -> list[int]:
    """Return ids for as many new rows, which nobody else gets: on SQLite because nobody else writes
    before this transaction ends, so use them before reserving more."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [table, count],
            )
            return [number for (number,) in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        (last,) = cursor.fetchone() or (0,)
    return list(range(last + 1, last + count + 1))


def _copy(table: str, rows: Iterable[Sequence[Any]]) -> None:
    statement = f"COPY {table} FROM STDIN"
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(statement) as to,
    ):
        for row in rows:
            to.write_row(row)


def _insert(table: str, fields: Sequence[Any], rows: Iterable[list[Any]]) -> None:
    converted = [
        (index, converter)
        for index, field in enumerate(fields)
        if (converter := _converter(field)) is not None
    ]

    def as_kept(row: list[Any]) -> list[Any]:
        for index, convert in converted:
            row[index] = convert(row[index])
        return row

    marks = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        kept: Any = map(as_kept, rows)
        cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", kept)  # noqa: S608


def _converter(field: Any) -> Converter | None:
    """What SQLite keeps in another form than Python; the way through the field takes thrice as
    long."""
    match field:
        case models.DateTimeField():
            return connection.ops.adapt_datetimefield_value
        case models.DecimalField():
            return partial(
                connection.ops.adapt_decimalfield_value,
                max_digits=field.max_digits,
                decimal_places=field.decimal_places,
            )
        case models.UUIDField():
            return lambda value: value and value.hex
    return None
