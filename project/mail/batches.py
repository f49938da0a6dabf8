"""The mails that a worker has taken, and what is written down of each."""

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from project.common.db.compiled import binding_cursor
from project.common.logging import without_addresses
from project.mail.models import MAX_UNANSWERED, Delivery, DeliveryStatus, Mailing, RefusedAddress
from project.mail.refusals import note_refusal
from project.mail.smtp import (
    ANSWER_SECONDS,
    AddressPostponed,
    AddressRefused,
    AnswerLate,
    AnswerLost,
    NoMailbox,
)

logger = logging.getLogger(__name__)

# Rows of one claim by the number of crashes they have seen: what crashes is soon alone, and its
# neighbours go out without it.
BATCH_SIZES = (500, 20, 1)
# More than any batch may take: the worker ends a task after Q_CLUSTER["timeout"].
LEASE = timedelta(seconds=120)
# More than a late answer may take.
ANSWER_LEASE = timedelta(seconds=ANSWER_SECONDS) + LEASE
ENDED = gettext_noop("The worker ended before the mail server had answered.")
AWAITED = gettext_noop("The mail server has the message and has not answered yet.")
# Late answers that one process waits for at once, each on a connection of its own.
LATE_PLACES = threading.BoundedSemaphore(4)
MAX_CRASHES = 5
MAX_REFUSALS = 30  # about four days with the delays below
CLAIMED = (
    "mailing_id",
    "recipient_id",
    "attempts",
    "refusals",
    "unanswered",
    "due_at",
    "other_address",
)


class ClaimLost(Exception):
    """The row is not ours any more: our lease ran out."""


def delay_after(failures: int, *, limit: timedelta = timedelta(hours=4)) -> timedelta:
    """How long to wait after so many failures in a row: 1, 2, 4 … minutes."""
    return min(timedelta(minutes=2 ** min(failures - 1, 20)), limit)


def has_late_place(deadline: float = 0) -> bool:
    """Is there a place for one more late answer? Waits for one until `time.monotonic()` passes the
    deadline."""
    is_free = LATE_PLACES.acquire(timeout=max(0.0, deadline - time.monotonic()))
    if is_free:
        LATE_PLACES.release()
    return is_free


@transaction.atomic
def give_up(at: datetime) -> None:
    """Give up what crashed too often, or went out without an answer once too often. A worker that
    died may have handed over the first mail that it still held, and no other."""
    due = Delivery.objects.due(at=at)
    held = due.exclude(claim=None)
    first = held.order_by().values("claim").annotate(first=Min("id"))
    held.filter(pk__in=list(first.values_list("first", flat=True))).update(
        unanswered=F("unanswered") + 1
    )
    held.update(claim=None)
    unsure = due.filter(unanswered__gte=MAX_UNANSWERED)
    unsure.update(status=DeliveryStatus.PERHAPS, finished_at=at, error=ENDED)
    crashed = due.filter(attempts__gte=F("refusals") + MAX_CRASHES)
    crashed.update(status=DeliveryStatus.PARKED, finished_at=at)


