"""The only ways an operation gets hold of a course or lesson: looked up and checked at once."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from lms.models import Course, Lesson
from people.models import User


def get_course(user: User, course_id: int, *, to: Callable[[User, Course], bool]) -> Course:
    """Raises Http404 if the user can't see the course in authoring, PermissionDenied if the policy
    `to` says no."""
    course = get_object_or_404(Course.objects.visible_to(user), pk=course_id)
    if not to(user, course):
        raise PermissionDenied
    return course


def get_lesson(user: User, lesson_id: int, *, to: Callable[[User, Lesson], bool]) -> Lesson:
    """Raises as `get_course`."""
    lesson = get_object_or_404(
        Lesson.objects.visible_to(user).select_related("course"), pk=lesson_id
    )
    if not to(user, lesson):
        raise PermissionDenied
    return lesson
