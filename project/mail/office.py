"""Sending what is due: claim a batch, send it over one connection, mark each mail."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from project.mail.courier import Courier
from project.mail.lease import server_may_answer
from project.mail.models import Delivery, DeliveryStatus
from project.mail.outcomes import Batch
from project.mail.smtp import Transport

# Rows of one claim by the number of crashes they have seen: what crashes is soon alone, and its
# neighbours go out without it.
BATCH_SIZES = (500, 20, 1)
# More than any batch may take: the worker ends a task after Q_CLUSTER["timeout"].
LEASE = timedelta(seconds=120)
MAX_CRASHES = 5
CLAIMED = ("mailing_id", "recipient_id", "attempts", "refusals", "due_at")


def send_due(deadline: float) -> int:
    """Send what is due until nothing is, the mail server fails, or `time.monotonic()` passes the
    deadline. Returns the number of mails sent."""
    _park_poison(timezone.now())
    sent = 0
    with Transport() as transport, _unhurried_commits():
        while time.monotonic() < deadline and server_may_answer(timezone.now()):
            batch = claim_batch(timezone.now())
            if batch is None:
                break
            sent += Courier(batch, transport, deadline).deliver()
    return sent


def _park_poison(at: datetime) -> None:
    """Give up what crashed too often."""
    Delivery.objects.due(at=at).filter(attempts__gte=F("refusals") + MAX_CRASHES).update(
        status=DeliveryStatus.PARKED, finished_at=at, claim=None
    )


@transaction.atomic
def claim_batch(at: datetime) -> Batch | None:
    """Take the deliveries that are first in order, as far as they are of one mailing; None if
    nothing is due, or another worker is taking it at this moment."""
    # By order alone, in which an index has them: a planner without fresh figures, and they are
    # never fresh here, would read all of a mailing for each batch.
    due = Delivery.objects.due(at=at).in_order().select_for_update(skip_locked=True)
    found = list(due.only(*CLAIMED)[: BATCH_SIZES[0]])
    if not found:
        return None
    first = found[0]
    alike = [row for row in found if _sort_of(row) == _sort_of(first)]
    size = BATCH_SIZES[min(first.crashes, len(BATCH_SIZES) - 1)]
    recipients = {row.pk: row.recipient_id for row in alike[:size]}
    claim = uuid.uuid4()
    Delivery.objects.filter(pk__in=list(recipients)).update(
        claim=claim, attempts=F("attempts") + 1, due_at=at + LEASE
    )
    return Batch(claim, first.mailing, recipients, first.due_at)


def _sort_of(delivery: Delivery) -> tuple[int, int]:
    return delivery.mailing_id, delivery.crashes


@contextmanager
def _unhurried_commits() -> Iterator[None]:
    """Let PostgreSQL confirm a commit before it is on the disk.

    A worker or a cluster that dies loses nothing by it; a crash of the *database server* may forget
    the marks of its last half second, and these mails are then repeated. Waiting for the disk after
    each mail would halve the number of mails per second, or worse.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET synchronous_commit")