@transaction.atomic
def claim_batch(at: datetime) -> "Batch | None":
    """Take the deliveries that are first in order, as far as they are of one mailing and went wrong
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
        row
        for row in found
        if (row.mailing_id, row.crashes, row.unanswered)
        == (first.mailing_id, first.crashes, first.unanswered)
    ]
    # In the order of their keys: so it is known of a dead worker which mail it was at.
    recipients = {row.pk: row.recipient_id for row in sorted(alike[:size], key=lambda row: row.pk)}
    claim = uuid.uuid4()
    Delivery.objects.filter(pk__in=list(recipients)).update(
        claim=claim, attempts=F("attempts") + 1, due_at=at + LEASE
    )
    others = {row.pk: row.other_address for row in alike if row.other_address}
    return Batch(claim, first.mailing, recipients, others, first.unanswered, first.due_at)


@dataclass(frozen=True)
class Batch:
    """Deliveries of one mailing that this worker holds. Its methods write down what became of them,
    as far as the worker still holds them."""

    claim: uuid.UUID
    mailing: Mailing
    recipients: dict[int, int]  # delivery → person, in order
    other_addresses: dict[int, str]  # of the deliveries that go elsewhere than to the person's own
    unanswered: int  # before the try
    due_since: datetime
    # Delivery → what was said of its address before; a mail that arrives takes it back.
    refused_before: dict[int, int] = field(default_factory=dict)
    # Delivery → the kept letter, and the address it goes to.
    letters: dict[int, tuple[int, str]] = field(default_factory=dict)

    def mark_sent(self, delivery_id: int) -> None:
        """One statement per mail, and the only one, unless the address was refused before: written by
        hand, because building it costs as much as running it, and prepared, because planning it costs
        a third of that. Raises ClaimLost."""
        has_uuid = connection.features.has_native_uuid_field
        with binding_cursor() as cursor:
            cursor.execute(
                "UPDATE mail_delivery SET status = %s, finished_at = %s, claim = NULL, error = '',"
                " letter_id = %s, sent_to = %s WHERE id = %s AND claim = %s",
                [
                    DeliveryStatus.SENT.value,
                    connection.ops.adapt_datetimefield_value(timezone.now()),
                    *self.letters.get(delivery_id, (None, "")),
                    delivery_id,
                    self.claim if has_uuid else self.claim.hex,
                ],
            )
            if cursor.rowcount == 0:
                raise ClaimLost
        if refusal := self.refused_before.get(delivery_id):
            RefusedAddress.objects.filter(pk=refusal).delete()

    def settle(self, delivery_id: int, address: str, error: Exception) -> None:
        """Write down why a mail to this address was not sent, or perhaps not; without the address, which the server
        repeats, and which may be erased by now."""
        words = without_addresses(str(error))
        match error:
            case AnswerLost():
                self._held([delivery_id]).update(**self._handed_over(delivery_id))
                self.postpone(delivery_id, words, lost=1)
            case AddressPostponed():
                self.postpone(delivery_id, words)
            case NoMailbox():
                self.finish_dead(delivery_id, address, words)
            case AddressRefused():
                self.finish([delivery_id], DeliveryStatus.REFUSED, words)
            case _:  # whatever it is, it must not stop the mails of others
                logger.error("Delivery %s can't be sent", delivery_id, exc_info=error)
                self.crash([delivery_id], repr(error))

    def await_answer(self, delivery_id: int, address: str, late: AnswerLate) -> None:
        """Keep the mail from other workers, by a claim of its own, until the server has answered,
        and write its answer down then. If this process ends before, the answer is lost."""
        LATE_PLACES.acquire()
        own = replace(self, claim=uuid.uuid4())
        due_at = timezone.now() + ANSWER_LEASE
        self._held([delivery_id]).update(
            claim=own.claim, due_at=due_at, error=AWAITED, **self._handed_over(delivery_id)
        )
        threading.Thread(target=own.hear, args=[delivery_id, address, late], daemon=True).start()

    def hear(self, delivery_id: int, address: str, late: AnswerLate) -> None:
        try:
            late.wait()
            self.mark_sent(delivery_id)
        except ClaimLost:
            logger.warning("Another worker took over a mail of %s", self.mailing.key)
        except Exception as error:  # noqa: BLE001 - it is written down
            self.settle(delivery_id, address, error)
        finally:
            connection.close()
            LATE_PLACES.release()

    def finish(self, delivery_ids: Sequence[int], status: DeliveryStatus, reason: str) -> int:
        """Returns how many of them were still ours."""
        return self._held(delivery_ids).update(
            status=status, finished_at=timezone.now(), claim=None, error=reason[:500]
        )

    @transaction.atomic
    def finish_dead(self, delivery_id: int, address: str, words: str) -> None:
        """Nobody has this address, the server says."""
        if self.finish([delivery_id], DeliveryStatus.REFUSED, words):
            note_refusal(self.recipients[delivery_id], address, words, timezone.now())

    def postpone(self, delivery_id: int, reason: str, *, lost: int = 0) -> None:
        """The server said "later", or its answer was lost: wait longer each time, and give up in the
        end."""
        delivery = Delivery.objects.get(pk=delivery_id)
        unanswered = self.unanswered + lost
        if unanswered >= MAX_UNANSWERED:
            self.finish([delivery_id], DeliveryStatus.PERHAPS, reason)
            return
        if delivery.refusals + 1 >= MAX_REFUSALS:
            self.finish([delivery_id], DeliveryStatus.REFUSED, reason)
            return
        self._held([delivery_id]).update(
            refusals=F("refusals") + 1,
            unanswered=unanswered,
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

    def _handed_over(self, delivery_id: int) -> dict[str, object]:
        letter_id, address = self.letters.get(delivery_id, (None, ""))
        return {"letter_id": letter_id, "sent_to": address}

    def _held(self, delivery_ids: Sequence[int]) -> QuerySet[Delivery]:
        return Delivery.objects.filter(pk__in=delivery_ids, claim=self.claim)
