"""What the worker does for payments."""

from payments.services import purchase, reconciliation


def reconcile_payments() -> str:
    """Ask Stripe about payments that are open for too long."""
    return f"{reconciliation.reconcile_payments()} payments asked about"


def close_needless_pages() -> str:
    """Close the pages at Stripe for what has been paid for otherwise."""
    return f"{reconciliation.close_needless_pages()} pages closed"


def forget_old_keys() -> str:
    """Delete idempotency keys that were used long ago; to be scheduled once a day."""
    return f"{purchase.forget_old_keys()} idempotency keys forgotten"
