"""What was changed in a course and its lessons, by whom, and what it was before."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import FileField, Model, OuterRef, QuerySet, Subquery, Value

from lms.models import Course, Lesson
from people.models import User

# Kept with each state, but never changed by an edit of it: a lesson's position changes with its
# neighbours. The order of the lessons is told of their course, as LESSONS.
NOT_TOLD = frozenset({"id", "position"})
# Told where it was changed: what is created or deleted names who did it.
ONLY_CHANGED = frozenset({"owner_id"})
LESSONS = "lessons"
# So many states of courses, and of lessons, tell what others edited.
EDITS_LOOKED_AT = 200
KINDS = {"+": "created", "~": "changed", "-": "deleted"}

type Plain = str | int | bool | Decimal | None
type Keys = QuerySet[Model, tuple[datetime, str, int]]


@dataclass(frozen=True)
class FieldChange:
    """A field of a change; `before` is None in what was created, `after` in what was deleted."""

    name: str
    before: Plain
    after: Plain


@dataclass(frozen=True)
class Change:
    """One change of a course (`lesson_id` None) or of a lesson. `by` is None if unknown: made by
    a fixture, or by somebody who was deleted since."""

    id: int
    at: datetime
    by: User | None
    kind: str
    lesson_id: int | None
    title: str
    fields: list[FieldChange]
    # The keys of the lessons in the order of before, if they were put in another one.
    lessons_before: list[int] | None = None

    @property
    def key(self) -> str:
        """Names the change among those of its course."""
        return f"{'lesson' if self.lesson_id else 'course'}-{self.id}"


class Changes:
    """Changes, the newest first, read a page at a time; counts and slices like a queryset."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    def count(self) -> int:
        return self.keys.count()

    def __getitem__(self, part: slice) -> list[Change]:
        keys = list(self.keys[part])
        changes = {
            model: _read(model, [pk for _at, subject, pk in keys if subject == model.__name__])
            for model in (Course, Lesson)
        }
        models = {model.__name__: model for model in changes}
        return [changes[models[subject]][pk] for _at, subject, pk in keys]


def changes_of_course(course: Course) -> Changes:
    """All changes of a course and of the lessons that were in it at that time."""
    own = _keys(Course, id=course.pk)
    lessons = _keys(Lesson, course_id=course.pk)
    keys = own.union(lessons, all=True)
    return Changes(keys.order_by("-history_date", "subject", "-history_id"))


def changes_of_lesson(lesson: Lesson) -> Changes:
    """All changes of one lesson."""
    return Changes(_keys(Lesson, id=lesson.pk).order_by("-history_date", "-history_id"))


class Edited(NamedTuple):
    """A course that was edited: how many of the states of it and of its lessons are new, and the last
    change."""

    course: Course
    number: int
    last: Change


def edited_by_others(user: User, *, since: datetime, most: int) -> list[Edited]:
    """Courses that others than `user` edited since then, the one of the last edit first."""
    found: dict[int, list[tuple[datetime, type[Course | Lesson], int]]] = defaultdict(list)
    for model, course in ((Course, "id"), (Lesson, "course_id")):
        states = model.history.filter(history_date__gte=since).exclude(history_user=user)
        newest = states.order_by("-history_date", "-history_id")
        rows = newest.values_list(course, "history_date", "history_id")
        for course_id, at, pk in rows[:EDITS_LOOKED_AT]:
            found[course_id].append((at, model, pk))
    courses = Course.objects.in_bulk(found)
    latest = {pk: max(found[pk], key=itemgetter(0, 2)) for pk in courses}
    shown = sorted(latest, key=lambda pk: latest[pk][0], reverse=True)[:most]
    changes = {
        model: _read(model, [latest[pk][2] for pk in shown if latest[pk][1] is model])
        for model in (Course, Lesson)
    }
    return [
        Edited(courses[pk], len(found[pk]), changes[latest[pk][1]][latest[pk][2]]) for pk in shown
    ]


