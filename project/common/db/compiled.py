"""Querysets that are compiled to SQL once, and run with other values each time.

Django takes longer to compile the query of a page than the database to answer it. A queryset is
built once for each shape of a request (role, ordering, which filters there are) with placeholders
where values belong; a request only fills these in. What may be seen stays where it is: in the
methods of the querysets. Rows are plain tuples, with values as a model would have them.

Only what is fixed for the life of the process may shape such a queryset: the code, the settings, and
the arguments of the function that builds it. Anything else that a rule looks at would be answered
once, for everybody. So, while a queryset is built, it is an error to read of a person what is not in
their role, to ask the database, or to leave a moment or a day among the values. Not noticed is a rule
that compares the time by itself, or takes a text in the language of the moment.

PostgreSQL too plans such a statement once for each connection, not for each request.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from django.contrib.auth import get_user_model
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import DEFERRED, FETCH_RAISE, QuerySet
from django.db.models.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

Row = tuple[Any, ...]
Values = Mapping[int | str, Any]
Converter = Callable[[Any, Any, Any], Any]
Estimates = dict[tuple[Any, ...], tuple[float, int]]

# Up to here a list is counted exactly; above, PostgreSQL's planner is asked (SQLite has none that
# could tell, and counts). An estimate is kept for a while, as it would not change.
COUNTED = 10_000
ESTIMATE_SECONDS = 60.0
ESTIMATES_KEPT = 1000
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


VIEWER = placeholder(0)
WANTED = placeholder(1)


class Role(NamedTuple):
    """What of a person decides about the shape of a query."""

    is_superuser: bool
    is_moderator: bool


def role_of(user: Any) -> Role:
    return Role(bool(user.is_superuser), bool(user.is_moderator))


def somebody(role: Role) -> Any:
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


def prepared[**P, R](build: Callable[P, R]) -> "_lru_cache_wrapper[R]":
    """Keep what the function builds for each shape."""

    @lru_cache(maxsize=1024)
    @wraps(build)
    def build_alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with connection.execute_wrapper(_refuse_questions):
            return build(*args, **kwargs)

    return build_alone


def _refuse_questions(execute: Any, sql: str, *rest: Any) -> NoReturn:
    msg = f"Asked while a statement was being built: {sql}"
    raise NotFixed(msg)


class Statement:
    """One SELECT of the given columns of a queryset. Raises NotFixed if it holds a moment or a day."""

    def __init__(self, queryset: QuerySet[Any], *columns: str, tail: str = "") -> None:
        compiler = queryset.values_list(*columns).query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        if any(map(_tells_time, parameters)):
            msg = f"The time is among the values of {sql}"
            raise NotFixed(msg)
        self.sql = sql + tail
        self.parameters = list(parameters)
        self.slots = [
            (index, value) for index, value in enumerate(parameters) if _is_placeholder(value)
        ]
        self.converters = _converters(compiler)

    def rows(self, values: Values, *more: int) -> list[Row]:
        """Run it with these values for the placeholders, and `more` for those of the tail."""
        parameters = self._filled(values)
        if parameters is None:
            return []
        with _binding_cursor() as cursor:
            cursor.execute(self.sql, [*parameters, *more])
            rows: list[Row] = cursor.fetchall()
        return [self._converted(row) for row in rows] if self.converters else rows

    def first(self, values: Values) -> Row | None:
        rows = self.rows(values)
        return rows[0] if rows else None

    def _filled(self, values: Values) -> list[Any] | None:
        """None if one of the values is greater than any integer of a database: no row has it."""
        parameters = self.parameters.copy()
        for index, slot in self.slots:
            value = parameters[index] = values[slot]
            if isinstance(value, int) and value > GREATEST_INTEGER:
                return None
        return parameters

    def _converted(self, row: Row) -> Row:
        values = list(row)
        for index, convert, expression in self.converters:
            values[index] = convert(values[index], expression, connection)
        return tuple(values)


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a listing, and how many there are in all."""

    rows: list[Row]
    count: int


