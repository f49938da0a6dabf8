"""What people do with payments: one module a process."""

from payments.services.checkout import Pages, ask_stripe
from payments.services.importing import (
    BadRow,
    BookChanged,
    ImportReport,
    Row,
    UnreadableFile,
    check_rows,
    import_payments,
    read_rows,
)
from payments.services.purchase import (
    AlreadyPaid,
    IdempotencyKeyReused,
    NothingToPay,
    Order,
    forget_old_keys,
    request_payment,
)
from payments.services.reconciliation import close_needless_pages, reconcile_payments
from payments.services.staff import (
    AlreadyOpen,
    NotOffline,
    confirm_payment,
    give_access,
    has_access,
    refund_payment,
    reject_payment,
)
from payments.services.stripe_events import receive_event
from payments.services.transitions import Cause, IllegalMove, move_payment

__all__ = [
    "AlreadyOpen",
    "AlreadyPaid",
    "BadRow",
    "BookChanged",
    "Cause",
    "IdempotencyKeyReused",
    "IllegalMove",
    "ImportReport",
    "NotOffline",
    "NothingToPay",
    "Order",
    "Pages",
    "Row",
    "UnreadableFile",
    "ask_stripe",
    "check_rows",
    "close_needless_pages",
    "confirm_payment",
    "forget_old_keys",
    "give_access",
    "has_access",
    "import_payments",
    "move_payment",
    "read_rows",
    "receive_event",
    "reconcile_payments",
    "refund_payment",
    "reject_payment",
    "request_payment",
]
