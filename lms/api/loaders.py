"""The only ways an operation gets hold of a course or lesson: looked up and checked at once."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from lms.models import Course, Lesson
from people.models import User


def get_course(
    user: User, course_id: int, *, to: "Callable[[User, Course], bool] | None" = None
) -> Course:
    """Return a course of authoring. Raises Http404 if the caller can't see
    it, PermissionDenied if the policy `to` says no."""
    course = get_object_or_404(Course.objects.visible_to(user), pk=course_id)
    if to is not None and not to(user, course):
        raise PermissionDenied
    return course


def get_lesson(
    user: User, lesson_id: int, *, to: "Callable[[User, Lesson], bool] | None" = None
) -> Lesson:
    """Return a lesson of authoring. Raises as `get_course`."""
    lessons = Lesson.objects.visible_to(user).select_related("course")
    lesson = get_object_or_404(lessons, pk=lesson_id)
    if to is not None and not to(user, lesson):
        raise PermissionDenied
    return lesson
