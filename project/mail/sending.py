"""Sending what is due: one worker at a time claims a batch, sends it over one connection, and marks
each mail before the next one goes out. So a worker that is killed leaves at most the one mail in
flight to be repeated (with the same Message-ID).

The server rarely waits for us: while it takes a mail, the next one is written; while it is offered
the next one, the last one is marked.
"""

import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from project.mail.kinds import Letter, Skip, mail_kind
from project.mail.mime import Message, message_id, prepare
from project.mail.models import Delivery, DeliveryStatus, Mailing, MailServer
from project.mail.smtp import AddressPostponed, AddressRefused, ServerUnavailable, Transport

logger = logging.getLogger(__name__)

# Longer than a worker sends in one go, and than its successor waits in the queue.
SENDER_LEASE = timedelta(seconds=90)
LONGEST_SILENCE = timedelta(minutes=10)
# Rows of one claim by the number of crashes they have seen: what crashes is soon alone, and its
# neighbours go out without it.
BATCH_SIZES = (500, 20, 1)
# More than any batch may take: the worker ends a task after Q_CLUSTER["timeout"].
LEASE = timedelta(seconds=120)
MAX_CRASHES = 5
MAX_REFUSALS = 30  # about four days with the delays below
# Who unsubscribed or was blocked is looked up again after so many seconds of sending.
RECHECK_SECONDS = 1.0
CLAIMED = ("mailing_id", "recipient_id", "attempts", "refusals", "due_at")


class ClaimLost(Exception):
    """The row is not ours any more: our lease ran out."""


def delay_after(failures: int, *, limit: timedelta = timedelta(hours=4)) -> timedelta:
    """How long to wait after so many failures in a row: 1, 2, 4 … minutes."""
    return min(timedelta(minutes=2 ** min(failures - 1, 20)), limit)


# --- The mail server, and which worker sends ------------------------------------------------------


def has_work(at: datetime) -> bool:
    """Is there a recipient to list or a mail to send, and may the server answer?"""
    return server_may_answer(at) and (
        Mailing.objects.to_be_listed(at=at).exists() or Delivery.objects.due(at=at).exists()
    )


def mail_server() -> MailServer:
    """The only row, made when it is first asked for."""
    return MailServer.objects.get_or_create(pk=1)[0]


def server_may_answer(at: datetime) -> bool:
    """False while we leave a server alone that did not answer."""
    return not MailServer.objects.filter(pk=1, retry_at__gt=at).exists()


def note_failure(reason: str, at: datetime) -> None:
    """Leave the server alone for 1, 2, 4 … minutes, ten at the most."""
    server = mail_server()
    MailServer.objects.filter(pk=1).update(
        failures=F("failures") + 1,
        retry_at=at + delay_after(server.failures + 1, limit=LONGEST_SILENCE),
        failing_since=server.failing_since or at,
        error=reason[:500],
    )


def note_answer() -> None:
    """The server takes mails (again)."""
    MailServer.objects.filter(pk=1, failures__gt=0).update(
        failures=0, retry_at=None, failing_since=None, error=""
    )


def become_sender(token: uuid.UUID, at: datetime) -> bool:
    """Let the worker with this token send, alone, for SENDER_LEASE. One connection is what a mail
    server likes, and it leaves the other workers to other tasks."""
    mail_server()
    free = Q(sender=None) | Q(sender=token) | Q(sender_until__lte=at)
    # A clock that was set back must not leave the lease in a far future.
    free |= Q(sender_until__gt=at + 2 * SENDER_LEASE)
    taken = MailServer.objects.filter(free, pk=1).update(
        sender=token, sender_until=at + SENDER_LEASE
    )
    return bool(taken)


def stop_sending(token: uuid.UUID) -> None:
    MailServer.objects.filter(pk=1, sender=token).update(sender=None, sender_until=None)


# --- Batches --------------------------------------------------------------------------------------


