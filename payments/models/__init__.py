"""The payments book, what became of each payment, and what is kept of Stripe."""

from payments.models.idempotency import IdempotencyKey
from payments.models.notes import AutomaticReason, StripeOutcome
from payments.models.payment import (
    HALF_MADE,
    IS_UNPAID,
    MOVES,
    OPEN_STATUSES,
    Payment,
    PaymentMethod,
    PaymentQuerySet,
    PaymentStatus,
    may_be_opened,
    reference_of,
)
from payments.models.stripe import StripeEvent, StripePrice
from payments.models.transitions import MoveSource, PaymentMove

__all__ = [
    "HALF_MADE",
    "IS_UNPAID",
    "MOVES",
    "OPEN_STATUSES",
    "AutomaticReason",
    "IdempotencyKey",
    "MoveSource",
    "Payment",
    "PaymentMethod",
    "PaymentMove",
    "PaymentQuerySet",
    "PaymentStatus",
    "StripeEvent",
    "StripeOutcome",
    "StripePrice",
    "may_be_opened",
    "reference_of",
]
