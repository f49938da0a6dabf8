"""Sending what is due: one worker at a time claims a batch, sends it over one connection, and marks
each mail before the next one goes out. So a worker that is killed leaves at most the one mail in
flight to be repeated (with the same Message-ID), and no mail is repeated more than once.

The server rarely waits for us: while it takes a mail, the next one is written; while it is offered
the next one, the last one is marked.
"""

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import F, Q
from django.utils import timezone

from project.mail.batches import (
    Batch,
    ClaimLost,
    claim_batch,
    delay_after,
    give_up,
    has_late_place,
)
from project.mail.kinds import Letter, Skip, mail_kind
from project.mail.letters import NO_LETTER, LettersOfMailing
from project.mail.mime import Message, message_id, prepare
from project.mail.models import Delivery, DeliveryStatus, Mailing, MailServer
from project.mail.refusals import reason_against, refusals_of
from project.mail.smtp import AddressRefused, AnswerLate, ServerUnavailable, Transport

logger = logging.getLogger(__name__)

# Longer than a worker sends in one go, and than its successor waits in the queue.
SENDER_LEASE = timedelta(seconds=90)
LONGEST_SILENCE = timedelta(minutes=10)
# Who unsubscribed or was blocked is looked up again after so many seconds of sending.
RECHECK_SECONDS = 1.0


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
    MailServer.objects.filter(pk=1).update(
        failures=0, retry_at=None, failing_since=None, error="", answered_at=timezone.now()
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


# --- What is due ----------------------------------------------------------------------------------


def send_due(deadline: float) -> int:
    """Send what is due until nothing is, the mail server fails, or `time.monotonic()` passes the
    deadline. What crashed too often is given up. Returns the number of mails sent."""
    transport = Transport()
    give_up(timezone.now())
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


class BatchSender:
    """Sends one batch over a connection."""

    def __init__(self, batch: Batch, transport: Transport, deadline: float) -> None:
        self.batch = batch
        self.transport = transport
        self.deadline = deadline
        self.untouched = dict(batch.recipients)
        self.letters = LettersOfMailing(batch.mailing)
        self.messages = self._messages()
        self.upcoming: tuple[int, Message] | None = None
        self.unmarked: int | None = None
        self.has_answered = False
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
        while upcoming := self._next():
            delivery_id, message = upcoming
            self.upcoming = None
            del self.untouched[delivery_id]
            try:
                self._send_one(delivery_id, message)
            except ServerUnavailable as error:
                logger.warning("The mail server is unavailable: %s", error)
                note_failure(str(error), timezone.now())
                return

    def _send_one(self, delivery_id: int, message: Message) -> None:
        """Raises ServerUnavailable or ClaimLost."""
        mark_last = self._mark_last if self.unmarked else None
        try:
            self.transport.send(message, before=mark_last, meanwhile=self._look_ahead)
        except ServerUnavailable:
            self.untouched[delivery_id] = self.batch.recipients[delivery_id]
            raise
        except ClaimLost:
            raise
        except AnswerLate as late:
            self.batch.await_answer(delivery_id, message.address, late)
            return
        except Exception as error:
            self.batch.settle(delivery_id, message.address, error)
            if self.transport.losses > 1:
                raise ServerUnavailable(str(error)) from error
            if not isinstance(error, AddressRefused):
                return
        else:
            self.unmarked = delivery_id
            self.sent += 1
        if not self.has_answered:  # a server that breaks off each time has not answered
            note_answer()
            self.has_answered = True

    def _next(self) -> tuple[int, Message] | None:
        """The next mail, once its answer may be late; None if there is none in time."""
        if not has_late_place():
            self._mark_last()
            if not has_late_place(self.deadline):
                return None
        return self._look_ahead()

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
                kept = self.letters.keep(letter, self.batch.recipients[delivery_id])
                self.batch.letters[delivery_id] = kept, address
                yield delivery_id, prepare(letter, address, identity)
                if time.monotonic() > min(written_at + RECHECK_SECONDS, self.deadline):
                    break

    def _write(self) -> dict[int, tuple[str, Letter]]:
        """Ask the kind for the letters, by delivery, with their addresses; and finish at once what
        is not to be sent."""
        mailing = self.batch.mailing
        people = get_user_model().objects.in_bulk(self.untouched.values())
        for delivery_id, address in self.batch.other_addresses.items():
            if person := people.get(self.untouched.get(delivery_id)):
                person.email = address
        refusals = refusals_of(people.values())
        try:
            kind = mail_kind(mailing.kind)
            against = {
                pk: reason_against(kind, person, refusals.get(pk)) for pk, person in people.items()
            }
            reached = [person for pk, person in people.items() if not against[pk]]
            letters = kind.write(mailing.subject_id, reached)
        except Exception as error:  # whatever it is, it must not stop the mails of others
            logger.exception("Mails of %s can't be written", mailing.key)
            self.batch.crash(list(self.untouched), repr(error))
            self.untouched.clear()
            return {}
        written: dict[int, tuple[str, Letter]] = {}
        skipped: dict[str, list[int]] = {}
        for delivery_id, person_id in self.untouched.items():
            letter = letters.get(person_id, Skip(against.get(person_id) or NO_LETTER))
            if isinstance(letter, Skip):
                skipped.setdefault(letter.reason, []).append(delivery_id)
            else:
                if refusal := refusals.get(person_id):
                    self.batch.refused_before[delivery_id] = refusal.pk
                written[delivery_id] = (people[person_id].email, letter)
        for reason, delivery_ids in skipped.items():
            self.batch.finish(delivery_ids, DeliveryStatus.SKIPPED, reason)
            for delivery_id in delivery_ids:
                del self.untouched[delivery_id]
        return written
