"""What the worker does for payments."""

from datetime import UTC, datetime

from django.utils import timezone

from payments.models import Finding, MoveSource, Payment
from payments.services import catching_up, consistency, purchase, reconciliation, refunds
from project.common.background.outcomes import CONTINUED, Counts
from project.common.background.queue import enqueue

# Seconds of work in one task, well below Q_CLUSTER["timeout"].
SLICE = 20.0


def reconcile_payments() -> Counts:
    """Ask Stripe about payments that are open for too long."""
    return {"payments_asked_about": reconciliation.reconcile_payments()}


def close_needless_pages() -> Counts:
    """Close pages and orders that have lost their reason."""
    return {"pages_closed": reconciliation.close_needless_pages()}


def forget_old_keys() -> Counts:
    """Delete idempotency keys that were used long ago; to be scheduled once a day."""
    return {"keys_forgotten": purchase.forget_old_keys()}


def catch_up_with_stripe(since: int | None = None) -> Counts:
    """Apply the events that no webhook told, since a moment in Unix time or since the last look."""
    moment = None if since is None else datetime.fromtimestamp(since, UTC)
    look = catching_up.catch_up(since=moment)
    return {"events": look.events, "events_missed": look.missed}


def check_payments(after: int = 0, began: float | None = None) -> Counts:
    """Find where payments, access and Stripe disagree, and repair what needs no decision; to be
    scheduled once a night. What a task has no time for is done by one that follows."""
    began = began or timezone.now().timestamp()
    at = datetime.fromtimestamp(began, UTC)
    rest = consistency.check_payments(fix=True, at=at, after=after, seconds=SLICE)
    if rest:
        enqueue("payments.tasks.check_payments", rest, began)
        return CONTINUED
    compare_with_stripe(*consistency.to_ask_about())
    return {"findings_open": Finding.objects.open().count()}


def compare_with_stripe(*payment_ids: int) -> Counts:
    """Compare these payments with what Stripe says, some at once and the others by a task that
    follows, so that mails need not wait for all of them."""
    consistency.compare_with_stripe(payment_ids[: consistency.AT_ONCE], fix=True)
    if rest := payment_ids[consistency.AT_ONCE :]:
        enqueue("payments.tasks.compare_with_stripe", *rest)
    return {"payments_compared": len(payment_ids) - len(rest), "payments_left": len(rest)}


def ask_about_refunds(payment_id: int) -> Counts:
    """Take down which refunds Stripe knows of a payment."""
    payment = Payment.objects.get(pk=payment_id)
    refunds.ask_about_refunds(payment, source=MoveSource.WEBHOOK)
    return {"payments_asked_about": 1}