def send_due(deadline: float) -> int:
    """Send what is due until nothing is, the mail server fails, or `time.monotonic()` passes the
    deadline. What crashed too often is given up. Returns the number of mails sent."""
    transport = Transport()
    now = timezone.now()
    crashed = Delivery.objects.due(at=now).filter(attempts__gte=F("refusals") + MAX_CRASHES)
    crashed.update(status=DeliveryStatus.PARKED, finished_at=now, claim=None)
    sent = 0
    with _unhurried_commits(), closing(transport):
        while time.monotonic() < deadline and server_may_answer(timezone.now()):
            batch = claim_batch(timezone.now())
            if batch is None:
                break
            sent += BatchSender(batch, transport, deadline).send()
    return sent


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


@transaction.atomic
def claim_batch(at: datetime) -> "Batch | None":
    """Take the deliveries that are first in order, as far as they are of one mailing and crashed
    equally often; None if nothing is due, or another worker is taking it at this moment."""
    # By order alone, in which an index has them: a planner without fresh figures, and they are
    # never fresh here, would read all of a mailing for each batch.
    due = Delivery.objects.due(at=at).in_order().select_for_update(skip_locked=True)
    found = list(due.only(*CLAIMED)[: BATCH_SIZES[0]])
    if not found:
        return None
    first = found[0]
    size = BATCH_SIZES[min(first.crashes, len(BATCH_SIZES) - 1)]
    alike = [
        row for row in found if row.mailing_id == first.mailing_id and row.crashes == first.crashes
    ]
    recipients = {row.pk: row.recipient_id for row in alike[:size]}
    claim = uuid.uuid4()
    Delivery.objects.filter(pk__in=list(recipients)).update(
        claim=claim, attempts=F("attempts") + 1, due_at=at + LEASE
    )
    return Batch(claim, first.mailing, recipients, first.due_at)


@dataclass(frozen=True)
class Batch:
    """Deliveries of one mailing that this worker holds. Its methods write down what became of them,
    as far as the worker still holds them."""

    claim: uuid.UUID
    mailing: Mailing
    recipients: dict[int, int]  # delivery → person, in order
    due_since: datetime

    def mark_sent(self, delivery_id: int) -> None:
        """One statement per mail, and the only one: written by hand, because building it costs as
        much as running it. Raises ClaimLost."""
        has_uuid = connection.features.has_native_uuid_field
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE mail_delivery SET status = %s, finished_at = %s, claim = NULL, error = ''"
                " WHERE id = %s AND claim = %s",
                [
                    DeliveryStatus.SENT.value,
                    connection.ops.adapt_datetimefield_value(timezone.now()),
                    delivery_id,
                    self.claim if has_uuid else self.claim.hex,
                ],
            )
            if cursor.rowcount == 0:
                raise ClaimLost

    def finish(self, delivery_ids: Sequence[int], status: DeliveryStatus, reason: str) -> None:
        self._held(delivery_ids).update(
            status=status, finished_at=timezone.now(), claim=None, error=reason[:500]
        )

    def postpone(self, delivery_id: int, reason: str) -> None:
        """The server said "later": wait longer each time, and give up in the end."""
        delivery = Delivery.objects.get(pk=delivery_id)
        if delivery.refusals + 1 >= MAX_REFUSALS:
            self.finish([delivery_id], DeliveryStatus.REFUSED, reason)
            return
        self._held([delivery_id]).update(
            refusals=F("refusals") + 1,
            due_at=timezone.now() + delay_after(delivery.refusals + 1),
            claim=None,
            error=reason[:500],
        )

    def crash(self, delivery_ids: Sequence[int], reason: str) -> None:
        """An error of ours: the try counts as a crash."""
        crashes = Delivery.objects.filter(pk__in=delivery_ids).values_list("attempts", "refusals")
        worst = max((attempts - refusals for attempts, refusals in crashes), default=1)
        self._held(delivery_ids).update(
            due_at=timezone.now() + delay_after(worst), claim=None, error=reason[:500]
        )

    def give_back(self, delivery_ids: Sequence[int]) -> None:
        """Rows that were not tried are due as before, as if they had not been claimed."""
        self._held(delivery_ids).update(
            attempts=F("attempts") - 1, due_at=self.due_since, claim=None
        )

    def _held(self, delivery_ids: Sequence[int]) -> QuerySet[Delivery]:
        return Delivery.objects.filter(pk__in=delivery_ids, claim=self.claim)


