"""The end of the books: what an erasure left because the law wants it kept for some years."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lms.models import Access
from payments.models import Payment
from people.models import BlockReason

# Payments that one transaction deletes.
STEP = 500


def forget_old_payments(*, steps: int = 20) -> int:
    """Delete payments of erased people that are older than BOOKS_KEPT, with their history and the
    access they gave, at most `steps` × STEP at a time. Returns their number."""
    old = Payment.objects.filter(
        payer__blocked_reason=BlockReason.ERASED,
        created_at__lt=timezone.now() - settings.BOOKS_KEPT,
    )
    deleted = 0
    for _step in range(steps):
        with transaction.atomic():
            payments = list(old.order_by("pk").select_for_update(of=("self",))[:STEP])
            Access.objects.filter(reference__in=[one.reference for one in payments]).delete()
            Payment.objects.filter(pk__in=[one.pk for one in payments]).delete()
        deleted += len(payments)
        if len(payments) < STEP:
            break
    return deleted
