"""The policy of the payments book. Who sees a payment is `visible_to` in models.py."""

from typing import TYPE_CHECKING

from lms.models import Course, Lesson

if TYPE_CHECKING:
    from people.models import User


def owns(user: "User", target: Course | Lesson) -> bool:
    """Authors have what is theirs without buying it."""
    course = target if isinstance(target, Course) else target.course
    return course.owner_id == user.pk
