"""The limit: the measured operations as a bare WSGI application, with hand-written SQL and orjson
on a connection for each thread. Nothing that a framework does is done here; the token is checked,
the account is looked up, and the answers are the application's own (bench/parity.py compares).

`gunicorn -c project/gunicorn.py bench.limit:application`
"""

import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl

import jwt
import orjson
import psycopg

from bench.limit_sql import FOR_POSTGRESQL, FOR_SQLITE, ORDERS, WHOLE
from lms.videos import video_at

Row = tuple[Any, ...]

CURRENCY = os.environ.get("CURRENCY", "RUB")
KEY = os.environ["SECRET_KEY"]
SITE_URL = os.environ.get("SITE_URL", "http://localhost:8000")
SIZE = re.compile(r"-([0-9]+)x([0-9]+)\.webp$")
PAGE_SIZE, LATEST_PAYMENTS = 10, 20
# What the columns of the statements are called.
TEXT = ("description", "description_html")
LESSON = (
    "id", "course_id", "title", "summary", "preview", "video_url", "price", "position",
    "is_preview", "is_published", "created_at", "updated_at",
)  # fmt: skip
COURSE = (
    "id", "title", "summary", "preview", "price", "is_published", "owner_id", "owner",
    "is_subscribed", "created_at", "updated_at",
)  # fmt: skip
CATALOG = (
    "id", "title", "summary", "preview", "price", "owner_id", "owner", "lessons_count",
    "is_subscribed", "has_access", "updated_at",
)  # fmt: skip
PAYMENT = (
    "id", "user_id", "course_id", "lesson_id", "title", "amount", "currency", "method", "status",
    "payment_url", "is_good", "created_at", "paid_at",
)  # fmt: skip
RIGHT = (
    "course_id", "lesson_id", "title", "summary", "preview", "of_id", "of_title", "is_completed",
    "since",
)  # fmt: skip
OF_VIDEO = ("provider", "id", "start", "embed_url")
OUTLINE = ("id", "title", "position", "preview", "is_preview", "is_published", "is_completed")
LEARNT = (
    "id", "course_id", "course", "title", "summary", "preview", "video_url", "position",
    "is_preview", "is_published", "is_completed", "previous_lesson_id", "next_lesson_id",
    "updated_at", *TEXT,
)  # fmt: skip
PROFILE = (
    "id", "email", "first_name", "last_name", "phone", "city", "avatar", "language", "date_joined",
    "last_login",
)  # fmt: skip


