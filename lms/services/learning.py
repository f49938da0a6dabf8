"""What learners do: enrol in free courses, and complete lessons (docs/rules.md, 11)."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models import Access, AccessSource, Completion, Course, Lesson
from lms.services.accesses import grant_access
from people.models import User
from project.common.errors import Conflict, PaymentRequired, Refused

# Why a right was revoked, in words, because the page of an access shows it as it is.
LEFT = "left by the learner"


class NoAccess(Refused):
    """To a lesson of this course; says which course gives it, and for how much."""

    code = "no_access"
    message = _("You don't have access to this lesson.")

    def __init__(self, course: Course) -> None:
        super().__init__()
        price, currency = f"{course.price:.2f}", course.currency
        named = {"id": course.pk, "title": course.title, "price": price, "currency": currency}
        self.members = {"course": named}


class NoCourseAccess(NoAccess):
    message = _("You don't have access to this course.")


class NotByEnrollment(Conflict):
    code = "access_not_by_enrollment"
    message = _(
        "Only a free enrolment can be left, not a course that was paid for or given to you."
    )


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
def leave(*, user: User, course_id: int) -> None:
    """End a person's free enrolment; nothing happens if there is none. What they completed is kept.
    Raises NotByEnrollment if they have another right to the course, which would stay."""
    # A lesson is completed before or after, as `complete_lesson` locks the same.
    list(Course.objects.protected_from_deletion().filter(pk=course_id))
    rights = Access.objects.held_by(user).filter(course__id=course_id)
    if rights.exclude(source=AccessSource.ENROLLMENT).exists():
        raise NotByEnrollment
    rights.update(revoked_at=timezone.now(), revoked_reason=LEFT)


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
        raise NoAccess(lesson.course)
