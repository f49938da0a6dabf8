"""Sums over all rows of a list, as it is filtered and searched, on all of its pages.

They are asked for by the page itself once it is there: the list does not wait for a million rows to be
summed, and the sums are those of this moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.formats import number_format

from project.common.admin.base import StaffAdmin

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class Figure:
    """A sum as people read it; `note` says how many rows are in it."""

    label: "StrOrPromise"
    value: str
    note: str = ""
    is_result: bool = False


@dataclass(frozen=True)
class Sums:
    """How many rows there are, and for each currency a line of figures."""

    number: int
    lines: Sequence[Sequence[Figure]]

    @property
    def shown_number(self) -> str:
        return grouped(self.number)


def grouped(number: int) -> str:
    """A whole number as people read it, `1,234,567`."""
    return str(number_format(number, force_grouping=True))


class SummingAdmin[M: Model](StaffAdmin[M]):
    """A ModelAdmin whose list says what its rows come to."""

    list_before_template = "admin/sums.html"

    def sums_of(self, rows: QuerySet[M]) -> Sums:
        """What is said of these rows, which are in no order."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_sums"
        view = self.admin_site.admin_view(self.sums_view)
        return [path("sums/", view, name=name), *super().get_urls()]

    def sums_view(self, request: HttpRequest) -> HttpResponse:
        """The sums for the list of the same query."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        try:
            rows = self.listed(request)
        except IncorrectLookupParameters:
            return HttpResponseBadRequest()
        context = {"sums": self.sums_of(rows.order_by()), "opts": self.opts}
        return TemplateResponse(request, "admin/sums_told.html", context)
