"""How a mail gets into the outbox. It is there when the caller's transaction commits."""

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from project.common.background.queue import enqueue
from project.mail.kinds import counted_kinds, mail_kind
from project.mail.limits import EnoughForToday, count_mail
from project.mail.models import (
    UNSETTLED,
    Delivery,
    DeliveryStatus,
    Mailing,
    MailingState,
    MailServer,
    mailing_key,
)

if TYPE_CHECKING:
    from people.models import User

DELIVER = "project.mail.tasks.deliver_mail"


@transaction.atomic
def send_to_one(
    kind: str,
    recipient: "User",
    *,
    subject_id: int | None = None,
    key: str = "",
    title: str = "",
    other_address: str = "",
) -> Mailing:
    """Send one person a mail, to `other_address` if it is not to go to their own. A `key` that was
    used before changes nothing; without one each call is a mail of its own. `title` says in the
    admin what it is about. Raises KeyError for an unknown kind, EnoughForToday."""
    urgent = mail_kind(kind).urgent
    key = key or secrets.token_hex(16)
    mailing, created = _mailing(kind, key, MailingState.LISTED, subject_id, title)
    if created:
        delivery = Delivery(
            mailing=mailing, recipient=recipient, other_address=other_address, urgent=urgent
        )
        _count(delivery)
        delivery.save()
        enqueue(DELIVER)
    return mailing


@transaction.atomic
def send_to_each(kind: str, recipients: "Mapping[int, User]", *, title: str = "") -> None:
    """Send each of many people a mail about something of their own, by its primary key, which is the key
    of the mail and has to be new. Raises KeyError for an unknown kind, EnoughForToday."""
    urgent = mail_kind(kind).urgent
    mailings = Mailing.objects.bulk_create(
        Mailing(
            key=mailing_key(kind, subject_id),
            kind=kind,
            state=MailingState.LISTED,
            subject_id=subject_id,
            title=title[:200],
        )
        for subject_id in recipients
    )
    deliveries = [
        Delivery(mailing=mailing, recipient=recipient, urgent=urgent)
        for mailing, recipient in zip(mailings, recipients.values(), strict=True)
    ]
    for delivery in deliveries:
        _count(delivery)
    Delivery.objects.bulk_create(deliveries)
    if deliveries:
        enqueue(DELIVER)


def _count(delivery: Delivery) -> None:
    """Count the mail, if it is of a kind that anybody can have sent. Raises EnoughForToday."""
    kind, person = mail_kind(delivery.mailing.kind), delivery.recipient
    # Who never logged in has shown nothing, though staff may have confirmed the address.
    is_proven = person.is_email_confirmed and person.last_login and not delivery.other_address
    if kind.counts_as:
        is_trusted = bool(is_proven or kind.is_by_staff)
        count_mail(delivery.address, kind.counts_as, is_trusted=is_trusted)


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


def open_mailing(kind: str, key: str, *, subject_id: int | None = None, title: str = "") -> Mailing:
    """The mailing of this key, to which the caller adds recipients with `recipients.add_recipients`."""
    return _mailing(kind, key, MailingState.LISTED, subject_id, title)[0]


def _mailing(
    kind: str, key: object, state: MailingState, subject_id: int | None = None, title: str = ""
) -> tuple[Mailing, bool]:
    """Get or create the mailing of this key; say whether it is new."""
    details = {"kind": kind, "state": state, "subject_id": subject_id, "title": title[:200]}
    return Mailing.objects.get_or_create(key=mailing_key(kind, key), defaults=details)


def try_now() -> None:
    """Offer the mail server at once what waits, however soon after a failure."""
    MailServer.objects.update(retry_at=None)
    start_delivery()


def start_delivery() -> None:
    """Have what is in the outbox sent, once the present transaction commits."""
    enqueue(DELIVER)


@transaction.atomic
def try_again(deliveries: "QuerySet[Delivery]") -> int:
    """Send what failed or was perhaps sent of these once more. Returns how many that are: what an
    address perhaps got, and gets no more of today, is not among them."""
    again = deliveries.filter(status__in=UNSETTLED)
    counted = again.filter(status=DeliveryStatus.PERHAPS, mailing__kind__in=counted_kinds())
    for delivery in counted.select_related("mailing", "recipient"):
        try:
            _count(delivery)
        except EnoughForToday:
            again = again.exclude(pk=delivery.pk)
    count = again.update(
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
