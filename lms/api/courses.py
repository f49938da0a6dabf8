"""Courses in authoring, their history, and who hears of them."""

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import get_object_or_404
from ninja import File, Query, Router, Status, UploadedFile
from ninja.pagination import paginate

from lms import permissions, queries
from lms.api.loaders import get_course, get_lesson
from lms.history import Changes, change_of_course, changes_of_course
from lms.models import Course, Lesson, Subscription
from lms.schemas.authoring import (
    ChangeOut,
    CourseChanges,
    CourseDetailsOut,
    CourseIn,
    CourseOut,
    EditOptions,
    LearnerOut,
    LessonOrder,
)
from lms.schemas.learning import SubscriptionChanges, SubscriptionOut, SubscriptionState
from lms.schemas.materials import CourseFilters
from lms.services import authoring, copying, ordering, restoring, subscriptions
from lms.statistics import Learners
from people.current_user import AuthenticatedRequest
from people.throttles import limit_creation
from project.common.api.openapi import raises
from project.common.api.pagination import PageNumberPagination
from project.common.api.responses import IfMatch, note_version, tagged, versions_in
from project.common.api.uploads import read_upload
from project.common.db.compiled import Row, RowList
from project.common.errors import Throttled
from project.common.images import PicturesBusy
from project.common.versions import version_at

router = Router()
with_tag = tagged(lambda course: version_at(course["updated_at"]))


@router.get("", response=list[CourseOut], summary="List courses")
@paginate(PageNumberPagination)
def list_courses(request: AuthenticatedRequest, filters: Query[CourseFilters]) -> RowList:
    """Courses in authoring: the caller's own; moderators see all."""
    return queries.list_courses(request.user, **filters.model_dump())


@router.post("", response={201: CourseDetailsOut}, summary="Create a course")
@raises(PermissionDenied, Throttled)
@with_tag
def create_course(request: AuthenticatedRequest, payload: CourseIn) -> Status[Row]:
    """The caller becomes the author. Moderators can't: 403."""
    user = request.user
    if not permissions.can_create_course(user):
        raise PermissionDenied
    limit_creation(user, "COURSES")
    course = authoring.create_course(owner=user, fields=payload.model_dump())
    return Status(201, queries.read_course(request.user, course.pk))


@router.get("/{int:course_id}", response=CourseDetailsOut, summary="Read a course")
@with_tag
def get_course_details(request: AuthenticatedRequest, course_id: int) -> Row:
    """One course in authoring, with its lessons."""
    return queries.read_course(request.user, course_id)


@router.patch("/{int:course_id}", response=CourseDetailsOut, summary="Change a course")
@raises(Throttled)
@with_tag
def update_course(
    request: AuthenticatedRequest,
    course_id: int,
    payload: CourseChanges,
    options: Query[EditOptions],
    if_match: IfMatch = "",
) -> Row:
    """Only the given fields change. A link to anything but YouTube: 422 `foreign_link`."""
    course = get_course(request.user, course_id, to=permissions.can_update_course)
    changes = payload.model_dump(exclude_unset=True)
    authoring.update_course(
        course=course,
        changes=changes,
        by=request.user,
        notify=options.notify,
        expected=versions_in(if_match),
    )
    return queries.read_course(request.user, course_id)


@router.delete(
    "/{int:course_id}",
    response={204: None},
    summary="Delete a course",
)
@raises(PermissionDenied, authoring.HasPayments)
def delete_course(
    request: AuthenticatedRequest, course_id: int, if_match: IfMatch = ""
) -> Status[None]:
    """With its lessons and pictures. Somebody has paid for it or a lesson of it, or is about to: 409
    `has_payments`."""
    course = get_course(request.user, course_id, to=permissions.can_delete_course)
    authoring.delete_course(course=course, by=request.user, expected=versions_in(if_match))
    return Status(204, None)


@router.post("/{int:course_id}/copy", response={201: CourseDetailsOut}, summary="Copy a course")
@raises(PermissionDenied, Throttled)
@with_tag
def copy_course(request: AuthenticatedRequest, course_id: int) -> Status[Row]:
    """A draft of the caller's own with the same texts, videos, pictures, prices and lessons: without people,
    payments and the changes of before. Nobody is mailed. Moderators can't: 403."""
    course = get_course(request.user, course_id, to=permissions.can_copy_course)
    copy = copying.copy_course(course=course, by=request.user)
    return Status(201, queries.read_course(request.user, copy.pk))


@router.put(
    "/{int:course_id}/preview", response=CourseDetailsOut, summary="Set the picture of a course"
)
@raises(PicturesBusy, Throttled)
@with_tag
def set_course_preview(
    request: AuthenticatedRequest, course_id: int, file: File[UploadedFile], if_match: IfMatch = ""
) -> Row:
    """JPEG, PNG or WebP, up to 5 MiB and 25 megapixels. Kept is a WebP of at most 1600 pixels a side,
    without metadata, and a thumbnail."""
    course = get_course(request.user, course_id, to=permissions.can_update_course)
    limit_creation(request.user, "PICTURES")
    expected = versions_in(if_match)
    authoring.set_preview(subject=course, picture=read_upload(file), expected=expected)
    return queries.read_course(request.user, course_id)


