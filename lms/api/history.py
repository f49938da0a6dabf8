from typing import Any

from django.http import HttpRequest
from ninja.pagination import paginate

from lms import permissions
from lms.api.courses import router
from lms.api.loaders import get_course
from lms.history import changes_of_course
from lms.schemas import ChangeOut
from project.common.api.pagination import PageNumberPagination


@router.get(
    "/{int:course_id}/history",
    response=list[ChangeOut],
    summary="List changes of a course",
)
@paginate(PageNumberPagination)
def list_course_changes(request: HttpRequest, course_id: int) -> Any:
    """Changes of the course and its lessons, the newest first: who, when, what was there before.
    For those who may change the course."""
    course = get_course(request, course_id, to=permissions.can_update_course)
    return changes_of_course(course)
