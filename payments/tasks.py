"""What the worker does for payments."""

from payments import services


def reconcile_payments() -> str:
    """Ask Stripe about payments that are open for too long."""
    return f"{services.reconcile_payments()} payments asked about"
