"""Writing many rows of a model without model objects: by COPY, or by one prepared INSERT on SQLite.

Django's `bulk_create` takes several times as long as the database to write a row. What only
`full_clean` knows is passed by, here as there; the database's constraints hold. All of it happens in
a transaction of the caller.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import connection, models

# Of SQLite's cache while many rows are written, in KiB; with its usual 2 MiB it writes each page of
# an index over and over.
LARGE_CACHE = 64 * 1024


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
    model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Write rows with a value for each of the columns, named by the fields' `attname`; what is not
    among them gets the default of its field."""
    fields: dict[str, Any] = {field.attname: field for field in model._meta.concrete_fields}
    given = [fields.pop(name) for name in columns]
    others = [field for field in fields.values() if not field.primary_key]
    filled = ([*row, *(field.get_default() for field in others)] for row in rows)
    quote = connection.ops.quote_name
    names = [quote(field.column) for field in [*given, *others]]
    table = f"{quote(model._meta.db_table)} ({', '.join(names)})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f"COPY {table} FROM STDIN") as to:
                for row in filled:
                    to.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(names))
            statement = f"INSERT INTO {table} VALUES ({marks})"  # noqa: S608
            cursor.executemany(statement, _as_kept([*given, *others], filled))


def insert_selected(
    model: type[models.Model], columns: Mapping[str, Any], rows: models.QuerySet[Any]
) -> int:
    """Write a row with these columns, by expressions over the rows, for each of the rows, in one
    statement; what is there already stays as it is. Returns the number of new ones."""
    aliases = {f"new_{name}": value for name, value in columns.items()}
    select, parameters = rows.annotate(**aliases).values_list(*aliases).query.sql_with_params()
    table = connection.ops.quote_name(model._meta.db_table)
    statement = (
        f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - names of our own columns
        f"SELECT * FROM ({select}) AS selected WHERE TRUE ON CONFLICT DO NOTHING"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)


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


def _as_kept(fields: Sequence[object], rows: Iterable[list[object]]) -> Any:
    """The rows as SQLite keeps them; the way through `get_db_prep_save` takes thrice as long."""
    converters: dict[int, Callable[[Any], object]] = {}
    for index, field in enumerate(fields):
        match field:
            case models.DateTimeField():
                converters[index] = connection.ops.adapt_datetimefield_value
            case models.DecimalField(max_digits=digits, decimal_places=places):
                converters[index] = partial(
                    connection.ops.adapt_decimalfield_value,
                    max_digits=digits,
                    decimal_places=places,
                )
            case models.UUIDField():
                converters[index] = lambda value: value and value.hex
    for row in rows:
        for index, convert in converters.items():
            row[index] = convert(row[index])
        yield row
