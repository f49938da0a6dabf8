"""What learners do: enrol in free courses, and complete lessons (docs/rules.md, 11)."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lms.models import AccessSource, Completion, Course, Lesson
from lms.services.accesses import grant_access
from people.models import User
from project.common.errors import PaymentRequired, Refused


class NoAccess(Refused):
    code = "no_access"
    message = _("You don't have access to this lesson.")


@transaction.atomic
def enroll(*, user: User, course: Course) -> bool:
    """Enrol a person in a free course; say whether that is new. Whoever has access already keeps
    it. Raises PaymentRequired if the course has a price."""
    course = Course.objects.select_for_update().get(pk=course.pk)
    if Course.objects.open_to(user).filter(pk=course.pk).exists():
        return False
    if course.price > 0:
        raise PaymentRequired
    _access, created = grant_access(user=user, target=course, source=AccessSource.ENROLLMENT)
    return created


@transaction.atomic
def complete_lesson(*, user: User, lesson: Lesson) -> None:
    """Mark a lesson as finished; nothing happens if it is. Raises NoAccess."""
    Course.objects.protected_from_deletion().get(lessons=lesson.pk)
    _require_access(user, lesson)
    Completion.objects.get_or_create(user=user, lesson=lesson)


@transaction.atomic
def reopen_lesson(*, user: User, lesson: Lesson) -> None:
    """Take the mark away again; nothing happens if there is none. Raises NoAccess."""
    _require_access(user, lesson)
    Completion.objects.filter(user=user, lesson=lesson).delete()


def _require_access(user: User, lesson: Lesson) -> None:
    if not Lesson.objects.open_to(user).filter(pk=lesson.pk).exists():
        raise NoAccess
