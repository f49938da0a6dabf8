"""The payments book, what became of each payment, and what is kept of Stripe."""

from payments.models.disputes import Dispute, DisputeStatus
from payments.models.findings import Finding, FindingKind, FindingStatus
from payments.models.idempotency import IdempotencyKey
from payments.models.ledger import ClosedMonth, EntryKind, LedgerEntry
from payments.models.notes import AutomaticReason, StripeOutcome
from payments.models.payment import Payment
from payments.models.refunds import Refund, RefundStatus
from payments.models.states import PaymentMethod, PaymentStatus
from payments.models.stripe import StripeEvent, StripeLook, StripePrice
from payments.models.transitions import MoveSource, PaymentMove

__all__ = [
    "AutomaticReason",
    "ClosedMonth",
    "Dispute",
    "DisputeStatus",
    "EntryKind",
    "Finding",
    "FindingKind",
    "FindingStatus",
    "IdempotencyKey",
    "LedgerEntry",
    "MoveSource",
    "Payment",
    "PaymentMethod",
    "PaymentMove",
    "PaymentStatus",
    "Refund",
    "RefundStatus",
    "StripeEvent",
    "StripeLook",
    "StripeOutcome",
    "StripePrice",
]
