"""Payments to and from tables: CSV and XLSX.

Out go words that people read; in come the rows that `manage.py load_payments` takes, checked and
loaded by the same service: all of them or none.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from import_export.admin import ImportExportMixin
from import_export.fields import Field
from import_export.formats.base_formats import CSV, XLSX
from import_export.resources import Resource
from import_export.results import Result
from import_export.widgets import CharWidget, DateTimeWidget, DecimalWidget, Widget
from unfold.contrib.import_export.forms import ExportForm, ImportForm

from payments.admin.formats import MOST_ROWS, RowsFromCSV, RowsFromXLSX
from payments.columns import COLUMNS
from payments.models import Payment
from payments.permissions import can_import, can_see_payments
from payments.services.importing import files, loading
from payments.services.importing.report import ImportReport
from payments.services.importing.rows import Row
from people.current_user import current_user
from people.models import User

if TYPE_CHECKING:
    from django.forms import Form
    from django_stubs_ext import StrOrPromise

LIST = "admin:payments_payment_changelist"
# What fits into the memory of a request; more is asked for in parts, by the filters of the list.
MOST_EXPORTED = 50_000


def exported(title: "StrOrPromise", attribute: str, widget: Widget | None = None) -> Field:
    return Field(attribute, title, widget or CharWidget(), readonly=True)


class Payments(Resource):  # type: ignore[misc]
    @classmethod
    def get_display_name(cls) -> str:
        return str(Payment._meta.verbose_name_plural)


class PaymentExport(Payments):
    number = exported(gettext_lazy("number"), "pk")
    external = exported(gettext_lazy("external id"), "external_id")
    payer_email = exported(gettext_lazy("payer's email"), "payer__email")
    course_number = exported(gettext_lazy("course number"), "course_id")
    lesson_number = exported(gettext_lazy("lesson number"), "lesson_id")
    thing = exported(gettext_lazy("title"), "title")
    sum = exported(gettext_lazy("amount"), "amount", DecimalWidget())
    money = exported(gettext_lazy("currency"), "currency")
    way = exported(gettext_lazy("method"), "get_method_display")
    state = exported(gettext_lazy("status"), "get_status_display")
    created = exported(gettext_lazy("created"), "created_at", DateTimeWidget("%Y-%m-%d %H:%M:%S"))
    paid = exported(gettext_lazy("paid at"), "paid_at", DateTimeWidget("%Y-%m-%d %H:%M:%S"))

    class Meta:
        chunk_size = 1000


class CheckedRows(Result):  # type: ignore[misc]
    """What the library's pages ask for, told by our report."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__()
        self.report = report

    def has_validation_errors(self) -> bool:
        return self.report.is_refused


class PaymentImport(Payments):
    """The library's form of an import around our service."""

    def import_data(
        self,
        dataset: list[Row],
        *,
        dry_run: bool = False,
        user: User | None = None,
        **options: object,
    ) -> CheckedRows:
        if dry_run:
            return CheckedRows(loading.check_rows(rows=dataset))
        return CheckedRows(loading.import_payments(rows=dataset, by=user))


class PaymentImportExportMixin(ImportExportMixin):  # type: ignore[misc]
    """The two buttons over the list of payments, for those who have the right."""

    import_form_class = ImportForm
    export_form_class = ExportForm
    import_template_name = "admin/payments/import.html"
    import_formats: Sequence[type] = (RowsFromCSV, RowsFromXLSX)
    export_formats: Sequence[type] = (CSV, XLSX)
    resource_classes = (PaymentExport,)
    # What a spreadsheet of a country with an alphabet of its own needs to see that this is UTF-8.
    to_encoding = "utf-8-sig"

    def has_import_permission(self, request: HttpRequest) -> bool:
        return can_import(current_user(request))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return can_see_payments(current_user(request))

    def export_action(self, request: HttpRequest) -> HttpResponse:
        try:
            if request.method == "POST" and self.has_export_permission(request):
                rows = self.get_export_queryset(request).order_by()[: MOST_EXPORTED + 1]
                if rows.count() > MOST_EXPORTED:
                    text = _(
                        "There are more than %d payments: narrow the list down with its filters."
                    )
                    messages.error(request, text % MOST_EXPORTED)
                    return HttpResponseRedirect(reverse(LIST))
            response: HttpResponse = super().export_action(request)
        except IncorrectLookupParameters:
            # As the list does with such an address.
            return HttpResponseRedirect(f"{reverse(LIST)}?{ERROR_FLAG}=1")
        return response

    def get_export_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        payments: QuerySet[Payment] = super().get_export_queryset(request)
        return payments.select_related("payer")

    def get_import_resource_classes(self, request: HttpRequest) -> list[type[Resource]]:
        return [PaymentImport]

    def get_import_context_data(self, **kwargs: object) -> dict[str, object]:
        return {"columns": [column.name for column in COLUMNS], "most_rows": MOST_ROWS}

    def add_data_read_fail_error_to_form(self, form: "Form", e: Exception) -> None:
        if not isinstance(e, files.UnreadableFile):
            raise e
        form.add_error("import_file", str(e))

    def process_import(self, request: HttpRequest, **kwargs: object) -> HttpResponse:
        try:
            response: HttpResponse = super().process_import(request, **kwargs)
        except (loading.PaymentsChanged, files.UnreadableFile) as error:
            messages.error(request, str(error))
        except FileNotFoundError:
            messages.error(request, _("The file is no longer available. Choose it again."))
        else:
            return response
        return HttpResponseRedirect(reverse("admin:payments_payment_import"))

    def process_result(self, result: CheckedRows, request: HttpRequest) -> HttpResponse:
        report = result.report
        if report.is_refused:
            for reason in report.refusals():
                messages.error(request, reason)
            messages.error(request, _("Nothing was loaded."))
            return HttpResponseRedirect(reverse("admin:payments_payment_import"))
        loaded = ngettext("%(count)s payment loaded", "%(count)s payments loaded", report.new)
        known = _("%(count)s already recorded.") % {"count": report.known}
        messages.success(request, f"{loaded % {'count': report.new}}, {known}")
        return HttpResponseRedirect(reverse(LIST))
