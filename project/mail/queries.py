"""What the outbox says of itself, and its housekeeping."""

from datetime import datetime, timedelta

from django.db.models import Exists, Min, OuterRef

from project.mail.models import Delivery, DeliveryStatus, Mailing, MailingState

# Rows that one statement deletes.
STEP = 5000


def oldest_unsent_age(at: datetime) -> timedelta | None:
    """For how long the oldest mail has been due that is neither sent nor postponed nor in the
    hands of a worker; None if there is none."""
    listing = Mailing.objects.filter(state=MailingState.LISTING)
    due = Delivery.objects.due(at=at).aggregate(oldest=Min("due_at"))
    listed = listing.aggregate(oldest=Min("created_at"))
    moments = [found["oldest"] for found in (due, listed) if found["oldest"] is not None]
    return max(at - min(moments), timedelta(0)) if moments else None


def forget_finished_mailings(before: datetime, *, steps: int = 20) -> int:
    """Delete mailings made before this moment of which nothing waits, at most `steps` × STEP
    deliveries at a time. Returns the number of deliveries."""
    waiting = Delivery.objects.filter(mailing=OuterRef("pk"), status=DeliveryStatus.WAITING)
    old = Mailing.objects.filter(~Exists(waiting), created_at__lt=before).exclude(
        state=MailingState.LISTING
    )
    deleted = 0
    for _step in range(steps):
        rows = Delivery.objects.filter(mailing__in=old).order_by("pk").values("pk")[:STEP]
        count = Delivery.objects.filter(pk__in=rows).delete()[0]
        deleted += count
        if count < STEP:
            break
    old.filter(~Exists(Delivery.objects.filter(mailing=OuterRef("pk")))).delete()
    return deleted
