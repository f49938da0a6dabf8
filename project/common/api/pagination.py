"""Pages of a list, the same for every list of the API."""

from collections.abc import Sequence
from typing import Any, Protocol, override

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Schema
from ninja.pagination import PaginationBase
from pydantic import Field

from project.common.db.counting import count_rows

DEFAULT_PAGE_SIZE = 10
MAX_PAGE_SIZE = 100


class ListLike(Protocol):
    """What is paged like a queryset, and counts itself."""

    def count(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Sequence[object]: ...


class PageNumberPagination(PaginationBase):
    class Input(Schema):
        """`page` from 1 and `page_size`; a page past the end is empty, a larger size is lowered."""

        page: int = Field(1, ge=1, le=10**9, description="Page number, starting at 1.")
        page_size: int = Field(
            DEFAULT_PAGE_SIZE,
            ge=1,
            le=10**9,
            description=f"Items per page; larger values are lowered to {MAX_PAGE_SIZE}.",
        )

    class Output(Schema):
        items: list[Any]
        count: int = Field(
            description="Number of items on all pages; above 10,000 it may be an estimate."
        )
        page: int
        page_size: int
        pages: int = Field(description="Number of pages, 0 if there are no items.")

    @override
    def paginate_queryset(
        self,
        queryset: QuerySet[Any] | ListLike,
        pagination: Input,
        request: HttpRequest,
        **params: object,
    ) -> dict[str, object]:
        size = min(pagination.page_size, MAX_PAGE_SIZE)
        start = (pagination.page - 1) * size
        items = [] if start else list(queryset[:size])
        count = len(items)
        # A first page that is not full is all there is: counting would search once more for what was
        # just found.
        if start or count == size:
            count = count_rows(queryset) if isinstance(queryset, QuerySet) else queryset.count()
        if start and start < count:
            items = list(queryset[start : start + size])
        return {
            "items": items,
            "count": count,
            "page": pagination.page,
            "page_size": size,
            "pages": -(-count // size),
        }
