"""Addresses that the mail server refuses for good: refused on two days, they get no more mail until
staff say so, or a mail that its owner asked for arrives (docs/rules.md, 10.8).

What a mail provider reports later, by a webhook, is to be noted by `note_refusal` as well.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_noop

from project.common.mailboxes import compared
from project.mail.kinds import MailKind
from project.mail.models import RefusedAddress

if TYPE_CHECKING:
    from people.models import User

# After so long without a try, a mail that the person asked for may try once more.
TRIED_AGAIN_AFTER = timedelta(days=7)
UNCONFIRMED = gettext_noop("the address is not confirmed")
STOPPED = gettext_noop("the mail server refused this address on two days")


def refusals_of(people: Iterable["User"]) -> Mapping[int, RefusedAddress]:
    """What was said of these people's present addresses, by primary key of the person."""
    present = {person.pk: compared(person.email) for person in people}
    rows = RefusedAddress.objects.filter(recipient__in=present)
    return {row.recipient_id: row for row in rows if row.address == present[row.recipient_id]}


def is_reachable(person: "User") -> bool:
    """Say whether mail goes to the person's address."""
    stopped = RefusedAddress.objects.filter(recipient=person.pk, stopped_at__isnull=False)
    return not stopped.filter(address=compared(person.email)).exists()


def stopped() -> QuerySet[RefusedAddress]:
    """Of all present addresses, those that get no mail."""
    return RefusedAddress.objects.filter(
        stopped_at__isnull=False, address=Lower("recipient__email")
    )


def reason_against(kind: MailKind, person: "User", refusal: RefusedAddress | None) -> str:
    """Why such a mail does not go to this person's address, of which this was said: the one place that
    decides it. Empty if it does."""
    if not (kind.reaches_unconfirmed or person.is_email_confirmed):
        return UNCONFIRMED
    if refusal is None or refusal.stopped_at is None:
        return ""
    is_due = timezone.now() >= refusal.last_at + TRIED_AGAIN_AFTER
    return "" if kind.asked_for and is_due else STOPPED


@transaction.atomic
def note_refusal(recipient_id: int, address: str, words: str, at: datetime) -> None:
    """Write down that the mail server knows no such mailbox, if it is still the person's: an account
    that was erased or has another address meanwhile has nothing to do with it."""
    person = get_user_model().objects.select_for_update().filter(pk=recipient_id).first()
    if person is None or compared(person.email) != compared(address):
        return
    said = {"first_at": at, "first_words": words, "last_at": at, "last_words": words}
    row, is_new = RefusedAddress.objects.select_for_update().get_or_create(
        recipient_id=recipient_id, address=compared(address), defaults=said
    )
    if not is_new:
        row.refuse_again(words, at)
        row.save(update_fields=["last_at", "last_words", "stopped_at"])


def allow_mail(person: "User") -> None:
    """Let mail go to the person's address again, as if it had never been refused."""
    RefusedAddress.objects.filter(recipient=person.pk, address=compared(person.email)).delete()


def forget_old_refusals(before: datetime) -> None:
    """Delete what was said before this moment of addresses that still get mail, or are nobody's now."""
    old = RefusedAddress.objects.filter(last_at__lt=before)
    old.filter(Q(stopped_at=None) | ~Q(address=Lower(F("recipient__email")))).delete()
