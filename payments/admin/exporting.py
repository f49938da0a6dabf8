"""The payments book as a table, with the columns that the import reads."""

from collections.abc import Callable
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils.timezone import localdate

from payments.columns import COLUMNS, Movement, exported_id, movements_text
from payments.models import (
    Dispute,
    DisputeStatus,
    Payment,
    PaymentMethod,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from project.common.admin.exporting import ExportingAdmin, TableColumn
from project.common.admin.tables import Cell, Money


def _refunds(payment: Any) -> str:
    return movements_text(
        Movement(refund.amount, localdate(refund.settled_at), refund.ends_access)
        for refund in payment.given_back
    )


def _lost(payment: Any) -> str:
    return movements_text(
        Movement(dispute.amount, localdate(dispute.told_at)) for dispute in payment.lost
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
    # `get_status_display` makes a table of all choices for each row.
    "method": lambda payment: str(PaymentMethod(payment.method).label),
    "status": lambda payment: str(PaymentStatus(payment.status).label),
    "created_at": lambda payment: payment.created_at,
    "paid_at": lambda payment: payment.paid_at,
    "bank_reference": lambda payment: payment.bank_reference,
}


class PaymentExport(ExportingAdmin[Payment]):
    table_columns = [TableColumn(column.label, CELLS[column.name]) for column in COLUMNS]

    def with_exported(self, rows: QuerySet[Payment]) -> QuerySet[Payment]:
        succeeded = Refund.objects.filter(status=RefundStatus.SUCCEEDED).order_by(
            "settled_at", "id"
        )
        lost = Dispute.objects.filter(status=DisputeStatus.LOST).order_by("told_at", "id")
        return rows.select_related("payer").prefetch_related(
            Prefetch("refunds", succeeded, to_attr="given_back"),
            Prefetch("disputes", lost, to_attr="lost"),
        )
