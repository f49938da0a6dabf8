"""Sending a batch, so that the server rarely waits for us.

While it takes a mail, the next one is written; while it is offered the next one, the last one is
marked. A mail is marked before the next one goes out, so a worker that is killed leaves at most the
one mail in flight to be repeated (with the same Message-ID).
"""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.translation import gettext_noop

from project.mail import outcomes
from project.mail.kinds import Letter, Skip, mail_kind
from project.mail.lease import note_answer, note_failure
from project.mail.mime import message_id
from project.mail.models import DeliveryStatus
from project.mail.outcomes import Batch, ClaimLost
from project.mail.smtp import (
    AddressPostponed,
    AddressRefused,
    Message,
    ServerUnavailable,
    Transport,
)

logger = logging.getLogger(__name__)

# Who unsubscribed or was blocked is looked up again after so many seconds of sending.
RECHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Parcel:
    delivery_id: int
    person_id: int
    message: Message


class Courier:
    """Delivers one batch."""

    def __init__(self, batch: Batch, transport: Transport, deadline: float) -> None:
        self.batch = batch
        self.transport = transport
        self.deadline = deadline
        self.untouched = dict(batch.recipients)
        self.parcels = self._parcels()
        self.upcoming: Parcel | None = None
        self.knows_upcoming = False
        self.unmarked: int | None = None
        self.is_answered = False
        self.sent = 0

    def deliver(self) -> int:
        """Send the batch, and give back what time or the server did not allow. Returns the number
        of mails sent."""
        try:
            self._send_all()
            self._mark()
        except ClaimLost:
            logger.warning("Another worker took over mails of %s", self.batch.mailing.key)
            return self.sent
        outcomes.give_back(self.batch, self.untouched)
        return self.sent

    def _send_all(self) -> None:
        try:
            while parcel := self._take():
                self._send(parcel)
        except ServerUnavailable as error:
            logger.warning("The mail server is unavailable: %s", error)
            note_failure(str(error), timezone.now())

    def _send(self, parcel: Parcel) -> None:
        """Send one mail and remember or write down what became of it."""
        try:
            self.transport.send(parcel.message, before=self._mark, meanwhile=self._look_ahead)
        except (ServerUnavailable, ClaimLost):
            self._put_back(parcel)
            self._put_back(self.upcoming)
            raise
        except AddressRefused as error:
            self._finish([parcel.delivery_id], DeliveryStatus.REFUSED, str(error))
            self._note_answer()
        except AddressPostponed as error:
            outcomes.postpone(self.batch, parcel.delivery_id, str(error))
        except Exception as error:  # whatever it is, it must not stop the mails of others
            logger.exception("Delivery %s can't be sent", parcel.delivery_id)
            outcomes.crash(self.batch, [parcel.delivery_id], repr(error))
        else:
            self.unmarked = parcel.delivery_id
            self.sent += 1
            self._note_answer()

    def _note_answer(self) -> None:
        """The server took or refused a mail. One that breaks off each time has not answered."""
        if not self.is_answered:
            note_answer()
            self.is_answered = True

    def _mark(self) -> None:
        """Write down that the last mail was sent. Raises ClaimLost."""
        if self.unmarked is not None:
            outcomes.mark_sent(self.batch, self.unmarked)
            self.unmarked = None

    # --- What is next -------------------------------------------------------------------------

    def _take(self) -> Parcel | None:
        self._look_ahead()
        self.knows_upcoming = False
        parcel, self.upcoming = self.upcoming, None
        return parcel

    def _look_ahead(self) -> None:
        """Have the next mail ready, once."""
        if not self.knows_upcoming:
            self.upcoming = next(self.parcels, None)
            self.knows_upcoming = True

    def _put_back(self, parcel: Parcel | None) -> None:
        if parcel is not None:
            self.untouched[parcel.delivery_id] = parcel.person_id

    def _parcels(self) -> Iterator[Parcel]:
        """What is left of the batch, with its letters as of now. Whom to skip is asked again and
        again, so that the answer is never older than RECHECK_SECONDS."""
        while self.untouched and time.monotonic() < self.deadline:
            written_at = time.monotonic()
            for delivery_id, (address, letter) in self._write().items():
                identity = message_id(
                    delivery_id, self.batch.mailing.created_at, self.transport.domain
                )
                message = self.transport.prepare(letter, address, identity)
                yield Parcel(delivery_id, self.untouched.pop(delivery_id), message)
                if time.monotonic() > min(written_at + RECHECK_SECONDS, self.deadline):
                    break

    def _write(self) -> Mapping[int, tuple[str, Letter]]:
        """Ask the kind for the letters, by delivery, with their addresses; and finish at once what
        is not to be sent."""
        batch = self.batch
        people = get_user_model().objects.in_bulk(self.untouched.values())
        try:
            kind = mail_kind(batch.mailing.kind)
            letters = kind.write(batch.mailing.subject_id, people.values())
        except Exception as error:  # whatever it is, it must not stop the mails of others
            logger.exception("Mails of %s can't be written", batch.mailing.key)
            outcomes.crash(batch, list(self.untouched), repr(error))
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
            self._finish(delivery_ids, DeliveryStatus.SKIPPED, reason)
            for delivery_id in delivery_ids:
                del self.untouched[delivery_id]
        return written

    def _finish(self, delivery_ids: list[int], status: DeliveryStatus, reason: str) -> None:
        outcomes.finish(self.batch, delivery_ids, status, reason)
