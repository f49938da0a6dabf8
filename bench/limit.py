"""The limit: the measured operations as a bare WSGI application, with hand-written SQL and orjson
on a connection for each thread. Nothing that a framework does is done here; the token is checked,
the account is looked up, and the answers are the application's own (bench/parity.py compares).

`gunicorn -c project/gunicorn.py bench.limit:application`
"""

import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl

import jwt
import orjson
import psycopg

from bench.limit_sql import FOR_POSTGRESQL, FOR_SQLITE, ORDERS, WHOLE

Row = tuple[Any, ...]

CURRENCY = os.environ.get("CURRENCY", "RUB")
KEY = os.environ["SECRET_KEY"]
PAGE_SIZE = 10


class Database:
    """A connection with what differs between the two databases."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.is_sqlite = isinstance(connection, sqlite3.Connection)
        if self.is_sqlite:
            connection.create_function("has", 2, lambda text, word: word.lower() in text.lower())

    def rows(self, statement: str, *values: Any) -> list[Row]:
        found: list[Row] = self.connection.execute(statement, values).fetchall()
        return found

    def row(self, statement: str, *values: Any) -> Row:
        found = self.rows(statement, *values)
        if not found:
            raise Problem(404)
        return found[0]

    def many(self, values: list[int]) -> Any:
        return orjson.dumps(values).decode() if self.is_sqlite else values


class Problem(Exception):
    """Carries the status of the answer."""


@dataclass(slots=True)
class Call:
    database: Database
    sql: Any
    environ: dict[str, Any]
    query: dict[str, str]
    user_id: int = 0
    sees_all: bool = False
    is_superuser: bool = False

    @property
    def page(self) -> int:
        return int(self.query.get("page", "1"))

    @property
    def window(self) -> tuple[int, int]:
        return PAGE_SIZE, (self.page - 1) * PAGE_SIZE

    def authenticate(self) -> None:
        header = self.environ.get("HTTP_AUTHORIZATION", "")
        try:
            claims = jwt.decode(header.removeprefix("Bearer "), KEY, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            raise Problem(401) from None
        rows = self.database.rows(self.sql.user, claims["user_id"], claims["version"])
        if claims["token_type"] != "access" or not rows:  # noqa: S105 - a kind of token
            raise Problem(401)
        [row] = rows
        self.user_id, self.is_superuser = row[0], bool(row[1])
        self.sees_all = self.is_superuser or bool(row[2])


def paged(call: Call, items: list[dict[str, Any]], count: int) -> dict[str, Any]:
    return {
        "items": items,
        "count": count,
        "page": call.page,
        "page_size": PAGE_SIZE,
        "pages": -(-count // PAGE_SIZE),
    }


def list_courses(call: Call) -> Any:
    if call.sees_all:
        ((count,),) = call.database.rows(call.sql.count_courses)
        rows = call.database.rows(call.sql.courses, call.user_id, *call.window)
    else:
        user = call.user_id
        ((count,),) = call.database.rows(call.sql.count_own_courses, user)
        rows = call.database.rows(call.sql.own_courses, user, user, *call.window)
    identities = call.database.many([row[0] for row in rows])
    lessons: dict[int, list[dict[str, Any]]] = {row[0]: [] for row in rows}
    for row in call.database.rows(call.sql.lessons_of, identities):
        lessons[row[1]].append(lesson_of(call, row))
    return paged(call, [course_of(call, row, lessons[row[0]]) for row in rows], count)


def read_course(call: Call, course_id: str) -> Any:
    row = call.database.row(call.sql.course, call.user_id, int(course_id))
    if not call.sees_all and row[6] != call.user_id:
        raise Problem(404)
    rows = call.database.rows(call.sql.lessons_of, call.database.many([row[0]]))
    return course_of(call, row, [lesson_of(call, lesson) for lesson in rows])


def list_lessons(call: Call) -> Any:
    course_id = int(call.query["course_id"])
    ((count, owner_id),) = call.database.rows(call.sql.count_lessons_of_one, course_id)
    if not call.sees_all and owner_id != call.user_id:
        return paged(call, [], 0)
    rows = call.database.rows(call.sql.lessons_of_one, course_id, *call.window)
    return paged(call, [lesson_of(call, row) for row in rows], count)


def lesson_of(call: Call, row: Row) -> dict[str, Any]:
    may_delete = call.is_superuser or (row[11] == call.user_id and not call.sees_all)
    return {
        "id": row[0],
        "course_id": row[1],
        "title": row[2],
        "description": row[3],
        "preview": f"/media/{row[4]}" if row[4] else None,
        "video_url": row[5] or None,
        "price": None if row[6] is None else f"{row[6]:.2f}",
        "currency": CURRENCY,
        "position": row[7],
        "is_preview": bool(row[8]),
        "abilities": {"update": True, "delete": may_delete},
        "created_at": row[9],
        "updated_at": row[10],
    }


def course_of(call: Call, row: Row, lessons: list[dict[str, Any]]) -> dict[str, Any]:
    may_delete = call.is_superuser or (row[6] == call.user_id and not call.sees_all)
    return {
        "id": row[0],
        "title": row[1],
        "description": row[2],
        "preview": f"/media/{row[3]}" if row[3] else None,
        "price": f"{row[4]:.2f}",
        "currency": CURRENCY,
        "is_published": bool(row[5]),
        "owner": {"id": row[6], "first_name": row[7] or None},
        "lessons_count": len(lessons),
        "lessons": lessons,
        "is_subscribed": bool(row[8]),
        "abilities": {"update": True, "delete": may_delete, "add_lesson": may_delete},
        "created_at": row[9],
        "updated_at": row[10],
    }


def search_catalog(call: Call) -> Any:
    needle, user = call.query["search"], call.user_id
    if not call.database.is_sqlite:
        needle = "%" + re.sub(r"([%_\\])", r"\\\1", needle) + "%"
    ((count,),) = call.database.rows(call.sql.count_catalog, needle, needle)
    rows = call.database.rows(call.sql.catalog, user, user, needle, needle, *call.window)
    items = [
        {
            "id": row[0],
            "title": row[1],
            "description": row[2],
            "preview": f"/media/{row[3]}" if row[3] else None,
            "price": f"{row[4]:.2f}",
            "currency": CURRENCY,
            "owner": {"id": row[5], "first_name": row[6] or None},
            "lessons_count": row[7],
            "is_subscribed": bool(row[8]),
            "has_access": call.sees_all or row[5] == user or bool(row[9]),
            "updated_at": row[10],
        }
        for row in rows
    ]
    return paged(call, items, count)


def list_payments(call: Call) -> Any:
    conditions: list[str] = [WHOLE]
    values: list[Any] = []
    if not call.is_superuser:
        conditions.append("p.payer_id = %s")
        values.append(call.user_id)
    for name in ("method", "status"):
        if name in call.query:
            conditions.append(f"p.{name} = %s")
            values.append(call.query[name])
    condition = " AND ".join(conditions)
    if call.database.is_sqlite:
        condition = condition.replace("%s", "?")
    order = ORDERS[call.query.get("ordering", "-paid_at")]
    statement = call.sql.count_payments.format(conditions=condition)
    ((count,),) = call.database.rows(statement, *values)
    statement = call.sql.payments.format(conditions=condition, order=order)
    rows = call.database.rows(statement, *values, *call.window)
    return paged(call, [payment_of(row) for row in rows], count)


def payment_of(row: Row) -> dict[str, Any]:
    return {
        "id": row[0],
        "user_id": row[1],
        "course_id": row[2],
        "lesson_id": row[3],
        "title": row[4],
        "amount": f"{row[5]:.2f}",
        "currency": row[6],
        "method": row[7],
        "status": row[8],
        "payment_url": row[9] if row[8] == "pending" and row[9] and row[10] else None,
        "created_at": row[11],
        "paid_at": row[12],
    }


_local = threading.local()


def connect(url: str) -> Any:
    if not url.startswith("sqlite"):
        return psycopg.connect(url, autocommit=True, options="-c TimeZone=UTC")
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), 20, isolation_level=None)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def own_database() -> Database:
    """The connection of this thread."""
    if not hasattr(_local, "database"):
        _local.database = Database(connect(os.environ["DATABASE_URL"]))
    return cast("Database", _local.database)


def answer(environ: dict[str, Any]) -> Any:
    database = own_database()
    sql = FOR_SQLITE if database.is_sqlite else FOR_POSTGRESQL
    call = Call(database, sql, environ, dict(parse_qsl(environ.get("QUERY_STRING", ""))))
    call.authenticate()
    match environ["PATH_INFO"].removeprefix("/api/v1/").split("/"):
        case ["courses"]:
            return list_courses(call)
        case ["courses", course_id]:
            return read_course(call, course_id)
        case ["lessons"]:
            return list_lessons(call)
        case ["catalog", "courses"]:
            return search_catalog(call)
        case ["payments"]:
            return list_payments(call)
    raise Problem(404)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    try:
        status, content = 200, answer(environ)
    except Problem as problem:
        status, content = problem.args[0], None
    body = orjson.dumps(content)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]