class Listing:
    """Pages of an ordered queryset, with the number of its rows."""

    def __init__(self, queryset: QuerySet[Any], *columns: str) -> None:
        self.page = Statement(queryset, *columns, tail=" LIMIT %s OFFSET %s")
        self.all = Statement(queryset.order_by(), "pk")
        self.estimates: Estimates = {}

    def part(self, values: Values, *, start: int, size: int) -> Part:
        rows, count = read_page(
            lambda: self.page.rows(values, size, start),
            lambda: self.count(values),
            start=start,
            size=size,
        )
        return Part(rows, count)

    def count(self, values: Values) -> int:
        """How many rows there are: exactly up to COUNTED, about so many above."""
        parameters = self.all._filled(values)  # noqa: SLF001 - both are of this module
        if parameters is None:
            return 0
        key = (connection.settings_dict["NAME"], *parameters)
        return _count(self.all.sql, parameters, self.estimates, key, _binding_cursor)


def read_page[R](
    read: Callable[[], list[R]], count: Callable[[], int], *, start: int, size: int
) -> tuple[list[R], int]:
    """The rows of a page and the number of all. A first page that is not full is all there is:
    counting would search once more for what was just found."""
    if start:
        number = count()
        return (read() if start < number else []), number
    rows = read()
    return rows, len(rows) if len(rows) < size else count()


def count_rows(queryset: QuerySet[Any]) -> int:
    """How many rows a queryset has that is built for one request: exactly up to COUNTED, about so
    many above."""
    try:
        sql, parameters = queryset.order_by().values_list("pk").query.sql_with_params()
    except EmptyResultSet:
        return 0
    key = (connection.settings_dict["NAME"], sql, repr(parameters))
    return _count(sql, list(parameters), _estimates, key, connection.cursor)


_estimates: Estimates = {}


def _count(
    sql: str,
    parameters: list[Any],
    estimates: Estimates,
    key: tuple[Any, ...],
    open_cursor: Callable[[], Any],
) -> int:
    on_postgresql = connection.vendor == "postgresql"
    if on_postgresql and (known := estimates.get(key)) and known[0] > time.monotonic():
        return known[1]
    limit = f" LIMIT {COUNTED + 1}" if on_postgresql else ""
    with open_cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM ({sql}{limit}) listed", parameters)  # noqa: S608
        count: int = cursor.fetchone()[0]
    if not limit or count <= COUNTED:
        return count
    estimate = max(_planned(sql, parameters), count)
    if len(estimates) >= ESTIMATES_KEPT:
        estimates.clear()
    estimates[key] = (time.monotonic() + ESTIMATE_SECONDS, estimate)
    return estimate


def planned_rows(queryset: QuerySet[Any]) -> int:
    """How many rows PostgreSQL's planner expects of a queryset: about so many, in no time."""
    try:
        return _planned(*queryset.order_by().values_list("pk").query.sql_with_params())
    except EmptyResultSet:
        return 0


def _planned(sql: str, parameters: Sequence[Any]) -> int:
    # Values in the text: PostgreSQL explains no statement with parameters.
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
        plan = cursor.fetchone()[0]
    plans = json.loads(plan) if isinstance(plan, str) else plan
    return int(plans[0]["Plan"]["Plan Rows"])


@contextmanager
def _binding_cursor() -> Iterator[Any]:
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


def _is_placeholder(value: object) -> bool:
    if isinstance(value, str):
        return MARK in value
    return isinstance(value, int) and 0 <= value - FIRST_PLACEHOLDER < MOST_PLACEHOLDERS


def _tells_time(value: object) -> bool:
    """SQLite is given times as text."""
    return isinstance(value, date) or (isinstance(value, str) and bool(DAY.match(value)))


def _converters(compiler: SQLCompiler) -> list[tuple[int, Converter, Any]]:
    """What makes Python's values of the database's, by column; PostgreSQL's driver does it all."""
    expressions = [selected[0] for selected in compiler.select]
    return [
        (index, converter, expression)
        for index, (converters, expression) in compiler.get_converters(expressions).items()
        for converter in converters
    ]
