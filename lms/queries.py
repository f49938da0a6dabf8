"""Courses and lessons as the API shows them: the pages and details that are asked for most.

Their queries are compiled once (`project/common/db/compiled.py`). What may be seen is said by the
querysets, what may be done by the policy; `lms/schemas/` writes the rows. What is shown and is no
column is added to the rows here.
"""

from collections.abc import Sequence
from functools import partial

from django.conf import settings

from lms import permissions
from lms.models import Access, Course, Lesson, Subscription
from lms.models.access import Progress
from people.current_user import NOBODY
from people.models import User
from project.common.db.compiled import (
    VIEWER,
    WANTED,
    CompiledList,
    CompiledQuery,
    Role,
    Row,
    RowList,
    Values,
    compiled_once,
    placeholder,
    placeholder_user,
    role_of,
    short_placeholder,
    text_placeholder,
)
from project.common.db.search import as_searched, is_indexed, words_of

# What is shown of a row but not in lists.
DETAILS = ("description", "description_html")
COURSE = (
    "id", "title", "summary", "preview", "price", "is_published", "owner_id",
    "owner__first_name", "is_subscribed", "created_at", "updated_at",
)  # fmt: skip
LESSON = (
    "id", "course_id", "title", "summary", "preview", "video_url", "price", "position",
    "is_preview", "is_published", "created_at", "updated_at",
)  # fmt: skip
CATALOG = (
    "id", "title", "summary", "preview", "price", "owner_id", "owner__first_name",
    "lessons_count", "is_subscribed", "has_access", "updated_at",
)  # fmt: skip
OUTLINE = ("id", "title", "position", "price", "has_access")
SUBSCRIPTION = ("course_id", "course__title", "created_at", "course_mails")
RIGHT = (
    "course_id", "course__title", "course__summary", "course__preview", "lesson_id",
    "lesson__title", "lesson__summary", "lesson__preview", "lesson__course_id",
    "lesson__course__title", "is_completed", "created_at",
)  # fmt: skip
PROGRESS = ("lessons_completed", "lessons_total", "next_lesson_id")
LEARNING_COURSE = ("id", "title", "summary", "preview", "price", "is_open_in_part", *PROGRESS)
LEARNING_OUTLINE = (
    "id", "title", "position", "preview", "is_preview", "is_published", "has_access",
    "is_completed",
)  # fmt: skip
LEARNING_LESSON = (
    "id", "course_id", "course__title", "course__price", "title", "summary", *DETAILS, "preview",
    "video_url", "position", "is_preview", "is_published", "has_access", "is_completed",
    "previous_lesson_id", "next_lesson_id", "updated_at",
)  # fmt: skip
# The first placeholder for the courses of a page.
FIRST_COURSE = 2


def list_courses(user: User, *, search: str, ordering: str) -> RowList:
    """The courses in authoring, each with its lessons."""
    values = _values(user, search)
    courses = _courses(role_of(user), ordering, search=_shape(search))
    return RowList(courses, values, partial(_with_lessons, user))


def read_course(user: User, course_id: int) -> Row:
    """A course in authoring with its lessons. Raises DoesNotExist."""
    course = _courses(role_of(user)).one.get({VIEWER: user.pk, WANTED: course_id})
    return _with_lessons(user, [course])[0]


def list_lessons(user: User, *, course_id: int | None) -> RowList:
    """The lessons in authoring."""
    lessons = _lessons(role_of(user), in_course=course_id is not None)
    return RowList(lessons, {VIEWER: user.pk, WANTED: course_id}, partial(_with_abilities, user))


def read_lesson(user: User, lesson_id: int) -> Row:
    """A lesson in authoring. Raises DoesNotExist."""
    lesson = _lessons(role_of(user)).one.get({VIEWER: user.pk, WANTED: lesson_id})
    return _with_abilities(user, [lesson])[0]


def list_catalog(
    user: User, *, search: str, ordering: str, free: bool | None, mine: bool
) -> RowList:
    """The published courses."""
    courses = _catalog(role_of(user), ordering, search=_shape(search), free=free, mine=mine)
    return RowList(courses, _values(user, search), _with_owners)


def read_catalog_course(user: User, course_id: int) -> Row:
    """A published course with the outline of its lessons. Raises DoesNotExist."""
    values: Values = {VIEWER: user.pk, WANTED: course_id}
    role = role_of(user)
    course = _with_owners([_catalog(role).one.get(values)])[0]
    lessons = _outline(role).rows(values)
    if user.pk == NOBODY:  # to learn even a preview lesson, one has to be somebody
        lessons = [lesson | {"has_access": False} for lesson in lessons]
    return course | {"lessons": lessons}


