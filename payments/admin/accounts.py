"""The accounts: a year by months, a month by methods and days, and its closing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, override
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from payments import statistics
from payments.admin.base import PaymentsBookAdmin
from payments.admin.closing import ClosingForm, names_of, still_open
from payments.models import ClosedMonth, EntryKind, PaymentMethod
from payments.models.ledger import month_after
from payments.permissions import can_close
from payments.services.closing import FiguresChanged, close_month, months_to_close
from payments.statistics import Month, Sums
from people.current_user import current_user
from project.common.admin.base import tells_errors
from project.common.admin.log import noted
from project.common.errors import Conflict
from project.common.money import shown

COLUMNS = {
    EntryKind.PAYMENT: gettext_lazy("Received"),
    EntryKind.REFUND: gettext_lazy("Refunded"),
    EntryKind.DISPUTE: gettext_lazy("Lost in disputes"),
}


@dataclass(frozen=True)
class Linked:
    """An amount, or how many entries; `url` leads to the entries behind it."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Line:
    """A row of a table: what moved by kinds, and what is left of it."""

    title: str
    cells: list[Linked]
    url: str = ""
    is_part: bool = False
    # Of a month: what it is, and what came too late for another.
    month: Month | None = None
    late: Sequence[Linked] = ()
    close_url: str = ""


@dataclass(frozen=True)
class SumsTable:
    """The lines of one currency, and those below them."""

    currency: str
    lines: list[Line]
    totals: list[Line]


def month_written(month: date) -> str:
    """As addresses and tables have it."""
    return f"{month:%Y-%m}"


def entries_url(month: date, page: str = "changelist", /, **filters: object) -> str:
    """The list of the entries that count in this month, or their export."""
    query = {"month": month_written(month)} | filters
    return f"{reverse(f'admin:payments_ledgerentry_{page}')}?{urlencode(query)}"


def _cells(sums: Sums, currency: str, month: date | None = None, **filters: object) -> list[Linked]:
    """One for each kind, and the last for what is left; with links if it is of one month."""
    cells = []
    of_kinds = sums.by("kind")
    for kind in COLUMNS:
        if kind not in of_kinds:
            cells.append(Linked("—"))
            continue
        url = entries_url(month, kind__exact=kind.value, **filters) if month else ""
        cells.append(Linked(shown(of_kinds[kind].amount, currency, in_column=True), url))
    url = entries_url(month, **filters) if month and sums.rows else ""
    return [*cells, Linked(shown(sums.amount, currency, in_column=True), url)]


def _by_method(
    sums: Sums, currency: str, month: date | None = None, **filters: object
) -> Iterator[Line]:
    for method, of_method in sums.by("method").items():
        known = filters | {"method__exact": method}
        cells = _cells(of_method, currency, month, **known)
        yield Line(str(PaymentMethod(method).label), cells, is_part=True)


def sums_tables(
    months: list[Month], all_of_them: str, *, to_close: bool = False
) -> list[SumsTable]:
    """A table for each currency: each month, and all of them, in sum and by method."""
    tables = []
    summed = {month.first: month.sums.by_months() for month in months}
    whole = Sums(tuple(row for sums in summed.values() for row in sums.rows))
    for currency, of_all in whole.by("currency").items():
        lines = []
        for month in months:
            sums = summed[month.first].of(currency=currency)
            cells = _cells(sums, currency, month.first, currency__exact=currency)
            place = [month.first.year, month.first.month]
            url = reverse("admin:payments_closedmonth_month", args=place)
            may_close = to_close and month.is_to_close
            close = reverse("admin:payments_closedmonth_close", args=place) if may_close else ""
            title = date_format(month.first, "F Y")
            late = late_entries(month.first, sums, currency__exact=currency)
            lines.append(Line(title, cells, url, month=month, late=late, close_url=close))
            lines += _by_method(sums, currency, month.first, currency__exact=currency)
        total = Line(all_of_them, _cells(of_all, currency))
        tables.append(SumsTable(currency, lines, [total, *_by_method(of_all, currency)]))
    return tables


def month_tables(month: Month) -> list[tuple[SumsTable, SumsTable]]:
    """Two for each currency: by method and by day."""
    tables = []
    for currency, sums in month.sums.by("currency").items():
        of = {"currency__exact": currency}
        total = Line(_("In total"), _cells(sums, currency, month.first, **of))
        methods = [*_by_method(sums, currency, month.first, **of)]
        days = [
            Line(
                date_format(day, "DATE_FORMAT"),
                _cells(of_day, currency, month.first, day_from=day, day_to=day, **of),
            )
            for day, of_day in sums.by("day").items()
        ]
        tables.append((SumsTable(currency, methods, [total]), SumsTable(currency, days, [total])))
    return tables


