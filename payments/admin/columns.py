"""Columns of the lists about a payment."""

from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from payments.models import Dispute, Finding, LedgerEntry, Payment, Refund, StripeEvent
from project.common.admin.base import display, person_shown

if TYPE_CHECKING:
    from django.utils.safestring import SafeString


@display(description=_("payment"), ordering="payment")
def payment_link(
    _admin: object, row: Finding | Dispute | Refund | LedgerEntry | StripeEvent
) -> "SafeString | str":
    """The way to the payment's page, where one sees all of it and decides; of two for the same thing
    the payer tells which."""
    payment: Payment | None = row.payment
    if payment is None:
        return "—"
    link = _link(reverse("admin:payments_payment_change", args=[payment.pk]), payment)
    return format_html("{}<br>{}", link, person_shown(payment.payer))


def dashboard_link(payment: Payment, text: object) -> "SafeString | str":
    """The way to the payment in Stripe's dashboard, as far as it is known in which account and mode."""
    if not payment.payment_intent_id:
        return "—"
    place = f"{payment.account_id}/" if payment.account_id else ""
    place += "test/" if payment.livemode is False else ""
    return _link(f"https://dashboard.stripe.com/{place}payments/{payment.payment_intent_id}", text)


def _link(address: str, text: object) -> "SafeString":
    link = '<a class="text-primary-600 dark:text-primary-500 hover:underline" href="{}">{}</a>'
    return format_html(link, address, text)
