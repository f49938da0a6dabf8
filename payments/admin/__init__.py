"""The payments book in the admin: read, decided about, never edited."""

from payments.admin.events import StripeEventAdmin
from payments.admin.payments import PaymentAdmin

__all__ = ["PaymentAdmin", "StripeEventAdmin"]
