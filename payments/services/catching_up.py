"""Hearing from Stripe what no webhook told (docs/rules.md, 12.21)."""

import logging
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.utils import timezone

from payments.models import MoveSource, StripeLook
from payments.provider import stripe
from payments.provider.reading import UNREADABLE
from payments.services.modes import note_events_read
from payments.services.stripe_events import apply_event, note_unreadable

logger = logging.getLogger(__name__)

# Stripe keeps events for thirty days.
GOES_BACK = timedelta(days=30)
# An event may be listed a little later than it happened.
OVERLAP = timedelta(hours=1)


def catch_up(*, since: datetime | None = None, at: datetime | None = None) -> StripeLook:
    """Apply every event since then, or since the last look, that was not applied yet, as if its
    webhook had come. Raises ProviderError: then the next look begins where this one did."""
    here = stripe.ask_account()
    look = StripeLook(started_at=at or timezone.now(), livemode=here.livemode, account_id=here.id)
    # Another mode or account has other events; of old looks it is not known whose they saw.
    looks = StripeLook.objects.filter(livemode=here.livemode, account_id=here.id)
    last = looks.filter(started_at__lte=look.started_at).first()
    earliest = begin = look.started_at - GOES_BACK
    if last is not None:
        begin = max(last.started_at - OVERLAP, earliest)
    since = begin if since is None else max(since, earliest)
    is_whole = True
    for event in stripe.list_events(since=since):
        look.events += 1
        if event.is_unreadable:
            note_unreadable(event)
            continue
        try:
            look.missed += apply_event(event, source=MoveSource.RECONCILIATION)
        except (DatabaseError, *UNREADABLE):
            # Those after it are not to wait for it; the next look tries it again.
            logger.exception("Event %s can't be applied", event.id)
            is_whole = False
    # After a shorter look the next one begins where this one would have, or it would leave a gap.
    if is_whole and since <= begin:
        look.save()
        note_events_read(livemode=here.livemode)
    return look
