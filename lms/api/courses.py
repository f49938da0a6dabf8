from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from ninja import File, Query, Router, Status, UploadedFile

from lms import permissions, queries
from lms.api.loaders import get_course
from lms.models import Course
from lms.schemas import CourseChanges, CourseFilters, CourseIn, CourseOut, EditOptions
from lms.services import authoring
from people.current_user import current_user
from project.common.api.pagination import PageParameters, answer_page, paged
from project.common.api.responses import answer_one, revalidated
from project.common.api.schemas import Problem
from project.common.images import read_upload

router = Router()


@router.get("", response=paged(CourseOut), summary="List courses")
def list_courses(
    request: HttpRequest, filters: Query[CourseFilters], page: Query[PageParameters]
) -> HttpResponse:
    """Courses in authoring: the caller's own; moderators see all."""
    items, count = queries.list_courses(
        current_user(request), **filters.model_dump(), start=page.start, size=page.size
    )
    return answer_page(items, count, page)


@router.post("", response={201: CourseOut, 403: Problem}, summary="Create a course")
def create_course(request: HttpRequest, payload: CourseIn) -> Status[Course]:
    """The caller becomes the author. Moderators can't: 403."""
    user = current_user(request)
    if not permissions.can_create_course(user):
        raise PermissionDenied
    course = authoring.create_course(owner=user, fields=payload.model_dump())
    return Status(201, get_course(request, course.pk))


@router.get("/{int:course_id}", response=CourseOut, summary="Read a course")
@revalidated
def get_course_details(request: HttpRequest, course_id: int) -> HttpResponse:
    """One course in authoring, with its lessons."""
    return answer_one(queries.read_course(current_user(request), course_id))


@router.patch("/{int:course_id}", response=CourseOut, summary="Change a course")
def update_course(
    request: HttpRequest, course_id: int, payload: CourseChanges, options: Query[EditOptions]
) -> Course:
    """Only the given fields change. A link to anything but YouTube: 422 `foreign_link`."""
    course = get_course(request, course_id, to=permissions.can_update_course)
    changes: dict[str, Any] = payload.model_dump(exclude_unset=True)
    authoring.update_course(
        course=course, changes=changes, by=current_user(request), notify=options.notify
    )
    return get_course(request, course_id)


@router.delete(
    "/{int:course_id}",
    response={204: None, 403: Problem, 409: Problem},
    summary="Delete a course",
)
def delete_course(request: HttpRequest, course_id: int) -> Status[None]:
    """With its lessons and pictures. Somebody has paid for it: 409 `has_payments`."""
    course = get_course(request, course_id, to=permissions.can_delete_course)
    authoring.delete_course(course=course, by=current_user(request))
    return Status(204, None)


@router.put("/{int:course_id}/preview", response=CourseOut, summary="Set the picture of a course")
def set_course_preview(request: HttpRequest, course_id: int, file: File[UploadedFile]) -> Course:
    """JPEG, PNG or WebP, up to 5 MiB and 25 megapixels; it is stored without its metadata."""
    course = get_course(request, course_id, to=permissions.can_update_course)
    authoring.set_preview(subject=course, picture=read_upload(file))
    return get_course(request, course_id)


@router.delete(
    "/{int:course_id}/preview", response={204: None}, summary="Remove the picture of a course"
)
def delete_course_preview(request: HttpRequest, course_id: int) -> Status[None]:
    """Also answers 204 if there was none."""
    course = get_course(request, course_id, to=permissions.can_update_course)
    authoring.set_preview(subject=course, picture=None)
    return Status(204, None)
