"""The payments book, what became of each payment, and what is kept of Stripe."""

from payments.models.idempotency import IdempotencyKey
from payments.models.notes import AutomaticReason, StripeOutcome
from payments.models.payment import Payment, PaymentMethod, PaymentStatus
from payments.models.stripe import StripeEvent, StripePrice
from payments.models.transitions import MoveSource, PaymentMove

__all__ = [
    "AutomaticReason",
    "IdempotencyKey",
    "MoveSource",
    "Payment",
    "PaymentMethod",
    "PaymentMove",
    "PaymentStatus",
    "StripeEvent",
    "StripeOutcome",
    "StripePrice",
]
