"""Courses and lessons as the API shows them: the pages and details that are asked for most.

Each is written here a second time beside its schema in `lms/schemas.py`, which documents it: row by
row, without model objects. What may be seen is said by the querysets, what may be done by the
policy. `lms/tests/test_queries.py` holds the answers against the schemas.
"""

from collections import defaultdict
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from lms import permissions
from lms.models import Course, Lesson
from people.models import User
from project.common.api.responses import image_address, money
from project.common.db.compiled import (
    VIEWER,
    WANTED,
    Listing,
    Role,
    Row,
    Statement,
    Values,
    placeholder,
    prepared,
    role_of,
    somebody,
    text_placeholder,
)
from project.common.db.search import as_searched

Item = dict[str, Any]

SEARCHED = text_placeholder("searched")
COURSE = (
    "id", "title", "description", "preview", "price", "is_published", "owner_id",
    "owner__first_name", "is_subscribed", "created_at", "updated_at",
)  # fmt: skip
LESSON = (
    "course_id", "id", "title", "description", "preview", "video_url", "price", "position",
    "is_preview", "created_at", "updated_at",
)  # fmt: skip
CATALOG = (
    "id", "title", "description", "preview", "price", "owner_id", "owner__first_name",
    "lessons_count", "is_subscribed", "has_access", "updated_at",
)  # fmt: skip
OUTLINE = ("id", "title", "position", "price", "has_access")


def list_courses(
    user: User, *, search: str, ordering: str, start: int, size: int
) -> tuple[list[Item], int]:
    """A page of the courses in authoring, each with its lessons, and the number of courses."""
    listing = _courses(role_of(user), ordering, is_searched=bool(search))
    part = listing.part(_values(user, search), start=start, size=size)
    return _with_lessons(user, part.rows), part.count


def read_course(user: User, course_id: int) -> Item | None:
    row = _course(role_of(user)).first({VIEWER: user.pk, WANTED: course_id})
    return _with_lessons(user, [row])[0] if row else None


def list_lessons(
    user: User, *, course_id: int | None, start: int, size: int
) -> tuple[list[Item], int]:
    """A page of the lessons in authoring, and the number of lessons."""
    listing = _lessons(role_of(user), in_course=course_id is not None)
    part = listing.part({VIEWER: user.pk, WANTED: course_id}, start=start, size=size)
    return _lesson_items(user, part.rows), part.count


def read_lesson(user: User, lesson_id: int) -> Item | None:
    row = _lesson(role_of(user)).first({VIEWER: user.pk, WANTED: lesson_id})
    return _lesson_items(user, [row])[0] if row else None


def list_catalog(
    user: User,
    *,
    search: str,
    ordering: str,
    free: bool | None,
    mine: bool,
    start: int,
    size: int,
) -> tuple[list[Item], int]:
    """A page of the published courses, and their number."""
    listing = _catalog(role_of(user), ordering, is_searched=bool(search), free=free, mine=mine)
    part = listing.part(_values(user, search), start=start, size=size)
    return [_catalog_item(row) for row in part.rows], part.count


def read_catalog_course(user: User, course_id: int) -> Item | None:
    """A published course with the outline of its lessons."""
    values: Values = {VIEWER: user.pk, WANTED: course_id}
    role = role_of(user)
    row = _catalog_course(role).first(values)
    if row is None:
        return None
    return _catalog_item(row) | {
        "lessons": [_outline_item(one) for one in _outline(role).rows(values)]
    }


def _values(user: User, search: str) -> Values:
    return {VIEWER: user.pk, as_searched(SEARCHED): as_searched(search)}


# --- The statements, one for each shape -------------------------------------------------------


@prepared
def _courses(role: Role, ordering: str, *, is_searched: bool) -> Listing:
    viewer = somebody(role)
    courses = Course.objects.visible_to(viewer).with_is_subscribed(viewer)
    if is_searched:
        courses = courses.matching(SEARCHED)
    return Listing(courses.in_order(ordering), *COURSE)


@prepared
def _course(role: Role) -> Statement:
    viewer = somebody(role)
    courses = Course.objects.visible_to(viewer).with_is_subscribed(viewer)
    return Statement(courses.filter(pk=WANTED).order_by(), *COURSE)


@prepared
def _lessons_of(number: int) -> Statement:
    """Of courses that were found to be visible."""
    of_them = Lesson.objects.filter(course_id__in=[placeholder(i) for i in range(number)])
    return Statement(of_them.order_by("course_id", "position", "id"), *LESSON)


