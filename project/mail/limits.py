"""How many mails an address gets in a day of those that anybody can have sent there by naming it: links
to confirm it, for a new password, and so on (docs/rules.md, 10.10).

Counted in the database, under a lock, so that requests at once gain nothing, and by the address, so that
accounts that come and go gain nothing either. Each sort counts for itself: who uses up the links of
one sort for somebody else has filled their mailbox with links of that sort that work
(`PASSWORD_RESET_TIMEOUT` is a day).
"""

import math
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from project.common.errors import Throttled
from project.common.mailboxes import compared
from project.mail.models import AddressCount

DAY = timedelta(days=1)


class EnoughForToday(Throttled):
    """An address got what it gets in a day."""


@transaction.atomic
def count_mail(address: str, sort: str, *, is_trusted: bool) -> None:
    """Count one more mail of this sort: one in a day, and MAILS_PER_ADDRESS where somebody is proven to
    read them. Raises EnoughForToday."""
    address = compared(address)
    _count(address, sort, most=settings.MAILS_PER_ADDRESS if is_trusted else 1)
    local, _at, domain = address.rpartition("@")
    mailbox, tagged, _tag = local.partition("+")
    if tagged:  # anna+1@, anna+2@ … are one mailbox at most providers
        _count(f"{mailbox}@{domain}", f"{sort}+", most=settings.MAILS_PER_ADDRESS)


def _count(address: str, sort: str, *, most: int) -> None:
    now = timezone.now()
    counts = AddressCount.objects.select_for_update()
    row, _created = counts.get_or_create(
        address=_digest(address), sort=sort, defaults={"begun_at": now}
    )
    if row.begun_at + DAY <= now:
        row.begun_at, row.mails = now, 0
    if row.mails >= most:
        raise EnoughForToday(math.ceil((row.begun_at + DAY - now).total_seconds()))
    row.mails += 1
    row.save(update_fields=["begun_at", "mails"])


def forget_count(address: str, sort: str) -> None:
    """Count anew: whoever used a link of this sort reads what comes there."""
    AddressCount.objects.filter(address=_digest(compared(address)), sort=sort).delete()


def _digest(address: str) -> str:
    return salted_hmac("project.mail.limits", address, algorithm="sha256").hexdigest()


def forget_counts() -> None:
    """Delete the counts whose day is over."""
    AddressCount.objects.filter(begun_at__lte=timezone.now() - DAY).delete()
