"""Sending what is due: claim a batch, send it over one connection, mark each mail at once.

A mail is marked before the next one is sent, so a worker that is killed leaves at most the mail in
flight to be repeated (with the same Message-ID).
"""

import logging
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop

from project.mail.kinds import Letter, Skip, mail_kind
from project.mail.models import Delivery, DeliveryStatus, Mailing
from project.mail.server import note_answer, note_failure, server_may_answer
from project.mail.transport import (
    AddressPostponed,
    AddressRefused,
    Envelope,
    ServerUnavailable,
    Transport,
    message_id,
)

logger = logging.getLogger(__name__)

# Rows of one claim by the number of crashes they have seen: what crashes is soon alone, and its
# neighbours go out without it.
BATCH_SIZES = (200, 10, 1)
# More than any batch may take: the worker ends a task after Q_CLUSTER["timeout"].
LEASE = timedelta(seconds=120)
MAX_CRASHES = 5
MAX_REFUSALS = 30  # about four days with the delays below
# Who unsubscribed or was blocked is looked up again after so many seconds of sending.
RECHECK_SECONDS = 1.0


def delay_after(failures: int, *, limit: timedelta = timedelta(hours=4)) -> timedelta:
    """How long to wait after so many failures in a row: 1, 2, 4 … minutes."""
    return min(timedelta(minutes=2 ** min(failures - 1, 20)), limit)


@dataclass(frozen=True)
class Batch:
    """Deliveries of one mailing that this worker holds."""

    claim: uuid.UUID
    mailing: Mailing
    recipients: dict[int, int]  # delivery → person, in order
    due_since: datetime


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
            sent += _send_batch(batch, transport, deadline)
    return sent


def _park_poison(at: datetime) -> None:
    """Give up what crashed too often."""
    Delivery.objects.due(at=at).filter(attempts__gte=F("refusals") + MAX_CRASHES).update(
        status=DeliveryStatus.PARKED, finished_at=at, claim=None
    )


@transaction.atomic
def claim_batch(at: datetime) -> Batch | None:
    """Take the deliveries that are first in order, all of one mailing; None if nothing is due."""
    due = Delivery.objects.due(at=at).in_order()
    first = due.select_related("mailing").first()
    if first is None:
        return None
    size = BATCH_SIZES[min(first.crashes, len(BATCH_SIZES) - 1)]
    alike = due.filter(mailing=first.mailing, attempts=F("refusals") + first.crashes)
    rows = alike.select_for_update(skip_locked=True).values_list("pk", "recipient_id")
    recipients = dict(rows[:size])
    if not recipients:  # another worker is taking them at this moment
        return None
    claim = uuid.uuid4()
    Delivery.objects.filter(pk__in=list(recipients)).update(
        claim=claim, attempts=F("attempts") + 1, due_at=at + LEASE
    )
    return Batch(claim, first.mailing, recipients, first.due_at)


def _send_batch(batch: Batch, transport: Transport, deadline: float) -> int:
    """Send the batch, and give back what time or the server did not allow."""
    sent = 0
    answered = False
    untouched = dict(batch.recipients)
    try:
        for delivery_id, letter in _letters(batch, untouched, deadline):
            if _send_one(batch, delivery_id, letter, transport):
                sent += 1
            del untouched[delivery_id]
            if not answered:
                note_answer()
                answered = True
    except ServerUnavailable as error:
        logger.warning("The mail server is unavailable: %s", error)
        note_failure(str(error), timezone.now())
    except ClaimLost:
        logger.warning("Another worker took over mails of %s", batch.mailing.key)
        return sent
    _give_back(batch, untouched)
    return sent


def _letters(
    batch: Batch, untouched: dict[int, int], deadline: float
) -> Iterator[tuple[int, "Parcel"]]:
    """What is left of the batch, with its letters as of now. Whom to skip is asked again and
    again, so that the answer is never older than RECHECK_SECONDS."""
    while untouched and time.monotonic() < deadline:
        written_at = time.monotonic()
        parcels = _write(batch, untouched)
        for delivery_id, parcel in parcels.items():
            yield delivery_id, parcel
            if time.monotonic() > min(written_at + RECHECK_SECONDS, deadline):
                break