@prepared
def _lessons(role: Role, *, in_course: bool) -> Listing:
    lessons = Lesson.objects.visible_to(somebody(role))
    if in_course:
        lessons = lessons.filter(course_id=WANTED)
    return Listing(lessons.order_by("course_id", "position", "id"), "course__owner_id", *LESSON)


@prepared
def _lesson(role: Role) -> Statement:
    lessons: QuerySet[Lesson] = Lesson.objects.visible_to(somebody(role))
    return Statement(lessons.filter(pk=WANTED).order_by(), "course__owner_id", *LESSON)


@prepared
def _catalog(
    role: Role, ordering: str, *, is_searched: bool, free: bool | None, mine: bool
) -> Listing:
    viewer = somebody(role)
    courses = Course.objects.published()
    if mine:
        courses = courses.open_to(viewer)
    if free is not None:
        courses = courses.free(is_free=free)
    if is_searched:
        courses = courses.matching(SEARCHED)
    return Listing(courses.with_catalog_details(viewer).in_order(ordering), *CATALOG)


@prepared
def _catalog_course(role: Role) -> Statement:
    courses = Course.objects.published().with_catalog_details(somebody(role))
    return Statement(courses.filter(pk=WANTED).order_by(), *CATALOG)


@prepared
def _outline(role: Role) -> Statement:
    lessons = Lesson.objects.with_has_access(somebody(role)).filter(course_id=WANTED)
    return Statement(lessons.order_by("position", "id"), *OUTLINE)


# --- From rows to what the API shows ----------------------------------------------------------


def _with_lessons(user: User, rows: list[Row]) -> list[Item]:
    lessons: defaultdict[int, list[Item]] = defaultdict(list)
    if rows:
        owners = {row[0]: row[6] for row in rows}
        found = _lessons_of(len(rows)).rows({placeholder(i): row[0] for i, row in enumerate(rows)})
        for lesson in _lesson_items(user, [(owners[row[0]], *row) for row in found]):
            lessons[lesson["course_id"]].append(lesson)
    abilities = {
        owner_id: permissions.course_abilities(user, Course(owner_id=owner_id))
        for owner_id in {row[6] for row in rows}
    }
    return [_course_item(row, lessons[row[0]], abilities[row[6]]) for row in rows]


def _course_item(row: Row, lessons: list[Item], abilities: dict[str, bool]) -> Item:
    (
        course_id, title, description, preview, price, is_published, owner_id, first_name,
        is_subscribed, created_at, updated_at,
    ) = row  # fmt: skip
    return {
        "id": course_id,
        "title": title,
        "description": description,
        "preview": image_address(preview),
        "price": money(price),
        "currency": settings.CURRENCY,
        "is_published": is_published,
        "owner": {"id": owner_id, "first_name": first_name or None},
        "lessons_count": len(lessons),
        "lessons": lessons,
        "is_subscribed": is_subscribed,
        "abilities": abilities,
        "created_at": created_at,
        "updated_at": updated_at,
    }


def _lesson_items(user: User, rows: list[Row]) -> list[Item]:
    """From rows that begin with the owner of the course."""
    currency = settings.CURRENCY
    abilities = {
        owner_id: permissions.lesson_abilities(user, Lesson(course=Course(owner_id=owner_id)))
        for owner_id in {row[0] for row in rows}
    }
    return [
        {
            "id": lesson_id,
            "course_id": course_id,
            "title": title,
            "description": description,
            "preview": image_address(preview),
            "video_url": video_url or None,
            "price": None if price is None else money(price),
            "currency": currency,
            "position": position,
            "is_preview": is_preview,
            "abilities": abilities[owner_id],
            "created_at": created_at,
            "updated_at": updated_at,
        }
        for (
            owner_id, course_id, lesson_id, title, description, preview, video_url, price, position,
            is_preview, created_at, updated_at,
        ) in rows
    ]  # fmt: skip


def _catalog_item(row: Row) -> Item:
    (
        course_id, title, description, preview, price, owner_id, first_name, lessons_count,
        is_subscribed, has_access, updated_at,
    ) = row  # fmt: skip
    return {
        "id": course_id,
        "title": title,
        "description": description,
        "preview": image_address(preview),
        "price": money(price),
        "currency": settings.CURRENCY,
        "owner": {"id": owner_id, "first_name": first_name or None},
        "lessons_count": lessons_count,
        "is_subscribed": is_subscribed,
        "has_access": has_access,
        "updated_at": updated_at,
    }


def _outline_item(row: Row) -> Item:
    lesson_id, title, position, price, has_access = row
    return {
        "id": lesson_id,
        "title": title,
        "position": position,
        "price": None if price is None else money(price),
        "has_access": has_access,
    }
