"""The policy of the payments book. Who sees a payment is `visible_to` in models.py."""

from payments.models import Payment
from people.models import User


def can_cancel(user: User, payment: Payment) -> bool:
    """Call off an order: its buyer. Staff reject what they know will not come."""
    return payment.payer_id == user.pk


def can_see_payments(user: User) -> bool:
    """Look through everybody's payments, in the admin. Each of the rights below needs it."""
    return user.has_perm("payments.view_payment")


def can_confirm(user: User) -> bool:
    """Say that cash or a transfer came, or will not come."""
    return can_see_payments(user) and user.has_perm("payments.confirm_payment")


def can_refund(user: User) -> bool:
    return can_see_payments(user) and user.has_perm("payments.refund_payment")


def can_import(user: User) -> bool:
    """Load payments from other books."""
    return can_see_payments(user) and user.has_perm("payments.add_payment")
