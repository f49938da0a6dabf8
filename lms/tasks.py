"""Background work of the courses."""

import time

from django.utils import timezone

from lms.services import digests, searching, updates
from project.common.background.outcomes import CONTINUED, Counts
from project.common.background.queue import enqueue
from project.mail.tasks import MAILINGS_KEPT

# Seconds in which one task lists recipients, so that others have their turn.
SLICE = 20.0


def tell_collected_updates() -> Counts:
    """Send off collected changes of courses that are quiet again; to be scheduled each minute."""
    return {"courses_told": updates.tell_collected()}


def send_daily_mail() -> Counts:
    """Begin the daily mail if its hour has come, and list its recipients; to be scheduled every few
    minutes."""
    deadline = time.monotonic() + SLICE
    is_begun = digests.open_digest(timezone.now())
    while digests.list_one_step():
        if time.monotonic() >= deadline:
            enqueue("lms.tasks.send_daily_mail")
            return CONTINUED
    return {"daily_mails_begun": int(is_begun)}


def forget_old_digests() -> Counts:
    """Delete what daily mails told whom long ago; to be scheduled once a day."""
    return {"told_changes_forgotten": digests.forget_digests(timezone.now() - MAILINGS_KEPT)}


def renew_searches(author_id: int) -> Counts:
    """Have the courses of an author found by their present name."""
    return {"courses_renewed": searching.renew_searches(author_id)}