@dataclass(frozen=True, slots=True)
class Parcel:
    address: str
    letter: Letter


class ClaimLost(Exception):
    """The row is not ours any more: our lease ran out."""


def _write(batch: Batch, untouched: dict[int, int]) -> Mapping[int, Parcel]:
    """Ask the kind for the letters, and finish at once what is not to be sent."""
    people = get_user_model().objects.in_bulk(untouched.values())
    try:
        kind = mail_kind(batch.mailing.kind)
        letters = kind.write(batch.mailing.subject_id, people.values())
    except Exception as error:  # whatever it is, it must not stop the mails of others
        logger.exception("Mails of %s can't be written", batch.mailing.key)
        _crash(batch, list(untouched), repr(error))
        untouched.clear()
        return {}
    parcels: dict[int, Parcel] = {}
    skipped: dict[str, list[int]] = {}
    for delivery_id, person_id in untouched.items():
        letter = letters.get(person_id, Skip(gettext_noop("no letter for this person")))
        if isinstance(letter, Skip):
            skipped.setdefault(letter.reason, []).append(delivery_id)
        else:
            parcels[delivery_id] = Parcel(people[person_id].email, letter)
    for reason, delivery_ids in skipped.items():
        _finish(batch, delivery_ids, DeliveryStatus.SKIPPED, reason)
        for delivery_id in delivery_ids:
            del untouched[delivery_id]
    return parcels


def _send_one(batch: Batch, delivery_id: int, parcel: Parcel, transport: Transport) -> bool:
    """Send one mail and write down what became of it. Raises ServerUnavailable, ClaimLost."""
    identity = message_id(delivery_id, batch.mailing.created_at, transport.domain)
    try:
        transport.send(Envelope(parcel.letter, parcel.address, identity))
    except AddressRefused as error:
        _finish(batch, [delivery_id], DeliveryStatus.REFUSED, str(error))
        return False
    except AddressPostponed as error:
        _postpone(batch, delivery_id, str(error))
        return False
    except ServerUnavailable:
        raise
    except Exception as error:  # whatever it is, it must not stop the mails of others
        logger.exception("Delivery %s can't be sent", delivery_id)
        _crash(batch, [delivery_id], repr(error))
        return False
    _mark_sent(batch, delivery_id)
    return True


def _mark_sent(batch: Batch, delivery_id: int) -> None:
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


def _finish(batch: Batch, delivery_ids: Sequence[int], status: DeliveryStatus, reason: str) -> None:
    held = Delivery.objects.filter(pk__in=delivery_ids, claim=batch.claim)
    held.update(status=status, finished_at=timezone.now(), claim=None, error=reason[:500])


def _postpone(batch: Batch, delivery_id: int, reason: str) -> None:
    """The server said "later": wait longer each time, and give up in the end."""
    delivery = Delivery.objects.get(pk=delivery_id)
    if delivery.refusals + 1 >= MAX_REFUSALS:
        _finish(batch, [delivery_id], DeliveryStatus.REFUSED, reason)
        return
    Delivery.objects.filter(pk=delivery_id, claim=batch.claim).update(
        refusals=F("refusals") + 1,
        due_at=timezone.now() + delay_after(delivery.refusals + 1),
        claim=None,
        error=reason[:500],
    )


def _crash(batch: Batch, delivery_ids: list[int], reason: str) -> None:
    """An error of ours: the try counts as a crash."""
    crashes = Delivery.objects.filter(pk__in=delivery_ids).values_list("attempts", "refusals")
    worst = max((attempts - refusals for attempts, refusals in crashes), default=1)
    Delivery.objects.filter(pk__in=delivery_ids, claim=batch.claim).update(
        due_at=timezone.now() + delay_after(worst), claim=None, error=reason[:500]
    )


def _give_back(batch: Batch, untouched: Mapping[int, int]) -> None:
    """Rows that were not tried are due as before, as if they had not been claimed."""
    Delivery.objects.filter(pk__in=list(untouched), claim=batch.claim).update(
        attempts=F("attempts") - 1, due_at=batch.due_since, claim=None
    )


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
