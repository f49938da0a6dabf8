"""The order of the lessons of a course: they stand at 0, 1, 2 … without gaps (docs/rules.md, 6.3).

All but `order_lessons` is called in a transaction that has locked the course.
"""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models import Course, Lesson
from lms.services.updates import save_course
from people.models import User
from project.common.errors import Conflict
from project.common.versions import Expected, check_version


class LessonsChanged(Conflict):
    code = "lessons_changed"
    message = _("The lessons of the course have changed meanwhile. Nothing was put in order.")


@transaction.atomic
def order_lessons(
    *, course: Course, lesson_ids: Sequence[int], by: User, expected: Expected = None
) -> Course:
    """Put all lessons of a course in this order; its subscribers are not told. Raises
    LessonsChanged if these are not exactly the lessons of the course, each once; ChangedMeanwhile."""
    course = Course.objects.select_for_update().get(pk=course.pk)
    check_version(course, expected)
    before = _in_order(course)
    lessons = {lesson.pk: lesson for lesson in before}
    if sorted(lesson_ids) != sorted(lessons):
        raise LessonsChanged
    after = [lessons[lesson_id] for lesson_id in lesson_ids]
    if before != after:
        _arrange(after)
        _note_order(course, before, after, by)
        save_course(course=course, by=by)
    return course


def move_lesson(lesson: Lesson, *, to: object, by: User | None = None) -> bool:
    """Put a lesson at this place of its course; at the end if there is no such place, or for None.
    Return whether that is another order than before, which is kept in the history if `by` is given:
    without, it is part of a change that tells of itself."""
    before = _in_order(lesson.course)
    after = [one for one in before if one != lesson]
    after.insert(to if isinstance(to, int) else len(after), lesson)
    _arrange(after)
    if by and before != after:
        _note_order(lesson.course, before, after, by)
    return before != after


def close_gaps(course: Course) -> None:
    """After a lesson has left the course."""
    _arrange(_in_order(course))


def _in_order(course: Course) -> list[Lesson]:
    return list(course.lessons.only("position").order_by("position", "id"))


def _arrange(lessons: Sequence[Lesson]) -> None:
    """Give lessons the positions of this order, without an entry in the history of each: a lesson
    that another one pushed aside was not edited."""
    moved = [lesson for place, lesson in enumerate(lessons) if lesson.position != place]
    for place, lesson in enumerate(lessons):
        lesson.position = place
    Lesson.objects.bulk_update(moved, ["position"])


def _note_order(
    course: Course, before: Sequence[Lesson], after: Sequence[Lesson], by: User
) -> None:
    """Keep in the history of the course that its lessons were put in another order."""
    records = Course.history.model
    values = {field.attname: getattr(course, field.attname) for field in records.tracked_fields}
    records.objects.create(
        **values,
        lessons_before=[lesson.pk for lesson in before],
        lessons_after=[lesson.pk for lesson in after],
        history_date=timezone.now(),
        history_type="~",
        history_user=by,
    )
