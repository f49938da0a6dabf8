"""The learner's side: what one may learn, the lessons, and how far one has come."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from ninja.pagination import paginate

from lms.models import Access, Course, Lesson
from lms.schemas import EnrollmentOut, LearningItemOut, LearningLessonOut
from lms.services import learning
from people.current_user import AuthenticatedRequest
from project.common.api.pagination import PageNumberPagination
from project.common.api.schemas import Problem

router = Router()


def _get_known_lesson(request: AuthenticatedRequest, lesson_id: int) -> Lesson:
    """Return a lesson the caller may know of, with or without access to it. Raises Http404."""
    user = request.user
    lessons = Lesson.objects.not_hidden_from(user).with_has_access(user).with_is_completed(user)
    return get_object_or_404(lessons, pk=lesson_id)


@router.get("/courses", response=list[LearningItemOut], summary="List what one learns")
@paginate(PageNumberPagination)
def list_learning(request: AuthenticatedRequest) -> QuerySet[Access]:
    """Courses and single lessons the caller has a right to, each with the progress, the latest
    right first. Own courses, and what moderators may see, are under `courses`."""
    rights = Access.objects.held_by(request.user).one_for_each_target()
    return rights.with_progress().select_related("course", "lesson").order_by("-id")


@router.post(
    "/courses/{int:course_id}/enrollment",
    response={200: EnrollmentOut, 201: EnrollmentOut, 402: Problem},
    summary="Enrol in a free course",
)
def enroll_in_course(request: AuthenticatedRequest, course_id: int) -> Status[dict[str, object]]:
    """A course with a price: 402 `payment_required`. Who has access already: 200."""
    course = get_object_or_404(Course.objects.published(), pk=course_id)
    created = learning.enroll(user=request.user, course=course)
    return Status(201 if created else 200, {"course_id": course.pk, "has_access": True})


@router.get(
    "/lessons/{int:lesson_id}",
    response={200: LearningLessonOut, 403: Problem},
    summary="Learn a lesson",
)
def get_learning_lesson(request: AuthenticatedRequest, lesson_id: int) -> Lesson:
    """The whole lesson, with its video. Without access: 403 `no_access`."""
    lesson = _get_known_lesson(request, lesson_id)
    if not lesson.has_access:
        raise learning.NoAccess
    return lesson


@router.put(
    "/lessons/{int:lesson_id}/completion",
    response={204: None, 403: Problem},
    summary="Mark a lesson as completed",
)
def complete_lesson(request: AuthenticatedRequest, lesson_id: int) -> Status[None]:
    """Also answers 204 if it already was. Without access: 403 `no_access`."""
    lesson = _get_known_lesson(request, lesson_id)
    learning.complete_lesson(user=request.user, lesson=lesson)
    return Status(204, None)


@router.delete(
    "/lessons/{int:lesson_id}/completion",
    response={204: None, 403: Problem},
    summary="Mark a lesson as not completed",
)
def reopen_lesson(request: AuthenticatedRequest, lesson_id: int) -> Status[None]:
    """Also answers 204 if it was not completed. Without access: 403 `no_access`."""
    lesson = _get_known_lesson(request, lesson_id)
    learning.reopen_lesson(user=request.user, lesson=lesson)
    return Status(204, None)
