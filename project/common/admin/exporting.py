"""Takes the rows of a list along as a table."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from project.common.admin.base import StaffAdmin, tells_errors
from project.common.admin.sums import SummingAdmin, grouped
from project.common.admin.tables import Cell, Table, TableFormat
from project.common.db.snapshots import one_moment

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

logger = logging.getLogger(__name__)

# Rows that are in memory at once, with what is told of them.
CHUNK = 1000


class FormatForm(forms.Form):
    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=TableFormat.choices,
        initial=TableFormat.XLSX,
        widget=UnfoldAdminSelectWidget,
    )

    def clean_format(self) -> TableFormat:
        return TableFormat(self.cleaned_data["format"])


@dataclass(frozen=True)
class TableColumn[M: Model]:
    title: "StrOrPromise"
    value: Callable[[M], Cell]


class ExportingAdmin[M: Model](StaffAdmin[M]):
    """A ModelAdmin with an *Export* button over its list, for the rows as they are filtered, searched
    for and ordered. Whoever may look at the list may take it along."""

    table_columns: Sequence[TableColumn[M]] = ()

    def with_exported(self, rows: QuerySet[M]) -> QuerySet[M]:
        """Add what the columns tell: related rows and annotations. Override it."""
        return rows

    def sheets_beside(self, rows: QuerySet[M]) -> Sequence[Table]:
        """Further sheets about these rows, for a format that has several. Override it."""
        return ()

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", view, name=name), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        told = {
            **(extra_context or {}),
            "has_export_permission": self.has_export_permission(request),
        }
        return super().changelist_view(request, told)

    @tells_errors
    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """A GET asks for the format, a POST answers with the file."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        back = self.url("changelist")
        try:
            rows = self.listed(request)
        except IncorrectLookupParameters:
            # As the list does with such an address.
            return HttpResponseRedirect(f"{back}?{ERROR_FLAG}=1")
        number = rows.order_by().count()
        form = FormatForm(request.POST or None)
        if form.is_valid():
            with one_moment():
                answer = self._table_of(request, rows, number).response(form.cleaned_data["format"])
            logger.info("%s took %s rows of %s along", request.user.pk, number, self.opts.label)
            return answer
        query = request.GET.urlencode()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Export to a spreadsheet"),
            "opts": self.opts,
            "form": form,
            "number": grouped(number),
            "has_sums": isinstance(self, SummingAdmin),
            "back": f"{back}?{query}" if query else back,
        }
        return TemplateResponse(request, "admin/export.html", context)

    def _table_of(self, request: HttpRequest, rows: QuerySet[M], number: int) -> Table:
        title = capfirst(str(self.opts.verbose_name_plural))
        return Table(
            name=f"{title} {localdate():%Y-%m-%d}",
            title=title,
            header=[str(column.title) for column in self.table_columns],
            number=number,
            rows=self._cells_of(request, rows),
            more=self.sheets_beside(rows),
        )

    def _cells_of(self, request: HttpRequest, rows: QuerySet[M]) -> Iterator[list[Cell]]:
        """Their keys in order first, and then what is told of a bounded number at a time: no cursor
        stays open meanwhile, which a pooler would not have, and related rows are read for many at
        once."""
        keys = list(rows.values_list("pk", flat=True).iterator(chunk_size=10 * CHUNK))
        shown = self.with_exported(self.get_queryset(request))
        for some in batched(keys, CHUNK, strict=False):
            found = shown.in_bulk(some)
            for key in some:
                if key in found:
                    yield [column.value(found[key]) for column in self.table_columns]
