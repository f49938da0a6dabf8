"""The page on which payments of other books are loaded from a table: at first it is checked and shown,
and then all of its rows are loaded or none."""

import io
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.timezone import localdate, localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget

from payments.columns import COLUMNS, Movement, movements_text
from payments.models import Payment, PaymentMethod, PaymentStatus
from payments.permissions import can_import
from payments.services.importing import files, loading
from payments.services.importing.report import ImportReport
from payments.services.importing.rows import Row
from people.current_user import current_user
from project.common.admin.base import StaffAdmin
from project.common.admin.tables import Table, TableFormat
from project.common.kept_files import TABLES, TABLES_AT_MOST
from project.common.money import shown

if TYPE_CHECKING:
    from people.models import User

# More than a request should do; the command takes any number.
MOST_ROWS = 10_000
MOST_BYTES = 20 * 1024 * 1024
# Of a workbook, which is packed: three times what 10,000 payments need. Empty cells, the slowest there are,
# take 14 s of CPU then.
MOST_UNPACKED = 32 * 1024 * 1024


class TableForm(forms.Form):
    table = forms.FileField(
        label=gettext_lazy("Table"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".xlsx,.csv,.tsv,.txt,text/csv"}),
        help_text=gettext_lazy(
            "XLSX, or CSV with commas, semicolons or tabs in UTF-8, UTF-16 or Windows-1251."
        ),
    )

    def clean_table(self) -> Any:
        table = self.cleaned_data["table"]
        if table.size > MOST_BYTES:
            message = _("The file is larger than %d MB: use manage.py load_payments.")
            raise forms.ValidationError(message % (MOST_BYTES // 1024**2))
        return table


class ImportPage(StaffAdmin[Payment]):
    """It stands over the list of payments, for those who have the right."""

    actions_list = ("import_payments",)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return can_import(current_user(request))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.template_view)
        name = "payments_payment_import_template"
        return [path("import-template/", view, name=name), *super().get_urls()]

    @action(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Import"),
        permissions=["import"],
        url_path="import",
        icon="upload",
    )
    def import_payments(self, request: HttpRequest) -> HttpResponse:
        """The address carries which table was chosen: whoever has to log in between, or opens the page
        once more, sees it again."""
        by, token = current_user(request), request.GET.get("table", "")
        if not token:
            form = TableForm(request.POST or None, request.FILES or None)
            if request.method != "POST" or not form.is_valid():
                return self._page(request, form)
            content = form.cleaned_data["table"].read()
            token = TABLES.keep(content, person_id=by.pk, at_most=TABLES_AT_MOST)
            return HttpResponseRedirect(f"{request.path}?{urlencode({'table': token})}")
        kept = TABLES.kept(token, person_id=by.pk)
        if kept is None:
            messages.error(request, _("The file is no longer available. Choose it again."))
            return HttpResponseRedirect(request.path)
        return self._checked(request, kept[1], by)

    def _checked(self, request: HttpRequest, content: bytes, by: "User") -> HttpResponse:
        """What is in the table, or the list of payments once it is loaded."""
        try:
            source = files.open_table(io.BytesIO(content), largest=MOST_UNPACKED)
            rows = _limited(source.rows)
            if request.method != "POST":
                report = loading.check_rows(rows=rows)
            else:
                report = loading.import_payments(rows=rows, by=by)
        except files.UnreadableFile as error:
            return self._page(request, TableForm(), refusal=str(error))
        except loading.PaymentsChanged as error:
            # Two at once: what is left to be done is shown anew.
            messages.error(request, str(error))
            return HttpResponseRedirect(request.get_full_path())
        if request.method == "POST" and not report.is_refused:
            self._tell(request, report)
            return HttpResponseRedirect(self.url("changelist"))
        if request.method == "POST":
            messages.error(request, _("Nothing was loaded."))
        return self._page(request, TableForm(), report=report, source=source)

    def _tell(self, request: HttpRequest, report: ImportReport) -> None:
        loaded = ngettext("%(count)s payment loaded", "%(count)s payments loaded", report.new)
        known = _("%(count)s already recorded.") % {"count": report.known}
        messages.success(request, f"{loaded % {'count': report.new}}, {known}")

    def _page(
        self,
        request: HttpRequest,
        form: TableForm,
        *,
        report: ImportReport | None = None,
        source: files.Source | None = None,
        refusal: str = "",
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Import payments"),
            "opts": self.opts,
            "form": form,
            "refusal": refusal,
            "report": report,
            "source": source,
            "again": self.url("import_payments"),
            "back": self.url("changelist"),
            "template": self.url("import_template"),
            "formats": TableFormat.choices,
            "columns": [(column.label, column.name) for column in COLUMNS if column.is_read],
            "most_rows": MOST_ROWS,
        }
        if report is not None and not report.is_refused:
            context |= _preview(report)
        return TemplateResponse(request, "admin/payments/import.html", context)

    def template_view(self, request: HttpRequest) -> HttpResponseBase:
        """A table with the names of the columns and an example."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        chosen = request.GET.get("format", "")
        columns = [column for column in COLUMNS if column.is_read]
        example = _example()
        table = Table(
            name=_("payments-template"),
            title=str(Payment._meta.verbose_name_plural).capitalize(),
            header=[str(column.label) for column in columns],
            number=1,
            rows=[[example[column.name] for column in columns]],
        )
        known = chosen in TableFormat.values
        return table.response(TableFormat(chosen) if known else TableFormat.XLSX)


def _limited(rows: Iterator[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows, start=1):
        if number > MOST_ROWS:
            message = _("There are more than %d rows: use manage.py load_payments.")
            raise files.UnreadableFile(message % MOST_ROWS)
        yield row


def _preview(report: ImportReport) -> dict[str, object]:
    """What will be in the book."""
    button = ngettext("Load %(count)s payment", "Load %(count)s payments", report.new)
    more = report.new - len(report.first)
    return {
        "button": button % {"count": report.new},
        "rows": [
            (
                payer,
                payment.title,
                shown(payment.amount, payment.currency),
                PaymentStatus(payment.status).label,
                date_format(localtime(payment.paid_at), "SHORT_DATE_FORMAT")
                if payment.paid_at
                else "—",
            )
            for payer, payment in zip(report.first_payers, report.first, strict=True)
        ],
        "more": ngettext("and %d more", "and %d more", more) % more if more else "",
    }


def _example() -> dict[str, Any]:
    today, refunded = localdate(), Decimal("500.00")
    return {
        # Known again, and refused in words, if somebody leaves it in the table.
        "external_id": pgettext("external id", "EXAMPLE-1"),
        "user": "anna@example.com",
        "course_id": 1,
        "lesson_id": None,
        "title": _("Bread at home"),
        "amount": Decimal("4900.00"),
        "refunded_amount": refunded,
        "refunds": movements_text([Movement(refunded, today)]),
        "disputes": "",
        "currency": settings.CURRENCY,
        "method": PaymentMethod.TRANSFER.label,
        "status": PaymentStatus.PAID.label,
        "created_at": today,
        "paid_at": today,
        "bank_reference": "000123",
    }
