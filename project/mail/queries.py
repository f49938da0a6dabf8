"""What the outbox says of itself, and its housekeeping."""

from datetime import datetime, timedelta

from django.db.models import Exists, Min, OuterRef

from project.mail.models import Delivery, DeliveryStatus, Mailing, MailingState, MailServer

# Rows that one statement deletes.
STEP = 5000


def oldest_unsent_age(at: datetime) -> timedelta | None:
    """For how long the oldest mail has been due that is neither sent nor postponed nor in the
    hands of a worker; None if there is none."""
    due = Delivery.objects.due(at=at).aggregate(oldest=Min("due_at"))["oldest"]
    listing = Mailing.objects.filter(state=MailingState.LISTING)
    listed = listing.aggregate(oldest=Min("created_at"))["oldest"]
    moments = [moment for moment in (due, listed) if moment is not None]
    return max(at - min(moments), timedelta(0)) if moments else None


def failed_lately() -> int:
    """How many mails failed for good in the last week."""
    return Delivery.objects.failed_lately().count()


def parked_mailings() -> int:
    """How many mailings were given up because their recipients could not be listed."""
    return Mailing.objects.parked().count()


def failing_since() -> datetime | None:
    """Since when the mail server has not answered; None while it does."""
    return MailServer.objects.values_list("failing_since", flat=True).first()


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
    emptied = old.filter(~Exists(Delivery.objects.filter(mailing=OuterRef("pk"))))
    emptied.delete()
    return deleted
