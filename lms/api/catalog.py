"""The courses that everyone signed in can find."""

from ninja import Query, Router
from ninja.pagination import paginate

from lms import queries
from lms.schemas import CatalogCourseDetailsOut, CatalogCourseOut, CatalogFilters
from people.current_user import AuthenticatedRequest
from project.common.api.pagination import PageNumberPagination
from project.common.api.responses import revalidated
from project.common.db.compiled import Row, RowList

router = Router()


@router.get("/courses", response=list[CatalogCourseOut], summary="List published courses")
@paginate(PageNumberPagination)
def list_catalog_courses(request: AuthenticatedRequest, filters: Query[CatalogFilters]) -> RowList:
    """Every published course; drafts are found nowhere here."""
    return queries.list_catalog(request.user, **filters.model_dump())


@router.get(
    "/courses/{int:course_id}", response=CatalogCourseDetailsOut, summary="Look at a course"
)
@revalidated
def get_catalog_course(request: AuthenticatedRequest, course_id: int) -> Row:
    """A published course with the outline of its lessons, without their contents."""
    return queries.read_catalog_course(request.user, course_id)