def list_subscriptions(user: User) -> RowList:
    """Courses whose updates this person hears of."""
    return RowList(_subscriptions(role_of(user)), {VIEWER: user.pk}, list)


def read_subscription(user: User, course_id: int) -> Row:
    """Own subscription to a course. Raises DoesNotExist."""
    return _subscription(role_of(user)).get({VIEWER: user.pk, WANTED: course_id})


def list_learning(user: User) -> RowList:
    """What this person has a right to learn, with the progress."""
    return RowList(_rights(role_of(user)), {VIEWER: user.pk}, partial(_with_progress, user))


def read_learning_course(user: User, course_id: int) -> Row:
    """A course this person may know of, with the outline for its learner; `is_open_in_part` says
    whether they are one. Raises DoesNotExist."""
    values: Values = {VIEWER: user.pk, WANTED: course_id}
    role = role_of(user)
    course = _learning_course(role).get(values)
    return course | _progress(course) | {"lessons": _learning_outline(role).rows(values)}


def read_learning_lesson(user: User, lesson_id: int) -> Row:
    """A lesson this person may know of; `has_access` says whether they may learn it. Raises
    DoesNotExist."""
    lesson = _learning_lesson(role_of(user)).get({VIEWER: user.pk, WANTED: lesson_id})
    return lesson | {"course": {"id": lesson["course_id"], "title": lesson["course__title"]}}


def read_progress(user: User, course_id: int) -> Row:
    """How far this person has come in a course. Raises DoesNotExist."""
    query = _progress_in(role_of(user), 1)
    return _progress(query.get({VIEWER: user.pk, placeholder(FIRST_COURSE): course_id}))


def _values(user: User, search: str) -> Values:
    words = words_of(search)
    found = zip(as_searched(_placeholders(words)), as_searched(words), strict=True)
    return {VIEWER: user.pk, **dict(found)}


def _shape(search: str) -> str:
    """The search with placeholders for its words."""
    return " ".join(_placeholders(words_of(search)))


def _placeholders(words: Sequence[str]) -> list[str]:
    """As long as the words: short ones are searched in another way."""
    return [
        text_placeholder(f"word{number}") if is_indexed(word) else short_placeholder(number)
        for number, word in enumerate(words)
    ]


# --- The queries, one for each shape ----------------------------------------------------------


@compiled_once
def _courses(role: Role, ordering: str = "id", *, search: str = "") -> CompiledList:
    viewer = placeholder_user(role)
    courses = Course.objects.visible_to(viewer).with_is_subscribed(viewer)
    if search:
        courses = courses.matching(search)
    return CompiledList(courses.in_order(ordering), *COURSE, details=DETAILS)


@compiled_once
def _lessons_of(number: int) -> CompiledQuery:
    """Of courses that were found to be visible."""
    of_them = Lesson.objects.filter(course_id__in=[placeholder(i) for i in range(number)])
    return CompiledQuery(of_them.order_by("course_id", "position", "id"), *LESSON)


@compiled_once
def _lessons(role: Role, *, in_course: bool = False) -> CompiledList:
    lessons = Lesson.objects.visible_to(placeholder_user(role))
    if in_course:
        lessons = lessons.filter(course_id=WANTED)
    ordered = lessons.order_by("course_id", "position", "id")
    return CompiledList(ordered, *LESSON, "course__owner_id", details=DETAILS)


@compiled_once
def _catalog(
    role: Role,
    ordering: str = "id",
    *,
    search: str = "",
    free: bool | None = None,
    mine: bool = False,
) -> CompiledList:
    viewer = placeholder_user(role)
    courses = Course.objects.published()
    if mine:
        courses = courses.open_to(viewer)
    if free is not None:
        courses = courses.free(is_free=free)
    if search:
        courses = courses.matching(search)
    ordered = courses.with_catalog_details(viewer).in_order(ordering)
    return CompiledList(ordered, *CATALOG, details=DETAILS)


@compiled_once
def _outline(role: Role) -> CompiledQuery:
    lessons = Lesson.objects.published().filter(course_id=WANTED).order_by("position", "id")
    return CompiledQuery(lessons.with_has_access(placeholder_user(role)), *OUTLINE)


@compiled_once
def _subscriptions(role: Role) -> CompiledList:
    seen = Subscription.objects.visible_to(placeholder_user(role))
    return CompiledList(seen.order_by("-created_at", "-id"), *SUBSCRIPTION)


@compiled_once
def _subscription(role: Role) -> CompiledQuery:
    seen = Subscription.objects.visible_to(placeholder_user(role))
    return CompiledQuery(seen.filter(course_id=WANTED).order_by(), *SUBSCRIPTION)