def change_of(subject: Course | Lesson, change_id: int) -> Change | None:
    """One change of exactly this course or lesson; None if it has no such change."""
    model = type(subject)
    found = model.history.filter(id=subject.pk, history_id=change_id).exists()
    return _read(model, [change_id])[change_id] if found else None


def change_of_course(course: Course, key: str) -> Change | None:
    """One change of a course or of a lesson that was in it then; None if it has no such change."""
    kind, _dash, number = key.partition("-")
    if kind not in {"course", "lesson"} or not (number.isascii() and number.isdecimal()):
        return None
    if kind == "course":
        return change_of(course, int(number))
    records = Lesson.history.filter(course_id=course.pk, history_id=int(number))
    return _read(Lesson, [int(number)])[int(number)] if records.exists() else None


def _keys(model: type[Course | Lesson], **conditions: int) -> Keys:
    # Without an order of its own, which the parts of a union may not have.
    records = model.history.filter(**conditions).order_by().annotate(subject=Value(model.__name__))
    keys: Keys = records.values_list("history_date", "subject", "history_id")
    return keys


def _read(model: type[Course | Lesson], ids: Iterable[int]) -> dict[int, Change]:
    """Read changes with the states before them: two queries, however many there are."""
    records = model.history.model.objects
    earlier = records.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id"))
    before = Subquery(earlier.order_by("-history_id").values("history_id")[:1])
    states = (
        records.filter(history_id__in=ids)
        .annotate(before_id=before)
        .select_related("history_user")
        .order_by()
    )
    earlier_states = records.in_bulk({state.before_id for state in states if state.before_id})
    names = told_fields(model)
    orders = _orders([state for state in states if getattr(state, "lessons_before", None)])
    return {
        state.history_id: Change(
            id=state.history_id,
            at=state.history_date,
            by=state.history_user,
            kind=KINDS[state.history_type],
            lesson_id=state.id if model is Lesson else None,
            title=state.title,
            fields=_differences(
                KINDS[state.history_type], names, state, earlier_states.get(state.before_id)
            )
            + orders.get(state.history_id, []),
            lessons_before=getattr(state, "lessons_before", None),
        )
        for state in states
    }


def _orders(states: Sequence[Any]) -> dict[int, list[FieldChange]]:
    """What was changed in the order of lessons, by the titles that they have now."""
    ids = {pk for state in states for pk in state.lessons_before}
    titles = dict(Lesson.objects.filter(pk__in=ids).values_list("pk", "title")) if ids else {}

    def listed(order: list[int]) -> str:
        return "\n".join(titles.get(pk, f"№ {pk}") for pk in order)

    return {
        state.history_id: [
            FieldChange(LESSONS, listed(state.lessons_before), listed(state.lessons_after))
        ]
        for state in states
    }


def told_fields(model: type[Course | Lesson]) -> list[str]:
    """All that the history keeps but NOT_TOLD: first the course of a lesson, last the picture."""
    kept = [field for field in model.history.model.tracked_fields if field.attname not in NOT_TOLD]
    kept.sort(key=lambda field: (not field.is_relation, isinstance(field, FileField)))
    return [field.attname for field in kept]


def _differences(
    kind: str, names: Iterable[str], state: object, before: object
) -> list[FieldChange]:
    """Compare two states. If the state before a change is unknown, nothing is said of it."""
    if kind == "created":
        pairs = [(name, None, getattr(state, name)) for name in names if name not in ONLY_CHANGED]
    elif kind == "deleted":
        pairs = [(name, getattr(state, name), None) for name in names if name not in ONLY_CHANGED]
    elif before is None:
        pairs = []
    else:
        pairs = [(name, getattr(before, name), getattr(state, name)) for name in names]
    return [FieldChange(*pair) for pair in pairs if pair[1] != pair[2]]
