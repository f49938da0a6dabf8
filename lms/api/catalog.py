"""The courses that everyone signed in can find."""

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.pagination import paginate

from lms.api.loaders import viewer
from lms.models import Course, Lesson
from lms.paginators import PageNumberPagination
from lms.schemas import CatalogCourseDetailsOut, CatalogCourseOut, CatalogFilters

router = Router()


@router.get("/courses", response=list[CatalogCourseOut], summary="List published courses")
@paginate(PageNumberPagination)
def list_catalog_courses(request: HttpRequest, filters: Query[CatalogFilters]) -> QuerySet[Course]:
    """Every published course; drafts are found nowhere here."""
    user = viewer(request)
    courses = Course.objects.published()
    if filters.mine:
        courses = courses.open_to(user)
    if filters.free is not None:
        courses = courses.free(is_free=filters.free)
    if filters.search:
        courses = courses.matching(filters.search)
    return courses.with_catalog_details(user).in_order(filters.ordering)


@router.get(
    "/courses/{int:course_id}", response=CatalogCourseDetailsOut, summary="Look at a course"
)
def get_catalog_course(request: HttpRequest, course_id: int) -> Course:
    """A published course with the outline of its lessons, without their contents."""
    user = viewer(request)
    outline = Lesson.objects.with_has_access(user).order_by("position", "id")
    courses = Course.objects.published().with_catalog_details(user)
    return get_object_or_404(courses.prefetch_related(Prefetch("lessons", outline)), pk=course_id)
