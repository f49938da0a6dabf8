"""What became of a claimed mail, written into the ledger."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F
from django.utils import timezone

from project.mail.models import Delivery, DeliveryStatus, Mailing

MAX_REFUSALS = 30  # about four days with the delays below


class ClaimLost(Exception):
    """The row is not ours any more: our lease ran out."""


@dataclass(frozen=True)
class Batch:
    """Deliveries of one mailing that this worker holds."""

    claim: uuid.UUID
    mailing: Mailing
    recipients: dict[int, int]  # delivery → person, in order
    due_since: datetime


def delay_after(failures: int, *, limit: timedelta = timedelta(hours=4)) -> timedelta:
    """How long to wait after so many failures in a row: 1, 2, 4 … minutes."""
    return min(timedelta(minutes=2 ** min(failures - 1, 20)), limit)


def mark_sent(batch: Batch, delivery_id: int) -> None:
    """One statement per mail, and the only one: written by hand, because building it costs as much
    as running it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mail_delivery SET status = %s, finished_at = %s, claim = NULL, error = ''"
            " WHERE id = %s AND claim = %s",
            [
                DeliveryStatus.SENT.value,
                connection.ops.adapt_datetimefield_value(timezone.now()),
                delivery_id,
                _claim_value(batch.claim),
            ],
        )
        if cursor.rowcount == 0:
            raise ClaimLost


def _claim_value(claim: uuid.UUID) -> uuid.UUID | str:
    return claim if connection.features.has_native_uuid_field else claim.hex


def finish(batch: Batch, delivery_ids: Sequence[int], status: DeliveryStatus, reason: str) -> None:
    held = Delivery.objects.filter(pk__in=delivery_ids, claim=batch.claim)
    held.update(status=status, finished_at=timezone.now(), claim=None, error=reason[:500])


def postpone(batch: Batch, delivery_id: int, reason: str) -> None:
    """The server said "later": wait longer each time, and give up in the end."""
    delivery = Delivery.objects.get(pk=delivery_id)
    if delivery.refusals + 1 >= MAX_REFUSALS:
        finish(batch, [delivery_id], DeliveryStatus.REFUSED, reason)
        return
    Delivery.objects.filter(pk=delivery_id, claim=batch.claim).update(
        refusals=F("refusals") + 1,
        due_at=timezone.now() + delay_after(delivery.refusals + 1),
        claim=None,
        error=reason[:500],
    )


def crash(batch: Batch, delivery_ids: list[int], reason: str) -> None:
    """An error of ours: the try counts as a crash."""
    crashes = Delivery.objects.filter(pk__in=delivery_ids).values_list("attempts", "refusals")
    worst = max((attempts - refusals for attempts, refusals in crashes), default=1)
    Delivery.objects.filter(pk__in=delivery_ids, claim=batch.claim).update(
        due_at=timezone.now() + delay_after(worst), claim=None, error=reason[:500]
    )


def give_back(batch: Batch, untouched: Mapping[int, int]) -> None:
    """Rows that were not tried are due as before, as if they had not been claimed."""
    Delivery.objects.filter(pk__in=list(untouched), claim=batch.claim).update(
        attempts=F("attempts") - 1, due_at=batch.due_since, claim=None
    )
