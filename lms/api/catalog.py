"""The courses that everyone signed in can find; with `PUBLIC_CATALOG` everyone."""

from ninja import Query, Router
from ninja.pagination import paginate

from lms import queries
from lms.schemas.learning import CatalogCourseDetailsOut, CatalogCourseOut, CatalogFilters
from people.current_user import AuthenticatedRequest
from people.throttles import limit_visitor
from people.tokens import AccessTokenAuth
from project.common.api.openapi import raises
from project.common.api.pagination import PageNumberPagination
from project.common.api.responses import revalidated
from project.common.db.compiled import Row, RowList
from project.common.errors import Throttled

router = Router()


@router.get(
    "/courses",
    auth=AccessTokenAuth(count_visitor=limit_visitor),
    response={200: list[CatalogCourseOut]},
    summary="List published courses",
)
@raises(Throttled)
@paginate(PageNumberPagination)
def list_catalog_courses(request: AuthenticatedRequest, filters: Query[CatalogFilters]) -> RowList:
    """Every published course; drafts are found nowhere here. A school may have its catalog answer
    without a token (`public_catalog` of `meta`): then nothing is subscribed to, nor open."""
    return queries.list_catalog(request.user, **filters.model_dump())


@router.get(
    "/courses/{int:course_id}",
    auth=AccessTokenAuth(count_visitor=limit_visitor),
    response=CatalogCourseDetailsOut,
    summary="Look at a course",
)
@raises(Throttled)
@revalidated
def get_catalog_course(request: AuthenticatedRequest, course_id: int) -> Row:
    """A published course with the outline of its lessons, without their contents; as for the list, a
    school may have it answer without a token."""
    return queries.read_catalog_course(request.user, course_id)