class Database:
    """A connection with what differs between the two databases."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.is_sqlite = isinstance(connection, sqlite3.Connection)

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
        rows = self.database.rows(
            self.sql.user, claims["user_id"], claims["version"], claims["family"]
        )
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
    course = course_of(call, row[: len(COURSE)], [lesson_of(call, lesson) for lesson in rows])
    return course | dict(zip(TEXT, row[len(COURSE) :], strict=True))


def list_lessons(call: Call) -> Any:
    course_id = int(call.query["course_id"])
    ((count, owner_id),) = call.database.rows(call.sql.count_lessons_of_one, course_id)
    if not call.sees_all and owner_id != call.user_id:
        return paged(call, [], 0)
    rows = call.database.rows(call.sql.lessons_of_one, course_id, *call.window)
    return paged(call, [lesson_of(call, row) for row in rows], count)


def lesson_of(call: Call, row: Row) -> dict[str, Any]:
    *values, owner_id = row
    lesson = shown(LESSON, values)
    may_delete = call.is_superuser or (owner_id == call.user_id and not call.sees_all)
    lesson["abilities"] = {"update": True, "delete": may_delete}
    return lesson


def course_of(call: Call, row: Row, lessons: list[dict[str, Any]]) -> dict[str, Any]:
    may_delete = call.is_superuser or (row[6] == call.user_id and not call.sees_all)
    course = shown(COURSE, row)
    course["lessons"], course["lessons_count"] = lessons, len(lessons)
    may_copy = call.is_superuser or not call.sees_all
    course["abilities"] = {
        "update": True, "delete": may_delete, "add_lesson": may_delete, "copy": may_copy,
    }  # fmt: skip
    return owned(course)


def owned(course: dict[str, Any]) -> dict[str, Any]:
    course["owner"] = {"id": course.pop("owner_id"), "first_name": course.pop("owner") or None}
    course["is_subscribed"] = bool(course["is_subscribed"])
    return course


def shown(names: tuple[str, ...], row: Sequence[Any]) -> dict[str, Any]:
    """A row of courses or lessons with what needs another form, where it has that."""
    found = dict(zip(names, row, strict=True))
    found["preview"] = picture_of(found["preview"], 480)
    if "price" in found:
        found["price"] = None if found["price"] is None else f"{found['price']:.2f}"
        found["currency"] = CURRENCY
    for name in found.keys() & {"is_preview", "is_published", "is_completed"}:
        found[name] = bool(found[name])
    if "video_url" in found:
        video = video_at(found["video_url"])
        found["video"] = video and {name: getattr(video, name) for name in OF_VIDEO}
        found["video_url"] = found["video_url"] or None
    return found


def picture_of(name: str, small: int) -> dict[str, Any] | None:
    if not (size := SIZE.search(name)):
        return None
    width, height = int(size[1]), int(size[2])
    address = f"{SITE_URL}/media/{name}"
    thumbnail = address.replace(size[0], "-thumbnail.webp")
    return {
        "url": address,
        "width": width,
        "height": height,
        "thumbnail": thumbnail if max(width, height) > small else address,
    }


def search_catalog(call: Call) -> Any:
    word, user = call.query["search"].lower(), call.user_id
    needle = f'"{word}"' if call.database.is_sqlite else f"%{word}%"
    ((count,),) = call.database.rows(call.sql.count_catalog, needle)
    rows = call.database.rows(call.sql.catalog, user, user, needle, *call.window)
    items = [owned(shown(CATALOG, row)) for row in rows]
    for item in items:
        item["has_access"] = (
            call.sees_all or item["owner"]["id"] == user or bool(item["has_access"])
        )
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
    payment = dict(zip(PAYMENT, row, strict=True))
    is_open = payment.pop("is_good") and payment["status"] == "pending"
    payment["payment_url"] = (payment["payment_url"] or None) if is_open else None
    payment["amount"] = f"{payment['amount']:.2f}"
    return payment


def progress_of(done: list[tuple[int, bool]]) -> dict[str, Any]:
    """Of lessons in order, each with whether it is completed."""
    completed, total = sum(is_done for _id, is_done in done), len(done)
    percent = completed * 100 // total if total else 0
    return {
        "progress": {"completed": completed, "total": total, "percent": percent},
        "next_lesson_id": next((lesson_id for lesson_id, is_done in done if not is_done), None),
    }


def list_learning(call: Call) -> Any:
    ((count,),) = call.database.rows(call.sql.count_rights, call.user_id)
    rows = call.database.rows(call.sql.rights, call.user_id, *call.window)
    done: dict[int, list[tuple[int, bool]]] = {row[0]: [] for row in rows if row[0]}
    courses = call.database.many(list(done))
    for course_id, lesson_id, is_done in call.database.rows(
        call.sql.done_in, call.user_id, courses
    ):
        done[course_id].append((lesson_id, bool(is_done)))
    items = []
    for row in rows:
        item = shown(RIGHT, row)
        is_completed = item.pop("is_completed")
        of_lesson = {"id": item.pop("of_id"), "title": item.pop("of_title")}
        if item["course_id"]:
            item["course"] = {"id": item["course_id"], "title": item["title"]}
            item |= progress_of(done[item["course_id"]])
        else:
            item["course"] = of_lesson
            item |= progress_of([(item["lesson_id"], is_completed)])
        items.append(item)
    return paged(call, items, count)


def read_learning_course(call: Call, course_id: str) -> Any:
    """For who has the whole course."""
    row = call.database.row(call.sql.learnt_course, call.user_id, int(course_id))
    rows = call.database.rows(call.sql.outline, call.user_id, row[0])
    lessons = [shown(OUTLINE, lesson) | {"has_access": True} for lesson in rows]
    course = shown(("id", "title", "summary", "preview"), row) | {"lessons": lessons}
    return course | progress_of([(one["id"], one["is_completed"]) for one in lessons])


def read_learning_lesson(call: Call, lesson_id: str) -> Any:
    """The same; of a single lesson the neighbours would not be open."""
    user = call.user_id
    row = call.database.row(call.sql.learnt_lesson, user, user, int(lesson_id))
    lesson = shown(LEARNT, row)
    lesson["course"] = {"id": lesson["course_id"], "title": lesson.pop("course")}
    return lesson


def read_profile(call: Call) -> Any:
    row = call.database.row(call.sql.profile, call.user_id)
    condition = f"{WHOLE} AND p.payer_id = " + ("?" if call.database.is_sqlite else "%s")
    statement = call.sql.count_payments.format(conditions=condition)
    ((count,),) = call.database.rows(statement, call.user_id)
    statement = call.sql.payments.format(conditions=condition, order=ORDERS["-created_at"])
    payments = call.database.rows(statement, call.user_id, LATEST_PAYMENTS, 0)
    profile = {name: value or None for name, value in zip(PROFILE, row, strict=True)}
    profile["avatar"] = picture_of(row[6], 96)
    profile["is_moderator"] = call.sees_all and not call.is_superuser
    profile["payments"] = [payment_of(payment) for payment in payments]
    return profile | {"payments_count": count}


def list_subscriptions(call: Call) -> Any:
    user = call.user_id
    ((count,),) = call.database.rows(call.sql.count_subscriptions, user, user)
    rows = call.database.rows(call.sql.subscriptions, user, user, *call.window)
    items = [{"course_id": row[0], "title": row[1], "since": row[2]} for row in rows]
    return paged(call, items, count)


LISTS = {
    "courses": list_courses,
    "lessons": list_lessons,
    "catalog/courses": search_catalog,
    "payments": list_payments,
    "learning/courses": list_learning,
    "users/me": read_profile,
    "subscriptions": list_subscriptions,
}
DETAILS = {
    "courses": read_course,
    "learning/courses": read_learning_course,
    "learning/lessons": read_learning_lesson,
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
    path = environ["PATH_INFO"].removeprefix("/api/v1/")
    if path in LISTS:
        return LISTS[path](call)
    kind, _slash, number = path.rpartition("/")
    if kind in DETAILS:
        return DETAILS[kind](call, number)
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
