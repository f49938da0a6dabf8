"""Columns of the lists about a payment."""

from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from payments.models import Dispute, Finding, Payment, Refund
from project.common.admin.base import display

if TYPE_CHECKING:
    from django.utils.safestring import SafeString


@display(description=_("payment"), ordering="payment")
def payment_link(_admin: object, row: Finding | Dispute | Refund) -> "SafeString | str":
    """The way to the payment's page, where one sees all of it and decides."""
    payment: Payment | None = row.payment
    if payment is None:
        return "—"
    address = reverse("admin:payments_payment_change", args=[payment.pk])
    link = '<a class="text-primary-600 dark:text-primary-500 hover:underline" href="{}">{}</a>'
    return format_html(link, address, str(payment))
