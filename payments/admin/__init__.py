"""The payments book in the admin: read, decided about, never edited."""

from payments.admin.accounts import AccountsAdmin
from payments.admin.disputes import DisputeAdmin, RefundAdmin
from payments.admin.events import StripeEventAdmin
from payments.admin.findings import FindingAdmin
from payments.admin.ledger import LedgerEntryAdmin
from payments.admin.payments import PaymentAdmin

__all__ = [
    "AccountsAdmin",
    "DisputeAdmin",
    "FindingAdmin",
    "LedgerEntryAdmin",
    "PaymentAdmin",
    "RefundAdmin",
    "StripeEventAdmin",
]
