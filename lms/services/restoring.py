"""Undoing a change of materials."""

from django.utils.translation import gettext_lazy as _

from lms.history import LESSONS, Change
from lms.models import Course, Lesson
from lms.services.authoring import update_course, update_lesson
from lms.services.ordering import order_lessons
from people.models import User
from project.common.errors import Conflict

# A replaced picture is gone from the storage; a move is a matter of two courses; whose a course is, of
# administrators.
NOT_PUT_BACK = frozenset({"course_id", "owner_id", "preview"})


class NothingToPutBack(Conflict):
    code = "nothing_to_put_back"
    message = _("Nothing in this change can be put back.")


def can_be_put_back(change: Change) -> bool:
    return change.kind == "changed" and any(
        field.name not in NOT_PUT_BACK for field in change.fields
    )


def put_back(
    *, subject: Course | Lesson, change: Change, by: User, notify: bool = True
) -> Course | Lesson:
    """Give the fields that `change` changed the values that they had before it, or the lessons their
    order.

    It is an edit like any other: checked, kept in the history, told to subscribers.
    Raises NothingToPutBack, LessonsChanged, ValidationError for a field.
    """
    if not can_be_put_back(change):
        raise NothingToPutBack
    left_out = {*NOT_PUT_BACK, LESSONS}
    changes = {field.name: field.before for field in change.fields if field.name not in left_out}
    if isinstance(subject, Lesson):
        return update_lesson(lesson=subject, changes=changes, by=by, notify=notify)
    if change.lessons_before:
        return order_lessons(course=subject, lesson_ids=change.lessons_before, by=by)
    return update_course(course=subject, changes=changes, by=by, notify=notify)
