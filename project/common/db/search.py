"""Searching text as people expect it: words in any order and letter case; and finding few among many."""

import unicodedata
from collections.abc import Collection, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Exists, F, Lookup, Model, OuterRef, Q, QuerySet, TextField
from django.db.models.expressions import Col
from django.db.models.lookups import IContains
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.where import WhereNode

from project.common.db.counting import planned_rows
from project.common.db.searched import SearchedField, normalised, search_table
from project.common.mailboxes import readable

if TYPE_CHECKING:
    _Lookup = Lookup[list[int]]
    _TextLookup = Lookup[list[str]]
else:
    _Lookup = _TextLookup = Lookup

# Up to so many hits are found first and put in order afterwards, unless they are more than one row of
# so many; SOME are found first in any case.
FEW = 20_000
SOME = 1_000
MANY_PARTS = 20
# Of a search only so much is looked for: nobody types more, and each word is a condition.
MOST_WORDS = 8
LONGEST_WORD = 100
# The indexes know no shorter words.
SHORTEST_INDEXED = 3


def contains(text: str, *fields: str) -> Q:
    """Match rows with each word of `text` in one of the fields, as a part of a longer word too."""
    words = words_of(text)
    condition = Q()
    # In one field all of them are found at once.
    for looked_for in [words] if len(fields) == 1 and words else [[word] for word in words]:
        condition &= reduce(or_, (Q(**{f"{field}__has_words": looked_for}) for field in fields))
    return condition


def words_of(text: str) -> list[str]:
    """The words that are searched for, the longest first; few enough for one query."""
    composed = unicodedata.normalize("NFC", readable(text.replace("\0", " ")))
    words = {word[:LONGEST_WORD] for word in composed.split()}
    return sorted(words, key=lambda word: (-len(word), word))[:MOST_WORDS]


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


@CharField.register_lookup
@TextField.register_lookup
class _HasWords(_TextLookup):
    """The words as they are, whatever the letter case, of which SQLite knows that of Latin letters
    only: for codes and numbers."""

    lookup_name = "has_words"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        each: list[Any] = [IContains(self.lhs, word) for word in self.rhs]
        return WhereNode(each).as_sql(compiler, connection)


@SearchedField.register_lookup
class _HasNormalisedWords(_TextLookup):
    """The words in their normalised form, by the index: of trigrams on PostgreSQL, of FTS5 on
    SQLite."""

    lookup_name = "has_words"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        column, _none = self.process_lhs(compiler, connection)
        parameters = as_searched(self.rhs)
        return f"({' AND '.join([f'{column} LIKE %s'] * len(parameters))})", parameters

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        column, _none = self.process_lhs(compiler, connection)
        parameters = as_searched(self.rhs)
        conditions = [f"instr({column}, %s) > 0"] * len(parameters)
        if any(map(is_indexed, self.rhs)):
            model, quote = self.lhs.target.model, connection.ops.quote_name
            key, _none = compiler.compile(Col(self.lhs.alias, model._meta.pk))
            table, indexed = quote(search_table(model)), quote(self.lhs.target.column)
            found = f"SELECT rowid FROM {table} WHERE {indexed} MATCH %s"  # noqa: S608
            conditions[0] = f"{key} IN ({found})"
        return f"({' AND '.join(conditions)})", parameters


def as_searched(words: Sequence[str]) -> list[str]:
    """The parameters that a search for these words in a SearchedField gives to the database."""
    words = [normalised(word) for word in words]
    if _on_postgresql():
        return [f"%{connection.ops.prep_for_like_query(word)}%" for word in words]
    # FTS5 takes the rarest of its words first, and no longer for several than for that one.
    quoted = ['"{}"'.format(word.replace('"', '""')) for word in words if is_indexed(word)]
    others = [word for word in words if not is_indexed(word)]
    return [" ".join(quoted), *others] if quoted else others


def is_indexed(word: str) -> bool:
    """Whether a search for it in a SearchedField uses the index."""
    return len(normalised(word)) >= SHORTEST_INDEXED


def _on_postgresql() -> bool:
    return connection.vendor == "postgresql"
