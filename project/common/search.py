"""Searching text as people expect it: any letter case, in Russian too."""

import re
from functools import reduce
from operator import or_
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

# Up to so many hits are found first and put in order afterwards.
FEW = 10_000


def contains(text: str, *fields: str) -> Q:
    """Match rows with `text` in one of the fields. SQLite's LIKE knows the case of Latin letters
    only, its REGEXP (Python's) of all."""
    lookup, value = ("iregex", re.escape(text)) if _on_sqlite() else ("icontains", text)
    condition = Q()
    for field in fields:
        condition |= Q(**{f"{field}__{lookup}": value})
    return condition


def find[R: QuerySet[Any]](rows: R, *conditions: Q, by: str = "") -> R:
    """The `rows` that meet one of the conditions.

    Asked for the first page of an ordered list, PostgreSQL reads the whole list in its order, hoping
    to meet hits soon; where they are few, it reads a million rows for nothing. So the hits of each
    condition are looked up first, by its own index (`by` names the order that the index has, where
    the planner would not take it by itself), and the list is asked for these. Of a condition with
    many hits, the first page is soon full.
    """
    found: set[Any] = set()
    for condition in conditions:
        met = rows.filter(condition)
        keys = keys_of_few(met.order_by(by) if by else met.order_by())
        if keys is None:
            return rows.filter(reduce(or_, conditions))
        found.update(keys)
    return rows.filter(pk__in=found)


def keys_of_few(rows: QuerySet[Any]) -> list[Any] | None:
    """The keys of the rows; None if they are not FEW, or if they are on SQLite, which takes its
    indexes without being led to them."""
    if connection.vendor != "postgresql":
        return None
    keys = list(rows.values_list("pk", flat=True)[: FEW + 1])
    return keys if len(keys) <= FEW else None


def as_searched(text: str) -> str:
    """The parameter that `contains` gives to the database for `text`."""
    if _on_sqlite():
        return re.escape(text)
    return f"%{connection.ops.prep_for_like_query(text)}%"


def _on_sqlite() -> bool:
    return connection.vendor == "sqlite"
