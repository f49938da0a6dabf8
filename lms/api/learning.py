"""The learner's side: what one may learn, the lessons, and how far one has come."""

from django.shortcuts import get_object_or_404
from ninja import Router, Status
from ninja.pagination import paginate

from lms import queries
from lms.models import Course, Lesson
from lms.schemas.learning import (
    EnrollmentOut,
    LearningCourseOut,
    LearningItemOut,
    LearningLessonOut,
    NoAccessProblem,
    ProgressChangeOut,
)
from lms.services import learning
from people.current_user import AuthenticatedRequest
from people.models import User
from people.throttles import limit_creation
from project.common.api.openapi import raises
from project.common.api.pagination import PageNumberPagination
from project.common.api.responses import revalidated
from project.common.db.compiled import Row, RowList
from project.common.errors import PaymentRequired, Throttled

router = Router()


def _get_known_lesson(user: User, lesson_id: int) -> Lesson:
    """Return a lesson the user may know of, with or without access to it. Raises Http404."""
    lessons = Lesson.objects.not_hidden_from(user).select_related("course")
    return get_object_or_404(lessons, pk=lesson_id)


@router.get("/courses", response=list[LearningItemOut], summary="List what one learns")
@paginate(PageNumberPagination)
def list_learning(request: AuthenticatedRequest) -> RowList:
    """Courses and single lessons the caller has a right to, each with the progress, the latest
    right first; also of courses that their author has unpublished since. Own courses, and what
    moderators may see, are under `courses`."""
    return queries.list_learning(request.user)


@router.get(
    "/courses/{int:course_id}",
    response={200: LearningCourseOut, 403: NoAccessProblem},
    summary="Learn a course",
)
@raises(learning.NoCourseAccess)
@revalidated
def get_learning_course(request: AuthenticatedRequest, course_id: int) -> Row:
    """The outline of a course for whoever has a right to it or to one of its lessons, also when its
    author has unpublished it since. Authors and moderators see their drafts as a learner would.
    Without a right: 403 `no_access`, 404 for a draft."""
    course = queries.read_learning_course(request.user, course_id)
    if not course["is_open_in_part"]:
        raise learning.NoCourseAccess(
            Course(pk=course_id, title=course["title"], price=course["price"])
        )
    return course


@router.post(
    "/courses/{int:course_id}/enrollment",
    response={200: EnrollmentOut, 201: EnrollmentOut},
    summary="Enrol in a free course",
)
@raises(PaymentRequired, Throttled)
def enroll_in_course(request: AuthenticatedRequest, course_id: int) -> Status[dict[str, object]]:
    """A course with a price: 402 `payment_required`. Who has access already: 200."""
    limit_creation(request.user, "SUBSCRIPTIONS")
    course = get_object_or_404(Course.objects.published(), pk=course_id)
    created = learning.enroll(user=request.user, course=course)
    return Status(201 if created else 200, {"course_id": course.pk, "has_access": True})


@router.delete(
    "/courses/{int:course_id}/enrollment",
    response={204: None},
    summary="Leave a free course",
)
@raises(learning.NotByEnrollment)
def leave_course(request: AuthenticatedRequest, course_id: int) -> Status[None]:
    """Also answers 204 if the caller was not enrolled. Completed lessons are remembered, and the
    subscription stays. Who has the course by a payment or from the school: 409
    `access_not_by_enrollment`."""
    learning.leave(user=request.user, course_id=course_id)
    return Status(204, None)


@router.get(
    "/lessons/{int:lesson_id}",
    response={200: LearningLessonOut, 403: NoAccessProblem},
    summary="Learn a lesson",
)
@raises(learning.NoAccess)
@revalidated
def get_learning_lesson(request: AuthenticatedRequest, lesson_id: int) -> Row:
    """The whole lesson, with its video. Without access: 403 `no_access`, which says what course it
    is of and what that costs."""
    lesson = queries.read_learning_lesson(request.user, lesson_id)
    if not lesson["has_access"]:
        raise learning.NoAccess(Course(**lesson["course"], price=lesson["course__price"]))
    return lesson


@router.put(
    "/lessons/{int:lesson_id}/completion",
    response={200: ProgressChangeOut, 403: NoAccessProblem},
    summary="Mark a lesson as completed",
)
@raises(learning.NoAccess)
def complete_lesson(request: AuthenticatedRequest, lesson_id: int) -> Row:
    """Answers the same if it already was. Without access: 403 `no_access`."""
    lesson = _get_known_lesson(request.user, lesson_id)
    learning.complete_lesson(user=request.user, lesson=lesson)
    return queries.read_progress(request.user, lesson.course_id)


@router.delete(
    "/lessons/{int:lesson_id}/completion",
    response={200: ProgressChangeOut, 403: NoAccessProblem},
    summary="Mark a lesson as not completed",
)
@raises(learning.NoAccess)
def reopen_lesson(request: AuthenticatedRequest, lesson_id: int) -> Row:
    """Answers the same if it was not completed. Without access: 403 `no_access`."""
    lesson = _get_known_lesson(request.user, lesson_id)
    learning.reopen_lesson(user=request.user, lesson=lesson)
    return queries.read_progress(request.user, lesson.course_id)
