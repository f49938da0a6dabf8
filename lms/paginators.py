"""Pages of a list, the same for every list of the API."""

from typing import Any, override

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Schema
from ninja.pagination import PaginationBase
from pydantic import Field

DEFAULT_PAGE_SIZE = 10
MAX_PAGE_SIZE = 100


class PageNumberPagination(PaginationBase):
    """`page` from 1 and `page_size`; a page past the end is empty, a larger size is lowered."""

    class Input(Schema):
        page: int = Field(1, ge=1, le=10**9, description="Number of the page, from 1.")
        page_size: int = Field(
            DEFAULT_PAGE_SIZE,
            ge=1,
            le=10**9,
            description=f"Items on a page; more than {MAX_PAGE_SIZE} is lowered to it.",
        )

    class Output(Schema):
        items: list[Any]
        count: int = Field(description="Items on all pages.")
        page: int
        page_size: int
        pages: int = Field(description="Number of pages, 0 if there are no items.")

    @override
    def paginate_queryset(
        self, queryset: QuerySet[Any], pagination: Input, request: HttpRequest, **params: Any
    ) -> dict[str, Any]:
        size = min(pagination.page_size, MAX_PAGE_SIZE)
        count = queryset.count()
        start = (pagination.page - 1) * size
        return {
            "items": queryset[start : start + size] if start < count else [],
            "count": count,
            "page": pagination.page,
            "page_size": size,
            "pages": -(-count // size),
        }
