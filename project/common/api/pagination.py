"""Pages of a list, the same for every list of the API."""

from functools import partial
from typing import Any, override

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Schema
from ninja.pagination import PaginationBase
from pydantic import Field, create_model

from project.common.api.responses import json_answer
from project.common.db.compiled import count_rows, read_page

DEFAULT_PAGE_SIZE = 10
MAX_PAGE_SIZE = 100


class PageParameters(Schema):
    """`page` from 1 and `page_size`; a page past the end is empty, a larger size is lowered."""

    page: int = Field(1, ge=1, le=10**9, description="Number of the page, from 1.")
    page_size: int = Field(
        DEFAULT_PAGE_SIZE,
        ge=1,
        le=10**9,
        description=f"Items on a page; more than {MAX_PAGE_SIZE} is lowered to it.",
    )

    @property
    def size(self) -> int:
        return min(self.page_size, MAX_PAGE_SIZE)

    @property
    def start(self) -> int:
        return (self.page - 1) * self.size


class Page(Schema):
    items: list[Any]
    count: int = Field(description="Items on all pages; above 10,000 it may be an estimate.")
    page: int
    page_size: int
    pages: int = Field(description="Number of pages, 0 if there are no items.")


def paged(schema: type[Schema]) -> type[Page]:
    """The schema of a page of such items, to document what `answer_page` answers."""
    return create_model(f"Paged{schema.__name__}", __base__=Page, items=(list[schema], ...))  # type: ignore[valid-type]


def answer_page(
    items: list[dict[str, Any]], count: int, parameters: PageParameters
) -> HttpResponse:
    """Answer with items that are as the API writes them."""
    return json_answer(_page(items, count, parameters))


class PageNumberPagination(PaginationBase):
    """For the lists that schemas write."""

    class Input(PageParameters):
        pass

    class Output(Page):
        pass

    @override
    def paginate_queryset(
        self,
        queryset: Any,
        pagination: Input,
        request: HttpRequest,
        **params: Any,
    ) -> dict[str, Any]:
        start, size = pagination.start, pagination.size
        # What only behaves like a queryset (lms/history.py) counts itself.
        count = partial(count_rows, queryset) if isinstance(queryset, QuerySet) else queryset.count
        items, number = read_page(
            lambda: list(queryset[start : start + size]), count, start=start, size=size
        )
        return _page(items, number, pagination)


def _page(items: Any, count: int, parameters: PageParameters) -> dict[str, Any]:
    return {
        "items": items,
        "count": count,
        "page": parameters.page,
        "page_size": parameters.size,
        "pages": -(-count // parameters.size),
    }