def late_entries(month: date, sums: Sums, **filters: object) -> list[Linked]:
    """What counts in the month and is of one before it, as “3 entries of October 2026”."""
    found = []
    for of, late in sums.before(month).by_months().by("day").items():
        text = ngettext(
            "%(number)d entry of %(month)s", "%(number)d entries of %(month)s", late.entries
        )
        text %= {"number": late.entries, "month": date_format(of, "E Y")}
        last = month_after(of) - date.resolution
        found.append(Linked(text, entries_url(month, day_from=of, day_to=last, **filters)))
    return found


@admin.register(ClosedMonth)
class AccountsAdmin(PaymentsBookAdmin[ClosedMonth]):
    """Stands for the months that are still open, too: in the place of a list is a year."""

    title_in_menu = gettext_lazy("accounts")

    @override
    def get_urls(self) -> list[URLPattern]:
        pages = {"": self.month_view, "close/": self.close_view}
        names = {"": "month", "close/": "close"}
        own = [
            path(
                f"<int:year>-<int:month>/{end}",
                self.admin_site.admin_view(view),
                name=f"payments_closedmonth_{names[end]}",
            )
            for end, view in pages.items()
        ]
        return [*own, *super().get_urls()]

    @override
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._require_view(request)
        years = statistics.years()
        asked = request.GET.get("year", "")
        year = int(asked) if asked in map(str, years) else years[-1]
        months = statistics.months_of(year)
        context = {
            **self._context(request, _("Accounts")),
            "years": [(each, f"?year={each}") for each in years],
            "year": year,
            "tables": sums_tables(
                months,
                _("%(year)d in total") % {"year": year},
                to_close=can_close(current_user(request)),
            ),
        }
        return TemplateResponse(request, "admin/payments/accounts.html", context)

    @override
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """What a closed month is, its page says."""
        self._require_view(request)
        closed = self.get_object(request, object_id)
        if closed is None:
            raise Http404
        return HttpResponseRedirect(self.url("month", closed.month.year, closed.month.month))

    def month_view(self, request: HttpRequest, year: int, month: int) -> HttpResponse:
        self._require_view(request)
        shown_month = statistics.month(_first_day(year, month))
        may_close = shown_month.is_to_close and can_close(current_user(request))
        context = {
            **self._context(request, date_format(shown_month.first, "F Y")),
            "month": shown_month,
            "tables": month_tables(shown_month),
            "late": late_entries(shown_month.first, shown_month.sums),
            "entries_url": entries_url(shown_month.first),
            "export_url": entries_url(shown_month.first, "export"),
            "close_url": self.url("close", year, month) if may_close else "",
            "back": f"{self.url('changelist')}?year={year}",
        }
        return TemplateResponse(request, "admin/payments/month.html", context)

    @tells_errors
    def close_view(self, request: HttpRequest, year: int, month: int) -> HttpResponse:
        """A GET asks and changes nothing, a POST is the answer."""
        by = current_user(request)
        if not can_close(by):
            raise PermissionDenied
        first = _first_day(year, month)
        back = self.url("month", year, month)
        try:
            months = [statistics.month(each) for each in months_to_close(first)]
        except Conflict as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(back)
        form = ClosingForm(months, request.POST or None)
        if form.is_valid():
            try:
                all_closed = close_month(first, by, seen=[month.sums.rows for month in months])
            except FiguresChanged as error:
                self.message_user(request, str(error), messages.ERROR)
                return HttpResponseRedirect(request.path)
            for closed in all_closed:
                self.log_addition(request, closed, [noted(gettext_lazy("Closed"))])
            self.message_user(
                request, _("Closed: %(months)s.") % {"months": names_of(months)}, messages.SUCCESS
            )
            return HttpResponseRedirect(back)
        context = {
            **self._context(request, _("Close the month")),
            "months": names_of(months),
            "tables": sums_tables(months, _("In total")),
            "waiting": still_open(month_after(first)),
            "form": form,
            "back": back,
        }
        return TemplateResponse(request, "admin/payments/close.html", context)

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "content_title": title,
            "columns": [*COLUMNS.values(), _("Net")],
        }


def _first_day(year: int, month: int) -> date:
    """The first day of a month of an address; one that nobody's ledger has is not found."""
    try:
        first = date(year, month, 1)
        month_after(first)
    except (ValueError, OverflowError) as error:
        raise Http404 from error
    return first
