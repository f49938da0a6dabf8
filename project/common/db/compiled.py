"""Querysets that are compiled to SQL once, and run with other values each time.

Django takes longer to compile the query of a page than the database to answer it. A queryset is
built once for each shape of a request (role, ordering, which filters there are) with placeholders
where values belong; a request only fills these in. What may be seen stays where it is: in the
methods of the querysets. Rows are dicts, as those of `QuerySet.values`.

Only what is fixed for the life of the process may shape such a queryset: the code, the settings, and
the arguments of the function that builds it. Anything else that a rule looks at would be answered
once, for everybody. So, while a queryset is built, it is an error to read of a person what is not in
their role, to ask the database, or to leave a moment or a day among the values. Not noticed is a rule
that compares the time by itself, or takes a text in the language of the moment.

PostgreSQL too plans such a statement once for each connection, not for each request.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import EmptyResultSet, ObjectDoesNotExist
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import DEFERRED, FETCH_RAISE, Model, QuerySet

from project.common.db.counting import count_of

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

Row = dict[str, Any]
Values = Mapping[int | str, object]

GREATEST_INTEGER = 2**63 - 1
FIRST_PLACEHOLDER = 0x7E000000
# More placeholders than any query has.
MOST_PLACEHOLDERS = 1000
MARK = "\uf8ff"  # a letter of nobody's alphabet
DAY = re.compile(r"\d{4}-\d\d-\d\d")


def placeholder(number: int) -> int:
    """A whole number that stands for a value to come."""
    return FIRST_PLACEHOLDER + number


def text_placeholder(name: str) -> str:
    """A text that stands for one to come."""
    return f"{MARK}{name}{MARK}"


def short_placeholder(number: int) -> str:
    """The same, of two letters."""
    return f"{MARK}{number}"


VIEWER = placeholder(0)
WANTED = placeholder(1)
# A UUID that stands for one to come; both are given by their 32 digits.
KEY = UUID(int=FIRST_PLACEHOLDER).hex


class Role(NamedTuple):
    """What of a person decides about the shape of a query."""

    is_superuser: bool
    is_moderator: bool


def role_of(user: Any) -> Role:
    return Role(bool(user.is_superuser), bool(user.is_moderator))


def placeholder_user(role: Role) -> Any:
    """A person of this role with VIEWER for an id, to build querysets for. Everything else about them
    is unknown: reading it raises FieldFetchBlocked, for a default would decide for all."""
    model = get_user_model()
    known = {model._meta.pk.attname: VIEWER, "is_superuser": role.is_superuser}
    columns = [field.attname for field in model._meta.concrete_fields]
    values = [known.get(name, DEFERRED) for name in columns]
    user: Any = model.from_db(connection.alias, columns, values, fetch_mode=FETCH_RAISE)
    user.is_moderator = role.is_moderator
    return user


class NotFixed(Exception):
    """What would be compiled depends on something that changes."""


def compiled_once[**P, R](build: Callable[P, R]) -> "_lru_cache_wrapper[R]":
    """Keep what the function compiles for each shape, that is, for each set of arguments."""

    def refuse(execute: object, sql: str, *rest: object) -> NoReturn:
        msg = f"Asked while a query was being compiled: {sql}"
        raise NotFixed(msg)

    @lru_cache(maxsize=1024)
    @wraps(build)
    def build_alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with connection.execute_wrapper(refuse):
            return build(*args, **kwargs)

    return build_alone


class CompiledQuery:
    """The given columns of a queryset. Raises NotFixed if it holds a moment or a day."""

    def __init__(self, queryset: QuerySet[Model], *columns: str, tail: str = "") -> None:
        compiler = queryset.values_list(*columns).query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        for value in parameters:
            # SQLite is given times as text.
            if isinstance(value, date) or (isinstance(value, str) and DAY.match(value)):
                msg = f"The time is among the values of {sql}"
                raise NotFixed(msg)
        self.columns = columns
        self.sql = sql + tail
        # SQLite knows no UUID, and PostgreSQL takes its digits.
        self.parameters = [one.hex if isinstance(one, UUID) else one for one in parameters]
        placeholders = range(FIRST_PLACEHOLDER, FIRST_PLACEHOLDER + MOST_PLACEHOLDERS)
        self.slots = [
            (index, value)
            for index, value in enumerate(self.parameters)
            if (MARK in value or value == KEY if isinstance(value, str) else value in placeholders)
        ]
        # What makes Python's values of the database's; PostgreSQL's driver does it all.
        expressions = [selected[0] for selected in compiler.select]
        self.converters = [
            (columns[index], converter, expression)
            for index, (converters, expression) in compiler.get_converters(expressions).items()
            for converter in converters
        ]

    def rows(self, values: Values, *more: int) -> list[Row]:
        """Run it with these values for the placeholders, and `more` for those of the tail."""
        try:
            parameters = [*self.fill_in(values), *more]
        except EmptyResultSet:
            return []
        with binding_cursor() as cursor:
            cursor.execute(self.sql, parameters)
            rows = [dict(zip(self.columns, row, strict=True)) for row in cursor.fetchall()]
        for name, convert, expression in self.converters:
            for row in rows:
                row[name] = convert(row[name], expression, connection)
        return rows

    def get(self, values: Values) -> Row:
        """The only row. Raises ObjectDoesNotExist."""
        for row in self.rows(values):
            return row
        raise ObjectDoesNotExist

    def fill_in(self, values: Values) -> list[Any]:
        """The parameters. Raises EmptyResultSet if one of the values is greater than any integer of a
        database: no row has it."""
        parameters = self.parameters.copy()
        for index, slot in self.slots:
            value = parameters[index] = values[slot]
            if isinstance(value, int) and value > GREATEST_INTEGER:
                raise EmptyResultSet
        return parameters


class CompiledList:
    """An ordered queryset: its pages, the number of its rows, and the one with the key WANTED, which
    has the columns `details` besides."""

    def __init__(
        self, queryset: QuerySet[Model], *columns: str, details: Sequence[str] = ()
    ) -> None:
        self.page = CompiledQuery(queryset, *columns, tail=" LIMIT %s OFFSET %s")
        self.keys = CompiledQuery(queryset.order_by(), "pk")
        self.one = CompiledQuery(queryset.filter(pk=WANTED).order_by(), *columns, *details)


@dataclass(frozen=True, slots=True)
class RowList:
    """A compiled list with its values, counted and sliced like a queryset. `complete` adds to the
    rows of a page what is not in them."""

    query: CompiledList
    values: Values
    complete: Callable[[list[Row]], list[Row]]

    def count(self) -> int:
        keys = self.query.keys
        try:
            return count_of(keys.sql, keys.fill_in(self.values), binding_cursor)
        except EmptyResultSet:
            return 0

    def __getitem__(self, part: slice) -> list[Row]:
        start = part.start or 0
        rows = self.query.page.rows(self.values, part.stop - start, start)
        return self.complete(rows)


@contextmanager
def binding_cursor() -> Iterator[CursorWrapper]:
    """Django's cursor; on PostgreSQL one that sends statement and values apart.

    Only of such statements does the driver make prepared ones, from `prepare_threshold` runs on.
    Django has an option for it (`server_side_binding`) that would hold for every query: those that
    the ORM writes anew each time would each be prepared in vain.
    """
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            yield cursor
        return
    backend: Any = connection
    backend.ensure_connection()
    native = backend.connection
    usual = native.cursor_factory
    native.cursor_factory = backend.Database.Cursor
    try:
        cursor = backend.cursor()
    finally:
        native.cursor_factory = usual
    with cursor:
        yield cursor
