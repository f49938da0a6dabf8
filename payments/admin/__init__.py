"""The payments book in the admin: read, decided about, never edited."""

from payments.admin.book import PaymentAdmin
from payments.admin.events import StripeEventAdmin

__all__ = ["PaymentAdmin", "StripeEventAdmin"]
