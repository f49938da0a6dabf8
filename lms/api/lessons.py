from django.core.exceptions import PermissionDenied
from django.http import Http404
from ninja import File, Query, Router, Status, UploadedFile
from ninja.pagination import paginate

from lms import permissions, queries
from lms.api.loaders import get_course, get_lesson
from lms.schemas.authoring import (
    EditOptions,
    LessonChanges,
    LessonDetailsOut,
    LessonFilters,
    LessonIn,
    LessonOut,
)
from lms.services import authoring
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
with_tag = tagged(lambda lesson: version_at(lesson["updated_at"]))


@router.get("", response=list[LessonOut], summary="List lessons")
@paginate(PageNumberPagination)
def list_lessons(request: AuthenticatedRequest, filters: Query[LessonFilters]) -> RowList:
    """Lessons in authoring: those of the caller's courses; moderators see all."""
    return queries.list_lessons(request.user, course_id=filters.course_id)


@router.post("", response={201: LessonDetailsOut}, summary="Add a lesson")
@raises(PermissionDenied, Http404, Throttled)
@with_tag
def create_lesson(
    request: AuthenticatedRequest, payload: LessonIn, options: Query[EditOptions]
) -> Status[Row]:
    """To a course of the caller; a course that they can't see: 404. Moderators can't: 403. What leads
    to no single video of YouTube: 422 `no_video` at `video_url`."""
    course = get_course(request.user, payload.course_id, to=permissions.can_add_lesson)
    limit_creation(request.user, "LESSONS")
    fields = payload.model_dump(exclude={"course_id"})
    lesson = authoring.create_lesson(
        course=course, fields=fields, by=request.user, notify=options.notify
    )
    return Status(201, queries.read_lesson(request.user, lesson.pk))


@router.get("/{int:lesson_id}", response=LessonDetailsOut, summary="Read a lesson")
@with_tag
def get_lesson_details(request: AuthenticatedRequest, lesson_id: int) -> Row:
    """One lesson in authoring. Learners read lessons under `learning/lessons`."""
    return queries.read_lesson(request.user, lesson_id)


@router.patch(
    "/{int:lesson_id}",
    response=LessonDetailsOut,
    summary="Change a lesson",
)
@raises(PermissionDenied, authoring.LessonKept, Throttled)
@with_tag
def update_lesson(
    request: AuthenticatedRequest,
    lesson_id: int,
    payload: LessonChanges,
    options: Query[EditOptions],
    if_match: IfMatch = "",
) -> Row:
    """Only the given fields change. It can move to another course of the caller only; if
    somebody has paid for it or its course, or the money is on its way: 409 `has_payments`."""
    lesson = get_lesson(request.user, lesson_id, to=permissions.can_update_lesson)
    changes = payload.model_dump(exclude_unset=True)
    course_id = changes.pop("course_id", lesson.course_id)
    if course_id != lesson.course_id:
        changes["course"] = get_course(request.user, course_id, to=permissions.can_add_lesson)
    authoring.update_lesson(
        lesson=lesson,
        changes=changes,
        by=request.user,
        notify=options.notify,
        expected=versions_in(if_match),
    )
    return queries.read_lesson(request.user, lesson_id)


@router.delete(
    "/{int:lesson_id}",
    response={204: None},
    summary="Delete a lesson",
)
@raises(PermissionDenied, authoring.HasPayments)
def delete_lesson(
    request: AuthenticatedRequest, lesson_id: int, if_match: IfMatch = ""
) -> Status[None]:
    """With its picture. Somebody has paid for it or its course, or is about to: 409
    `has_payments`."""
    lesson = get_lesson(request.user, lesson_id, to=permissions.can_delete_lesson)
    authoring.delete_lesson(lesson=lesson, by=request.user, expected=versions_in(if_match))
    return Status(204, None)


@router.put(
    "/{int:lesson_id}/preview", response=LessonDetailsOut, summary="Set the picture of a lesson"
)
@raises(PicturesBusy, Throttled)
@with_tag
def set_lesson_preview(
    request: AuthenticatedRequest, lesson_id: int, file: File[UploadedFile], if_match: IfMatch = ""
) -> Row:
    """JPEG, PNG or WebP, up to 5 MiB and 25 megapixels. Kept is a WebP of at most 1600 pixels a side,
    without metadata, and a thumbnail."""
    lesson = get_lesson(request.user, lesson_id, to=permissions.can_update_lesson)
    limit_creation(request.user, "PICTURES")
    expected = versions_in(if_match)
    authoring.set_preview(subject=lesson, picture=read_upload(file), expected=expected)
    return queries.read_lesson(request.user, lesson_id)


@router.delete(
    "/{int:lesson_id}/preview", response={204: None}, summary="Remove the picture of a lesson"
)
@raises(Throttled)
@with_tag
def delete_lesson_preview(
    request: AuthenticatedRequest, lesson_id: int, if_match: IfMatch = ""
) -> Status[None]:
    """Also answers 204 if there was none."""
    lesson = get_lesson(request.user, lesson_id, to=permissions.can_update_lesson)
    expected = versions_in(if_match)
    lesson = authoring.set_preview(subject=lesson, picture=None, expected=expected)
    note_version(request, lesson.version)
    return Status(204, None)