@router.delete(
    "/{int:course_id}/preview", response={204: None}, summary="Remove the picture of a course"
)
@raises(Throttled)
@with_tag
def delete_course_preview(
    request: AuthenticatedRequest, course_id: int, if_match: IfMatch = ""
) -> Status[None]:
    """Also answers 204 if there was none."""
    course = get_course(request.user, course_id, to=permissions.can_update_course)
    expected = versions_in(if_match)
    course = authoring.set_preview(subject=course, picture=None, expected=expected)
    note_version(request, course.version)
    return Status(204, None)


@router.put(
    "/{int:course_id}/lessons/order",
    response=CourseDetailsOut,
    summary="Put the lessons of a course in order",
)
@raises(ordering.LessonsChanged, Throttled)
@with_tag
def order_lessons(
    request: AuthenticatedRequest, course_id: int, payload: LessonOrder, if_match: IfMatch = ""
) -> Row:
    """All at once: exactly the lessons of the course, each once, or 409 `lessons_changed`. It is a
    minor edit: one entry in the history, and nobody is told."""
    course = get_course(request.user, course_id, to=permissions.can_update_course)
    expected = versions_in(if_match)
    ordering.order_lessons(
        course=course, lesson_ids=payload.lesson_ids, by=request.user, expected=expected
    )
    return queries.read_course(request.user, course_id)


@router.get(
    "/{int:course_id}/history",
    response=list[ChangeOut],
    summary="List changes of a course",
)
@paginate(PageNumberPagination)
def list_course_changes(request: AuthenticatedRequest, course_id: int) -> Changes:
    """Changes of the course and its lessons, the newest first: who, when, what was there before.
    For those who may change the course."""
    course = get_course(request.user, course_id, to=permissions.can_update_course)
    return changes_of_course(course)


@router.post(
    "/{int:course_id}/history/{entry}/revert",
    response=CourseDetailsOut,
    summary="Put back a change of a course",
)
@raises(restoring.NothingToPutBack, ordering.LessonsChanged, Throttled)
@with_tag
def revert_change(
    request: AuthenticatedRequest, course_id: int, entry: str, options: Query[EditOptions]
) -> Row:
    """What was changed gets the values that it had before, whoever changed it; `entry` is the `id` in
    the history. It is an edit like any other. What was created, deleted or moved, and pictures:
    409 `nothing_to_put_back`; an order of other lessons than there are now: 409 `lessons_changed`."""
    course = get_course(request.user, course_id, to=permissions.can_update_course)
    change = change_of_course(course, entry)
    if change is None:
        raise Http404
    subject: Course | Lesson = course
    if change.lesson_id and restoring.can_be_put_back(change):
        subject = get_lesson(request.user, change.lesson_id, to=permissions.can_update_lesson)
    restoring.put_back(subject=subject, change=change, by=request.user, notify=options.notify)
    return queries.read_course(request.user, course_id)


@router.get(
    "/{int:course_id}/people",
    response=list[LearnerOut],
    summary="List people who learn a course",
)
@paginate(PageNumberPagination)
def list_course_people(request: AuthenticatedRequest, course_id: int) -> Learners:
    """Active people with a right to the course or to one of its lessons, how they got it and how far
    they have come. For those who may change the course."""
    return Learners(get_course(request.user, course_id, to=permissions.can_update_course))


@router.post(
    "/{int:course_id}/subscription",
    response={200: SubscriptionState, 201: SubscriptionState},
    summary="Subscribe to a course",
    tags=["subscriptions"],
)
@raises(Throttled)
def subscribe_to_course(request: AuthenticatedRequest, course_id: int) -> Status[dict[str, object]]:
    """To a published course or one's own; 200 if the caller already was subscribed."""
    user = request.user
    limit_creation(user, "SUBSCRIPTIONS")
    course = get_object_or_404(Course.objects.open_to_subscribers(user), pk=course_id)
    created = subscriptions.subscribe(user=user, course=course)
    return Status(201 if created else 200, {"course_id": course.pk, "is_subscribed": True})


@router.patch(
    "/{int:course_id}/subscription",
    response=SubscriptionOut,
    summary="Choose how to hear of updates of a course",
    tags=["subscriptions"],
)
def update_subscription(
    request: AuthenticatedRequest, course_id: int, payload: SubscriptionChanges
) -> Row:
    """Only the given fields change. What is chosen here goes before `course_mails` of the profile. Who is
    not subscribed gets 404."""
    user = request.user
    get_object_or_404(Subscription.objects.visible_to(user), course__id=course_id)
    if "course_mails" in payload.model_fields_set:
        subscriptions.choose_for_course(user=user, course_id=course_id, how=payload.course_mails)
    return queries.read_subscription(user, course_id)


@router.delete(
    "/{int:course_id}/subscription",
    response={204: None},
    summary="Unsubscribe from a course",
    tags=["subscriptions"],
)
def unsubscribe_from_course(request: AuthenticatedRequest, course_id: int) -> Status[None]:
    """Also answers 204 if there was no subscription."""
    subscriptions.unsubscribe(user=request.user, course_id=course_id)
    return Status(204, None)
