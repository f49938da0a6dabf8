"""How staff write to one person (docs/rules.md, 10.15). Below the apps that have pages to write from."""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from people.errors import AccountErased, TooManyMessages
from people.mails import MESSAGE, letter_of
from people.models import BlockReason, StaffMessage, User
from people.models.messages import HOUR
from project.mail.kinds import Letter
from project.mail.services import send_to_one


@transaction.atomic
def send_message(
    *, recipient: User, by: User, subject: str, text: str, key: UUID, reference: str = ""
) -> StaffMessage:
    """Write to a person, about what `reference` names. With a `key` that was used before nothing
    happens. Raises TooManyMessages, AccountErased."""
    # Held, always in one order: requests at once write no more than one after the other, and none
    # writes into an account that is being erased.
    people = User.objects.filter(pk__in=[by.pk, recipient.pk]).select_for_update(no_key=True)
    list(people.order_by("pk"))
    sender, recipient = people.get(pk=by.pk), people.get(pk=recipient.pk)
    sent_before = StaffMessage.objects.filter(key=key, sender=sender).first()
    if sent_before:
        return sent_before
    if recipient.blocked_reason == BlockReason.ERASED:
        raise AccountErased
    _require_place(sender)
    message = StaffMessage.objects.create(
        key=key,
        sender=sender,
        recipient=recipient,
        subject=subject,
        text=text,
        reference=reference,
    )
    # Without a title: that of a mailing outlives the account, and the subject may name the person.
    send_to_one(MESSAGE, recipient, subject_id=message.pk, key=str(message.pk))
    return message


def _require_place(sender: User) -> None:
    """A stolen account of the staff must not write to everybody. Raises TooManyMessages."""
    lately = StaffMessage.objects.filter(sender=sender).of_the_last_hour().order_by("created_at")
    times = list(lately.values_list("created_at", flat=True))
    if len(times) >= settings.STAFF_MESSAGES_PER_HOUR:
        raise TooManyMessages(int((times[0] + HOUR - timezone.now()).total_seconds()) + 1)


def preview(*, recipient: User, by: User, subject: str, text: str) -> Letter:
    """The mail as the person would get it."""
    return letter_of(
        StaffMessage(sender=by, recipient=recipient, subject=subject, text=text), recipient
    )
