"""The states of a payment, and how it may move from one to another (docs/rules.md, 12.5)."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class PaymentMethod(models.TextChoices):
    CASH = "cash", _("cash")
    TRANSFER = "transfer", _("transfer")
    STRIPE = "stripe", _("Stripe")


class PaymentStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    PROCESSING = "processing", _("processing")
    PAID = "paid", _("paid")
    FAILED = "failed", _("failed")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("cancelled")
    REFUNDED = "refunded", _("refunded")


# What may become of a payment. Facts come in any order: a payment that we gave up may turn out to be
# paid, and a paid one never goes back.
MOVES: dict[str, frozenset[str]] = {
    PaymentStatus.PENDING: frozenset({"processing", "paid", "failed", "expired", "cancelled"}),
    PaymentStatus.PROCESSING: frozenset({"paid", "failed"}),
    PaymentStatus.FAILED: frozenset({"paid"}),
    # Stripe tells that a page is closed while the buyer who closes it waits for the answer.
    PaymentStatus.EXPIRED: frozenset({"processing", "paid", "cancelled"}),
    PaymentStatus.CANCELLED: frozenset({"processing", "paid"}),
    PaymentStatus.PAID: frozenset({"refunded"}),
    PaymentStatus.REFUNDED: frozenset(),
}
# What undoes a move: staff confirmed by mistake, or a refund failed after all.
MOVES_BACK = {PaymentStatus.PAID: PaymentStatus.PENDING, PaymentStatus.REFUNDED: PaymentStatus.PAID}
OPEN_STATUSES = (PaymentStatus.PENDING, PaymentStatus.PROCESSING)
# The money came, also where it has gone back since.
PAID_STATUSES = (PaymentStatus.PAID, PaymentStatus.REFUNDED)
# A row that is there before its session is: nobody sees it until there is something to open.
HALF_MADE = Q(method=PaymentMethod.STRIPE, status=PaymentStatus.PENDING, session_id="")
# A page closes after two hours; bank transfers take their time.
STRIPE_OPEN_AT_MOST = timedelta(days=2)
OFFLINE_OPEN_AT_MOST = timedelta(days=30)
# Most bank debits and transfers are through within a week.
PROCESSING_AT_MOST = timedelta(days=7)
# Of the reference of the access that a payment gives.
PREFIX = "payment:"
