"""Many rows of a model by one statement: copies of a model row, with what differs as SQL."""

from typing import Any

# Counts from %(first)s to %(last)s.
NUMBERS = {
    "postgresql": "SELECT n FROM generate_series({first}, {last}) AS n",
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers "
    "WHERE n < {last}) SELECT n FROM numbers",
}
MOMENTS = {
    "postgresql": "to_timestamp({seconds})",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', {seconds}, 'unixepoch')",
}
UUIDS = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}
PADDED = {"postgresql": "lpad((n)::text, 7, '0')", "sqlite": "printf('%07d', n)"}


def multiply(template: Any, first: int, last: int, **different: str) -> None:
    """Add rows for the numbers from `first` to `last`. `template` is a row that was saved; a column
    that is in `different` gets the value of that SQL, which knows the number as `n`."""
    from django.db import connection  # noqa: PLC0415 - Django is set up by now

    model = type(template)
    columns = [field.column for field in model._meta.concrete_fields if not field.primary_key]
    values = ", ".join(different.get(column, f"template.{column}") for column in columns)
    numbers = NUMBERS[connection.vendor].format(first=first, last=last)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} "
            f"FROM {table} template CROSS JOIN ({numbers}) numbers WHERE template.id = {template.pk}"
        )


def moment(seconds: str) -> str:
    """SQL for the moment so many seconds after 1970."""
    from django.db import connection  # noqa: PLC0415

    return MOMENTS[connection.vendor].format(seconds=seconds)


def uuid() -> str:
    from django.db import connection  # noqa: PLC0415

    return UUIDS[connection.vendor]


def padded() -> str:
    """SQL for the number as seven digits."""
    from django.db import connection  # noqa: PLC0415

    return PADDED[connection.vendor]
