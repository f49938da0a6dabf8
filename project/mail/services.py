"""How a mail gets into the outbox. It is there when the caller's transaction commits."""

import secrets
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from project.common.background.queue import enqueue
from project.mail.kinds import mail_kind
from project.mail.models import (
    UNSETTLED,
    Delivery,
    DeliveryStatus,
    Mailing,
    MailingState,
    mailing_key,
)

if TYPE_CHECKING:
    from people.models import User

DELIVER = "project.mail.tasks.deliver_mail"


@transaction.atomic
def send_to_one(
    kind: str, recipient: "User", *, subject_id: int | None = None, key: str = "", title: str = ""
) -> Mailing:
    """Send one person a mail. A `key` that was used before changes nothing; without one each call
    is a mail of its own. `title` says in the admin what it is about. Raises KeyError for an unknown
    kind."""
    urgent = mail_kind(kind).urgent
    key = key or secrets.token_hex(16)
    mailing, created = _mailing(kind, key, MailingState.LISTED, subject_id, title)
    if created:
        Delivery.objects.create(mailing=mailing, recipient=recipient, urgent=urgent)
        enqueue(DELIVER)
    return mailing


def send_to_audience(kind: str, subject_id: int, *, title: str = "") -> Mailing:
    """Send a mail to all whom its kind names; the worker lists them. Its time does not depend on
    their number. A second call for the same subject changes nothing."""
    mail_kind(kind)  # raises KeyError for an unknown one
    mailing, created = _mailing(kind, subject_id, MailingState.LISTING, subject_id, title)
    if created:
        enqueue(DELIVER)
    return mailing


def withdraw(kind: str, key: str, *, reason: str) -> None:
    """Don't send a mail that is not true any more, unless a worker is sending it now. `reason` is
    marked with `gettext_noop` for the admin."""
    Delivery.objects.of(kind, key).waiting().filter(claim=None).update(
        status=DeliveryStatus.SKIPPED, finished_at=timezone.now(), error=reason
    )


def open_mailing(kind: str, key: str) -> Mailing:
    """The mailing of this key, to which the caller adds recipients with `recipients.add_recipients`."""
    return _mailing(kind, key, MailingState.LISTED)[0]


def _mailing(
    kind: str, key: object, state: MailingState, subject_id: int | None = None, title: str = ""
) -> tuple[Mailing, bool]:
    """Get or create the mailing of this key; say whether it is new."""
    details = {"kind": kind, "state": state, "subject_id": subject_id, "title": title[:200]}
    return Mailing.objects.get_or_create(key=mailing_key(kind, key), defaults=details)


def start_delivery() -> None:
    """Have what is in the outbox sent, once the present transaction commits."""
    enqueue(DELIVER)


def try_again(deliveries: "QuerySet[Delivery]") -> int:
    """Send what failed or was perhaps sent of these once more. Returns how many that are."""
    count = deliveries.filter(status__in=UNSETTLED).update(
        status=DeliveryStatus.WAITING,
        attempts=0,
        refusals=0,
        unanswered=0,
        due_at=timezone.now(),
        claim=None,
        finished_at=None,
    )
    if count:
        enqueue(DELIVER)
    return count


def take_as_sent(deliveries: "QuerySet[Delivery]") -> int:
    """What was perhaps sent of these has arrived, somebody says. Returns how many that are."""
    unsure = deliveries.filter(status=DeliveryStatus.PERHAPS)
    return unsure.update(status=DeliveryStatus.SENT, error="")


def list_again(mailing: Mailing) -> bool:
    """List the recipients of a mailing that was given up, from where it got stuck. Returns False if
    it was not."""
    parked = Mailing.objects.filter(pk=mailing.pk, state=MailingState.PARKED)
    is_parked = parked.update(state=MailingState.LISTING, listing_attempts=0, due_at=timezone.now())
    if is_parked:
        enqueue(DELIVER)
    return bool(is_parked)