class BatchSender:
    """Sends one batch over a connection."""

    def __init__(self, batch: Batch, transport: Transport, deadline: float) -> None:
        self.batch = batch
        self.transport = transport
        self.deadline = deadline
        self.untouched = dict(batch.recipients)
        self.messages = self._messages()
        self.upcoming: tuple[int, Message] | None = None
        self.unmarked: int | None = None
        self.sent = 0

    def send(self) -> int:
        """Send the batch, and give back what time or the server did not allow. Returns the number
        of mails sent."""
        try:
            self._send_all()
            self._mark_last()
        except ClaimLost:
            logger.warning("Another worker took over mails of %s", self.batch.mailing.key)
        else:
            self.batch.give_back(list(self.untouched))
        return self.sent

    def _send_all(self) -> None:
        """Send one mail after the other, and remember or write down what became of it."""
        batch, has_answered = self.batch, False
        while upcoming := self._look_ahead():
            delivery_id, message = upcoming
            self.upcoming = None
            del self.untouched[delivery_id]
            mark_last = self._mark_last if self.unmarked else None
            try:
                self.transport.send(message, before=mark_last, meanwhile=self._look_ahead)
            except ClaimLost:
                raise
            except ServerUnavailable as error:
                logger.warning("The mail server is unavailable: %s", error)
                note_failure(str(error), timezone.now())
                self.untouched[delivery_id] = batch.recipients[delivery_id]
                return
            except AddressPostponed as error:
                batch.postpone(delivery_id, str(error))
                continue
            except AddressRefused as error:
                batch.finish([delivery_id], DeliveryStatus.REFUSED, str(error))
            except Exception as error:  # whatever it is, it must not stop the mails of others
                logger.exception("Delivery %s can't be sent", delivery_id)
                batch.crash([delivery_id], repr(error))
                continue
            else:
                self.unmarked = delivery_id
                self.sent += 1
            if not has_answered:  # a server that breaks off each time has not answered
                note_answer()
                has_answered = True

    def _mark_last(self) -> None:
        """Write down that the last mail was sent. Raises ClaimLost."""
        if self.unmarked is not None:
            self.batch.mark_sent(self.unmarked)
            self.unmarked = None

    def _look_ahead(self) -> tuple[int, Message] | None:
        """Have the next mail ready; None if there is none."""
        if self.upcoming is None:
            self.upcoming = next(self.messages, None)
        return self.upcoming

    def _messages(self) -> Iterator[tuple[int, Message]]:
        """What is left of the batch, with its letters as of now. Whom to skip is asked again and
        again, so that the answer is never older than RECHECK_SECONDS."""
        while self.untouched and time.monotonic() < self.deadline:
            written_at = time.monotonic()
            for delivery_id, (address, letter) in self._write().items():
                identity = message_id(
                    delivery_id, self.batch.mailing.created_at, self.transport.domain
                )
                yield delivery_id, prepare(letter, address, identity)
                if time.monotonic() > min(written_at + RECHECK_SECONDS, self.deadline):
                    break

    def _write(self) -> dict[int, tuple[str, Letter]]:
        """Ask the kind for the letters, by delivery, with their addresses; and finish at once what
        is not to be sent."""
        mailing = self.batch.mailing
        people = get_user_model().objects.in_bulk(self.untouched.values())
        try:
            letters = mail_kind(mailing.kind).write(mailing.subject_id, people.values())
        except Exception as error:  # whatever it is, it must not stop the mails of others
            logger.exception("Mails of %s can't be written", mailing.key)
            self.batch.crash(list(self.untouched), repr(error))
            self.untouched.clear()
            return {}
        written: dict[int, tuple[str, Letter]] = {}
        skipped: dict[str, list[int]] = {}
        for delivery_id, person_id in self.untouched.items():
            letter = letters.get(person_id, Skip(gettext_noop("no letter for this person")))
            if isinstance(letter, Skip):
                skipped.setdefault(letter.reason, []).append(delivery_id)
            else:
                written[delivery_id] = (people[person_id].email, letter)
        for reason, delivery_ids in skipped.items():
            self.batch.finish(delivery_ids, DeliveryStatus.SKIPPED, reason)
            for delivery_id in delivery_ids:
                del self.untouched[delivery_id]
        return written
