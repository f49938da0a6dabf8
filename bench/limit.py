"""The limit: the measured operations as a bare WSGI application, with hand-written SQL and orjson
on a connection for each thread. Nothing that a framework does is done here; the token is checked,
the account is looked up, and the answers are the application's own (bench/parity.py compares).

`gunicorn -c project/gunicorn.py bench.limit:application`
"""

import os
import re
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import jwt
import orjson
import psycopg
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type, verify_secret

from bench.limit_sql import FOR_POSTGRESQL, FOR_SQLITE, ORDERS, WHOLE

Row = tuple[Any, ...]
Answer = tuple[int, Any]

CURRENCY = os.environ.get("CURRENCY", "RUB")
PAGE_SIZE = 10


class Database:
    """A connection with what differs between the two databases."""

    def __init__(self, connection: Any, *, is_sqlite: bool) -> None:
        self.connection = connection
        self.is_sqlite = is_sqlite
        self.queries = 0
        if is_sqlite:
            connection.create_function("has", 2, _has, deterministic=True)

    def rows(self, statement: str, *values: Any) -> list[Row]:
        self.queries += 1
        if self.is_sqlite:
            found = self.connection.execute(statement, values).fetchall()
        else:
            found = self.connection.cursor().execute(statement, values).fetchall()
        return found  # type: ignore[no-any-return]

    def row(self, statement: str, *values: Any) -> Row:
        found = self.rows(statement, *values)
        if not found:
            raise NotFound
        return found[0]

    def many(self, values: list[int]) -> Any:
        return orjson.dumps(values).decode() if self.is_sqlite else values

    def moment(self, value: datetime) -> Any:
        return str(value.replace(tzinfo=None)) if self.is_sqlite else value


def _has(text: str, needle: str) -> bool:
    return needle.lower() in text.lower()


class NotFound(Exception):
    pass


class Unknown(Exception):
    pass


# --- Requests -----------------------------------------------------------------------------------


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

    def body(self) -> Any:
        length = int(self.environ["CONTENT_LENGTH"])
        return orjson.loads(self.environ["wsgi.input"].read(length))

    def authenticate(self) -> None:
        header = self.environ.get("HTTP_AUTHORIZATION", "")
        try:
            claims = jwt.decode(header.removeprefix("Bearer "), _key(), algorithms=["HS256"])
            if claims["token_type"] != "access":  # noqa: S105 - a kind of token
                raise Unknown
            row = self.database.row(self.sql.user, claims["user_id"], claims["version"])
        except (jwt.InvalidTokenError, NotFound):
            raise Unknown from None
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


def list_courses(call: Call) -> Answer:
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
    return 200, paged(call, [course_of(call, row, lessons[row[0]]) for row in rows], count)


def read_course(call: Call, course_id: str) -> Answer:
    row = call.database.row(call.sql.course, call.user_id, int(course_id))
    if not call.sees_all and row[6] != call.user_id:
        raise NotFound
    rows = call.database.rows(call.sql.lessons_of, call.database.many([row[0]]))
    return 200, course_of(call, row, [lesson_of(call, lesson) for lesson in rows])


def list_lessons(call: Call) -> Answer:
    course_id = int(call.query["course_id"])
    ((count, owner_id),) = call.database.rows(call.sql.count_lessons_of_one, course_id)
    if not call.sees_all and owner_id != call.user_id:
        return 200, paged(call, [], 0)
    rows = call.database.rows(call.sql.lessons_of_one, course_id, *call.window)
    return 200, paged(call, [lesson_of(call, row) for row in rows], count)


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


def search_catalog(call: Call) -> Answer:
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
    return 200, paged(call, items, count)


def list_payments(call: Call) -> Answer:
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
    now = call.database.moment(datetime.now(UTC))
    statement = call.sql.payments.format(conditions=condition, order=order)
    rows = call.database.rows(statement, now, *values, *call.window)
    return 200, paged(call, [payment_of(row) for row in rows], count)


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


def subscribe(call: Call, course_id: str) -> Answer:
    course, user, now = int(course_id), call.user_id, datetime.now(UTC)
    call.database.row(call.sql.subscribable, course, user)
    created = call.database.rows(call.sql.subscribe, user, course, call.database.moment(now))
    return 201 if created else 200, {"course_id": course, "is_subscribed": True}


def log_in(call: Call) -> Answer:
    sent = call.body()
    user_id, password, version = call.database.row(call.sql.account, sent["email"].lower())
    encoded = password.removeprefix("argon2").encode()
    try:
        verify_secret(encoded, sent["password"].encode(), Type.ID)
    except VerifyMismatchError:
        raise Unknown from None
    now = datetime.now(UTC)
    moment = call.database.moment
    call.database.row(call.sql.log_in, moment(now), user_id, version)
    jti, until = uuid.uuid4().hex, now + timedelta(days=14)
    claims = {"user_id": user_id, "version": version, "iat": now}
    refresh = jwt.encode(
        claims | {"token_type": "refresh", "jti": jti, "exp": until}, _key(), "HS256"
    )
    access = jwt.encode(
        claims
        | {"token_type": "access", "jti": uuid.uuid4().hex, "exp": now + timedelta(minutes=15)},
        _key(),
        "HS256",
    )
    call.database.row(call.sql.token, user_id, jti, refresh, moment(now), moment(until))
    return 200, {"access": access, "refresh": refresh}


# --- The application ----------------------------------------------------------------------------

PREFIX = "/api/v1/"
FIXED: dict[tuple[str, str], Callable[[Call], Answer]] = {
    ("GET", "courses"): list_courses,
    ("GET", "lessons"): list_lessons,
    ("GET", "catalog/courses"): search_catalog,
    ("GET", "payments"): list_payments,
}
_local = threading.local()


def _key() -> str:
    return os.environ["SECRET_KEY"]


def use(connection: Any, *, is_sqlite: bool) -> Database:
    """Let this thread work on a connection of somebody else's."""
    _local.database = Database(connection, is_sqlite=is_sqlite)
    database: Database = _local.database
    return database


def forget() -> None:
    """Let this thread connect anew at its next request."""
    del _local.database


def own_database() -> Database:
    """The connection of this thread."""
    database: Database | None = getattr(_local, "database", None)
    if database is None:
        url = os.environ["DATABASE_URL"]
        if url.startswith("sqlite"):
            connection = sqlite3.connect(url.removeprefix("sqlite:///"), 20, isolation_level=None)
            connection.execute("PRAGMA synchronous=NORMAL")
            return use(connection, is_sqlite=True)
        options = "-c TimeZone=UTC"
        return use(psycopg.connect(url, autocommit=True, options=options), is_sqlite=False)
    return database


def _answer(environ: dict[str, Any]) -> Answer:
    database = own_database()
    sql = FOR_SQLITE if database.is_sqlite else FOR_POSTGRESQL
    path = environ["PATH_INFO"].removeprefix(PREFIX)
    call = Call(database, sql, environ, dict(parse_qsl(environ.get("QUERY_STRING", ""))))
    if path == "auth/token":
        return log_in(call)
    call.authenticate()
    operation = FIXED.get((environ["REQUEST_METHOD"], path))
    if operation is not None:
        return operation(call)
    match path.split("/"):
        case ["courses", course_id]:
            return read_course(call, course_id)
        case ["courses", course_id, "subscription"]:
            return subscribe(call, course_id)
    raise NotFound


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    try:
        status, content = _answer(environ)
    except NotFound:
        status, content = 404, {"code": "not_found"}
    except Unknown:
        status, content = 401, {"code": "not_authenticated"}
    body = orjson.dumps(content)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]
