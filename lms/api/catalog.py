"""The courses that everyone signed in can find."""

from django.http import HttpResponse
from ninja import Query, Router

from lms import queries
from lms.schemas import CatalogCourseDetailsOut, CatalogCourseOut, CatalogFilters
from people.current_user import AuthenticatedRequest
from project.common.api.pagination import PageParameters, answer_page, paged
from project.common.api.responses import answer_one, revalidated

router = Router()


@router.get("/courses", response=paged(CatalogCourseOut), summary="List published courses")
def list_catalog_courses(
    request: AuthenticatedRequest, filters: Query[CatalogFilters], page: Query[PageParameters]
) -> HttpResponse:
    """Every published course; drafts are found nowhere here."""
    items, count = queries.list_catalog(
        request.user, **filters.model_dump(), start=page.start, size=page.size
    )
    return answer_page(items, count, page)


@router.get(
    "/courses/{int:course_id}", response=CatalogCourseDetailsOut, summary="Look at a course"
)
@revalidated
def get_catalog_course(request: AuthenticatedRequest, course_id: int) -> HttpResponse:
    """A published course with the outline of its lessons, without their contents."""
    return answer_one(queries.read_catalog_course(request.user, course_id))
