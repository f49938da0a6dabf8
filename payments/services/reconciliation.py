"""Repairing what a lost webhook left behind, without anyone."""

import logging
from datetime import datetime, timedelta

from django.utils import timezone

from payments.models import HALF_MADE, MoveSource, Payment
from payments.provider import ProviderRefused, ProviderUnavailable
from payments.services.checkout import ask_stripe

logger = logging.getLogger(__name__)

# A buyer needs some minutes on the page, and Stripe some seconds for its event.
OVERDUE_AFTER = timedelta(minutes=15)
# Longer than any request that could still be making the session.
ABANDONED_AFTER = timedelta(hours=1)
BATCH = 50


def reconcile_payments(*, at: datetime | None = None) -> int:
    """Ask Stripe about payments that are open for too long, longest unasked first, and store what
    it says. Returns how many were asked about; stops quietly while Stripe does not answer."""
    now = at or timezone.now()
    Payment.objects.filter(HALF_MADE, created_at__lt=now - ABANDONED_AFTER).delete()
    overdue = Payment.objects.to_reconcile(created_before=now - OVERDUE_AFTER)
    asked = 0
    for payment in overdue[:BATCH]:
        # Asked about or not: the next run begins with another one.
        Payment.objects.filter(pk=payment.pk).update(checked_at=now)
        try:
            ask_stripe(payment, source=MoveSource.RECONCILIATION)
        except ProviderUnavailable:
            logger.warning("Stripe does not answer; %s payments were asked about", asked)
            break
        except ProviderRefused as error:
            logger.error("Stripe refuses to tell of payment %s: %s", payment.pk, error.reason)  # noqa: TRY400
        asked += 1
    return asked
