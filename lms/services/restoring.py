"""Undoing a change of materials."""

from django.utils.translation import gettext_lazy as _

from lms.history import Change
from lms.models import Course, Lesson
from lms.services.authoring import update_course, update_lesson
from people.models import User
from project.common.errors import Conflict

# A replaced picture is gone from the storage; order and moves are a matter of several lessons.
NOT_PUT_BACK = frozenset({"course_id", "position", "preview"})


class NothingToPutBack(Conflict):
    code = "nothing_to_put_back"
    message = _("Nothing in this change can be put back.")


def put_back[S: (Course, Lesson)](
    *, subject: S, change: Change, by: User, notify: bool = True
) -> S:
    """Give the fields that `change` changed the values that they had before it.

    It is an edit like any other: checked, kept in the history, told to subscribers.
    Raises NothingToPutBack, ValidationError for a field.
    """
    fields = change.fields if change.kind == "changed" else []
    changes = {field.name: field.before for field in fields if field.name not in NOT_PUT_BACK}
    if not changes:
        raise NothingToPutBack
    if isinstance(subject, Course):
        return update_course(course=subject, changes=changes, by=by, notify=notify)
    return update_lesson(lesson=subject, changes=changes, by=by, notify=notify)
