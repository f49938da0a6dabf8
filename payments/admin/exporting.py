"""The payments book as a table, with the columns that the import reads."""

from collections.abc import Callable

from django.db.models import QuerySet
from django.utils.timezone import localdate

from payments.columns import COLUMNS, Movement, exported_id, movements_text
from payments.models import DisputeStatus, Payment, RefundStatus
from project.common.admin.exporting import ExportingAdmin, TableColumn
from project.common.admin.tables import Cell, Money


def _refunds(payment: Payment) -> str:
    return movements_text(
        Movement(refund.amount, localdate(refund.settled_at), refund.ends_access)
        for refund in payment.refunds.all()
        if refund.status == RefundStatus.SUCCEEDED
    )


def _lost(payment: Payment) -> str:
    return movements_text(
        Movement(dispute.amount, localdate(dispute.told_at))
        for dispute in reversed(payment.disputes.all())
        if dispute.status == DisputeStatus.LOST
    )


CELLS: dict[str, Callable[[Payment], Cell]] = {
    "number": lambda payment: payment.pk,
    "external_id": lambda payment: (
        payment.external_id or exported_id(payment.pk, payment.created_at)
    ),
    "user": lambda payment: payment.payer.email,
    "payer_name": lambda payment: payment.payer.get_full_name(),
    "course_id": lambda payment: payment.course_id,
    "lesson_id": lambda payment: payment.lesson_id,
    "title": lambda payment: payment.title,
    "amount": lambda payment: Money(payment.amount, payment.currency),
    "refunded_amount": lambda payment: Money(payment.refunded_amount, payment.currency),
    "refunds": _refunds,
    "disputes": _lost,
    "currency": lambda payment: payment.currency,
    "method": lambda payment: payment.get_method_display(),
    "status": lambda payment: payment.get_status_display(),
    "created_at": lambda payment: payment.created_at,
    "paid_at": lambda payment: payment.paid_at,
    "bank_reference": lambda payment: payment.bank_reference,
}


class PaymentExport(ExportingAdmin[Payment]):
    table_columns = [TableColumn(column.label, CELLS[column.name]) for column in COLUMNS]

    def with_exported(self, rows: QuerySet[Payment]) -> QuerySet[Payment]:
        return rows.select_related("payer").prefetch_related("refunds", "disputes")
