"""Payments from tables: CSV and XLSX.

In come the rows that `manage.py load_payments` takes, checked and loaded by the same service: all of
them or none.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from import_export.admin import ImportMixin
from import_export.resources import Resource
from import_export.results import Result
from unfold.contrib.import_export.forms import ImportForm

from payments.admin.formats import MOST_ROWS, RowsFromCSV, RowsFromXLSX
from payments.columns import COLUMNS
from payments.models import Payment
from payments.permissions import can_import
from payments.services.importing import files, loading
from payments.services.importing.report import ImportReport
from payments.services.importing.rows import Row
from people.current_user import current_user
from people.models import User

if TYPE_CHECKING:
    from django.forms import Form

LIST = "admin:payments_payment_changelist"


class Payments(Resource):  # type: ignore[misc]
    @classmethod
    def get_display_name(cls) -> str:
        return str(Payment._meta.verbose_name_plural)


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


class PaymentImportMixin(ImportMixin):  # type: ignore[misc]
    """The button over the list of payments, for those who have the right."""

    import_export_change_list_template = "admin/change_list.html"
    import_form_class = ImportForm
    import_template_name = "admin/payments/import.html"
    import_formats: Sequence[type] = (RowsFromCSV, RowsFromXLSX)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return can_import(current_user(request))

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