@compiled_once
def _rights(role: Role) -> CompiledList:
    rights = Access.objects.held_by(placeholder_user(role)).one_for_each_target()
    return CompiledList(rights.with_is_completed().order_by("-id"), *RIGHT)


@compiled_once
def _progress_in(role: Role, number: int) -> CompiledQuery:
    ids = [placeholder(FIRST_COURSE + index) for index in range(number)]
    courses = Course.objects.filter(pk__in=ids).with_progress(placeholder_user(role))
    return CompiledQuery(courses.order_by(), "id", *PROGRESS)


@compiled_once
def _learning_course(role: Role) -> CompiledQuery:
    viewer = placeholder_user(role)
    courses = Course.objects.not_hidden_from(viewer).filter(pk=WANTED).order_by()
    shown = courses.with_is_open_in_part(viewer).with_progress(viewer)
    return CompiledQuery(shown, *LEARNING_COURSE)


@compiled_once
def _learning_outline(role: Role) -> CompiledQuery:
    viewer = placeholder_user(role)
    lessons = Lesson.objects.outlined_for(viewer).filter(course_id=WANTED)
    shown = lessons.order_by("position", "id").with_has_access(viewer).with_is_completed(viewer)
    return CompiledQuery(shown, *LEARNING_OUTLINE)


@compiled_once
def _learning_lesson(role: Role) -> CompiledQuery:
    viewer = placeholder_user(role)
    lessons = Lesson.objects.not_hidden_from(viewer).filter(pk=WANTED).order_by()
    shown = lessons.with_has_access(viewer).with_is_completed(viewer).with_neighbours(viewer)
    return CompiledQuery(shown, *LEARNING_LESSON)


# --- What is no column ------------------------------------------------------------------------


def _with_lessons(user: User, courses: list[Row]) -> list[Row]:
    if not courses:
        return []
    ids: Values = {placeholder(index): course["id"] for index, course in enumerate(courses)}
    lessons = _lessons_of(len(courses)).rows(ids)
    owners = {course["id"]: course["owner_id"] for course in courses}
    of_courses: dict[int, list[Row]] = {course_id: [] for course_id in owners}
    for lesson in lessons:
        lesson["course__owner_id"] = owners[lesson["course_id"]]
        of_courses[lesson["course_id"]].append(lesson)
    _with_owners(courses)
    _with_abilities(user, lessons)
    abilities = {
        owner_id: permissions.course_abilities(user, Course(owner_id=owner_id))
        for owner_id in set(owners.values())
    }
    for course in courses:
        course["abilities"] = abilities[course["owner_id"]]
        course["lessons"] = of_courses[course["id"]]
        course["lessons_count"] = len(course["lessons"])
    return courses


def _with_abilities(user: User, lessons: list[Row]) -> list[Row]:
    abilities = {
        owner_id: permissions.lesson_abilities(user, Lesson(course=Course(owner_id=owner_id)))
        for owner_id in {lesson["course__owner_id"] for lesson in lessons}
    }
    currency = settings.CURRENCY
    for lesson in lessons:
        lesson["abilities"] = abilities[lesson["course__owner_id"]]
        lesson["currency"] = currency
    return lessons


def _with_owners(courses: list[Row]) -> list[Row]:
    for course in courses:
        course["owner"] = {"id": course["owner_id"], "first_name": course["owner__first_name"]}
        course["currency"] = settings.CURRENCY
    return courses


def _with_progress(user: User, rights: list[Row]) -> list[Row]:
    ids = [right["course_id"] for right in rights if right["course_id"]]
    values: dict[int | str, int] = {VIEWER: user.pk}
    values |= {placeholder(FIRST_COURSE + index): pk for index, pk in enumerate(ids)}
    found = _progress_in(role_of(user), len(ids)).rows(values) if ids else []
    in_courses = {course["id"]: _progress(course) for course in found}
    for right in rights:
        kind = "course" if right["course_id"] else "lesson"
        for name in ("title", "summary", "preview"):
            right[name] = right[f"{kind}__{name}"]
        if kind == "course":
            right["course"] = {"id": right["course_id"], "title": right["course__title"]}
            right |= in_courses[right["course_id"]]
        else:
            course = {"id": right["lesson__course_id"], "title": right["lesson__course__title"]}
            right["course"] = course
            right["progress"] = Progress.of(int(right["is_completed"]), 1)
            right["next_lesson_id"] = None if right["is_completed"] else right["lesson_id"]
    return rights


def _progress(course: Row) -> Row:
    progress = Progress.of(course["lessons_completed"], course["lessons_total"])
    return {"progress": progress, "next_lesson_id": course["next_lesson_id"]}
