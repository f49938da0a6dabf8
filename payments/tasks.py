"""What the worker does for payments."""

from payments import services


def reconcile_payments() -> str:
    """Ask Stripe about payments that are open for too long."""
    return f"{services.reconcile_payments()} payments asked about"


def close_needless_pages() -> str:
    """Close the pages at Stripe for what has been paid for otherwise."""
    return f"{services.close_needless_pages()} pages closed"


def forget_old_keys() -> str:
    """Delete idempotency keys that were used long ago; to be scheduled once a day."""
    return f"{services.forget_old_keys()} idempotency keys forgotten"
