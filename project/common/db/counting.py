"""How many rows a list has: exactly up to COUNTED, about so many above.

Above, PostgreSQL's planner is asked; SQLite has none that could tell, and counts. An estimate is kept
for a while, as it would not change.
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Count, Model, QuerySet, Subquery, Value

type Parameters = Sequence[Any]

COUNTED = 10_000
ESTIMATE_SECONDS = 60.0
ESTIMATES_KEPT = 1000
# By database, statement and values: until when it holds, and the number.
_estimates: dict[tuple[object, ...], tuple[float, int]] = {}


def number_of(rows: QuerySet[Model], each: str = "*") -> Subquery:
    """How many rows a subquery has, or how many values of `each`; for an annotation."""
    # Grouped by a constant, which Django leaves out of the statement: one number for all.
    grouped = rows.order_by().annotate(all=Value(1)).values("all")
    return Subquery(grouped.annotate(number=Count(each, distinct=each != "*")).values("number"))


def count_rows(queryset: QuerySet[Model]) -> int:
    """How many rows the queryset has."""
    try:
        return count_of(*_keys_of(queryset), connection.cursor)
    except EmptyResultSet:
        return 0


def count_of(
    sql: str,
    parameters: Parameters,
    open_cursor: Callable[[], AbstractContextManager[CursorWrapper]],
) -> int:
    """How many rows the statement finds."""
    on_postgresql = connection.vendor == "postgresql"
    key = (connection.settings_dict["NAME"], sql, repr(parameters))
    if (known := _estimates.get(key)) and known[0] > time.monotonic():
        return known[1]
    limit = f" LIMIT {COUNTED + 1}" if on_postgresql else ""
    with open_cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM ({sql}{limit}) listed", parameters)  # noqa: S608
        count: int = cursor.fetchone()[0]
    if not limit or count <= COUNTED:
        return count
    estimate = max(_planned(sql, parameters), count)
    if len(_estimates) >= ESTIMATES_KEPT:
        _estimates.clear()
    _estimates[key] = (time.monotonic() + ESTIMATE_SECONDS, estimate)
    return estimate


def planned_rows(queryset: QuerySet[Model]) -> int:
    """How many rows PostgreSQL's planner expects of a queryset: about so many, in no time."""
    try:
        return _planned(*_keys_of(queryset))
    except EmptyResultSet:
        return 0


def _keys_of(queryset: QuerySet[Model]) -> tuple[str, Parameters]:
    return queryset.order_by().values_list("pk").query.sql_with_params()


def _planned(sql: str, parameters: Parameters) -> int:
    # Values in the text: PostgreSQL explains no statement with parameters.
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
        plan = cursor.fetchone()[0]
    plans = json.loads(plan) if isinstance(plan, str) else plan
    return int(plans[0]["Plan"]["Plan Rows"])
