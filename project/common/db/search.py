"""Searching text as people expect it: any letter case, in Russian too; and finding few among many."""

import re
from collections.abc import Collection
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Exists, F, Lookup, Model, OuterRef, Q, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from project.common.db.counting import planned_rows

if TYPE_CHECKING:
    _Lookup = Lookup[list[int]]
else:
    _Lookup = Lookup

# Up to so many hits are found first and put in order afterwards, unless they are more than one row of
# so many; SOME are found first in any case.
FEW = 20_000
SOME = 1_000
MANY_PARTS = 20


def contains(text: str, *fields: str) -> Q:
    """Match rows with `text` in one of the fields. SQLite's LIKE knows the case of Latin letters
    only, its REGEXP (Python's) of all."""
    lookup, value = ("iregex", re.escape(text)) if _on_sqlite() else ("icontains", text)
    condition = Q()
    for field in fields:
        condition |= Q(**{f"{field}__{lookup}": value})
    return condition


def find[R: QuerySet[Model]](
    rows: R, *conditions: Q, by: str = "", of: "Owners | None" = None
) -> R:
    """The `rows` that meet one of the conditions, or belong to one of the owners.

    Asked for the first page of an ordered list, PostgreSQL reads the whole list in its order, hoping
    to meet hits soon; where they are few, it reads a million rows for nothing. So the hits of each
    condition are looked up first, by its own index (`by` names the order that the index has, where
    the planner would not take it by itself), and the list is asked for these. Of a condition with
    many hits, the first page is soon full.
    """
    if of is not None:
        conditions = (*conditions, of.condition)
    met_by_any: R = rows.filter(reduce(or_, conditions))
    if not _on_postgresql() or (of is not None and of.are_many):
        return met_by_any
    most = planned_rows(rows) // MANY_PARTS
    found: set[int] = set()
    for condition in conditions:
        met = rows.filter(condition)
        keys = keys_of_few(met.order_by(by) if by else met.order_by(), most=most)
        if keys is None:
            return met_by_any
        found.update(keys)
    return rows.filter(among("pk", found))


def keys_of_few(rows: QuerySet[Model], *, most: int | None = None) -> list[int] | None:
    """The keys of the rows. None if they are more than FEW, or if the planner, where it can tell,
    expects more than `most`. None on SQLite too, which takes its indexes without being led to
    them."""
    if not _on_postgresql():
        return None
    if most is not None and planned_rows(rows) > max(most, SOME):
        return None
    keys = list(rows.values_list("pk", flat=True)[: FEW + 1])
    return keys if len(keys) <= FEW else None


def among(field: str, keys: Collection[int]) -> Q:
    """Match rows whose `field`, a key, is one of those that `keys_of_few` found."""
    return Q(_EqualsAny(F(field), sorted(keys)))


class Owners:
    """The rows to which others belong by their foreign key `field`."""

    def __init__(self, field: str, rows: QuerySet[Model]) -> None:
        keys = keys_of_few(rows.order_by(), most=FEW)
        # What belongs to each of many would take long to look up; as many rows as that are met soon.
        self.are_many = keys is None or len(keys) > SOME
        self.condition = (
            Q(Exists(rows.filter(pk=OuterRef(field)))) if keys is None else among(field, keys)
        )


class _EqualsAny(_Lookup):
    """PostgreSQL's `= ANY`: the keys are one parameter, where IN has as many as there are keys, and
    takes five times as long with ten thousand. Of the column's own type, or each row would be
    compared with every key."""

    prepare_rhs = False

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[str | int, ...]]:
        column, parameters = self.process_lhs(compiler, connection)
        kind = self.lhs.output_field.rel_db_type(connection)
        keys = "{" + ",".join(map(str, self.rhs)) + "}"
        return f"{column} = ANY(%s::{kind}[])", (*parameters, keys)


def as_searched(text: str) -> str:
    """The parameter that `contains` gives to the database for `text`."""
    if _on_sqlite():
        return re.escape(text)
    return f"%{connection.ops.prep_for_like_query(text)}%"


def _on_sqlite() -> bool:
    return connection.vendor == "sqlite"


def _on_postgresql() -> bool:
    return connection.vendor == "postgresql"
