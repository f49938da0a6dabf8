"""Writing the recipients of a mailing into the outbox: in bounded steps, inside the database."""

import logging
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, Expression, F, Model, OuterRef, QuerySet, Value
from django.utils import timezone

from project.common.db.bulk import insert_selected
from project.mail.kinds import mail_kind
from project.mail.models import Delivery, DeliveryStatus, Mailing, MailingState, MailServer

logger = logging.getLogger(__name__)

# Recipients per statement: what one step locks and writes.
STEP = 5000
MAX_ATTEMPTS = 5


def add_recipients(mailing: Mailing, rows: QuerySet[Model], field: str) -> int:
    """Put the people whom `field` of the rows names into the mailing, in one statement; who is
    there already stays as they are, and whose address is not confirmed is left out, unless the kind
    reaches them. Returns the number of new ones."""
    kind = mail_kind(mailing.kind)
    if not kind.reaches_unconfirmed:
        unconfirmed = get_user_model().objects.filter(email_confirmed_at=None, pk=OuterRef(field))
        rows = rows.exclude(Exists(unconfirmed))
    columns: dict[str, Expression | F] = {
        "mailing_id": Value(mailing.pk),
        "recipient_id": F(field),
        "status": Value(DeliveryStatus.WAITING.value),
        "urgent": Value(kind.urgent),
        "attempts": Value(0),
        "refusals": Value(0),
        "unanswered": Value(0),
        "due_at": Value(timezone.now()),
        "error": Value(""),
    }
    return insert_selected(Delivery, columns, rows)


def hold_listing() -> None:
    """Wait for whoever lists recipients at this moment; nobody else does until the transaction ends.
    So who decides by what was listed before sees all of it."""
    MailServer.objects.select_for_update().get_or_create(pk=1)


def list_one_step() -> bool:
    """List up to STEP recipients of the oldest mailing that is not listed yet. Returns False if
    there is none. A mailing whose listing fails again and again is parked."""
    now = timezone.now()
    mailing = Mailing.objects.to_be_listed(at=now).first()
    if mailing is None:
        return False
    row = Mailing.objects.filter(pk=mailing.pk)
    if mailing.listing_attempts >= MAX_ATTEMPTS:
        row.update(state=MailingState.PARKED)
        return True
    # Counted, and postponed, before the work: a step that kills its worker stops nobody else.
    delay = timedelta(minutes=2**mailing.listing_attempts)
    row.update(listing_attempts=F("listing_attempts") + 1, due_at=now + delay)
    try:
        list_recipients(mailing.pk)
    except Exception:  # whatever it is, it must not stop other mailings
        logger.exception("The recipients of %s can't be listed", mailing.key)
    return True


@transaction.atomic
def list_recipients(mailing_id: int) -> None:
    """The recipients and how far we came are written together, so a repeat continues there."""
    mailing = Mailing.objects.select_for_update().get(pk=mailing_id)
    if mailing.state != MailingState.LISTING:
        return
    hold_listing()
    rows, field = mail_kind(mailing.kind).audience(mailing.subject_id or 0)
    rows = rows.filter(**{f"{field}__gt": mailing.listed_up_to}).order_by(field)
    last = rows.values_list(field, flat=True)[STEP - 1 : STEP].first()
    if last is None:
        mailing.state = MailingState.LISTED
        step = rows
    else:
        mailing.listed_up_to = last
        step = rows.filter(**{f"{field}__lte": last})
    add_recipients(mailing, step.order_by(), field)
    mailing.listing_attempts = 0
    mailing.due_at = timezone.now()
    mailing.save(update_fields=["state", "listed_up_to", "listing_attempts", "due_at"])
