"""Repairing what a lost webhook left behind, without anyone."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from payments.models import MoveSource, Payment
from payments.models.querysets import PaymentQuerySet
from payments.models.states import HALF_MADE
from payments.provider.types import ProviderRefused, ProviderUnavailable
from payments.services.checkout import ask_stripe, close_session
from payments.services.findings import close_changed_prices

logger = logging.getLogger(__name__)

# A buyer needs some minutes on the page, and Stripe some seconds for its event.
OVERDUE_AFTER = timedelta(minutes=15)
# Longer than any request that could still be making the session.
ABANDONED_AFTER = timedelta(hours=1)
# What Stripe refused to make a page for waits for staff to look into it.
REFUSED_KEPT = timedelta(days=30)
BATCH = 50


def reconcile_payments(*, at: datetime | None = None) -> int:
    """Ask Stripe about payments that are open for too long, longest unasked first, and store what
    it says. Returns how many were asked about; stops quietly while Stripe does not answer."""
    now = at or timezone.now()
    with transaction.atomic():
        # What no page was ever made for. Locked: one that somebody goes on with stays.
        abandoned = Payment.objects.filter(HALF_MADE, created_at__lt=now - ABANDONED_AFTER).exclude(
            refused_at__gt=now - REFUSED_KEPT
        )
        found = list(abandoned.select_for_update().values_list("pk", flat=True))
        Payment.objects.filter(pk__in=found).delete()
    close_changed_prices(at=now)
    close_needless_pages(at=now)
    overdue = Payment.objects.to_reconcile(created_before=now - OVERDUE_AFTER)
    return _try_each(overdue, partial(ask_stripe, source=MoveSource.RECONCILIATION), now)


def close_needless_pages(*, at: datetime | None = None) -> int:
    """Close the pages and orders that have lost their reason, lest somebody pays in vain. Returns how
    many were dealt with; stops quietly while Stripe does not answer: the reconciliation goes on."""
    return _try_each(Payment.objects.needless(), close_session, at or timezone.now())


def _try_each(payments: PaymentQuerySet, settle: Callable[[Payment], object], now: datetime) -> int:
    settled = 0
    for payment in payments[:BATCH]:
        # Settled or not: the next run begins with another one.
        Payment.objects.filter(pk=payment.pk).update(checked_at=now)
        try:
            settle(payment)
        except ProviderUnavailable:
            logger.warning("Stripe does not answer; %s payments were settled", settled)
            break
        except ProviderRefused as error:
            logger.error("Stripe refuses what payment %s needs: %s", payment.pk, error.reason)  # noqa: TRY400
        settled += 1
    return settled
