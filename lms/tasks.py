"""Background work of the courses."""

import time

from django.utils import timezone

from lms.services import digests, searching, updates
from project.common.background.queue import enqueue
from project.mail.tasks import MAILINGS_KEPT

# Seconds in which one task lists recipients, so that others have their turn.
SLICE = 20.0


def tell_collected_updates() -> str:
    """Send off collected changes of courses that are quiet again; to be scheduled each minute."""
    return f"{updates.tell_collected()} courses"


def send_daily_mail() -> str:
    """Begin the daily mail if its hour has come, and list its recipients; to be scheduled every few
    minutes."""
    deadline = time.monotonic() + SLICE
    is_begun = digests.open_digest(timezone.now())
    while digests.list_one_step():
        if time.monotonic() >= deadline:
            enqueue("lms.tasks.send_daily_mail")
            return "to be continued"
    return "begun and listed" if is_begun else "nothing begun"


def forget_old_digests() -> str:
    """Delete what daily mails told whom long ago; to be scheduled once a day."""
    return f"{digests.forget_digests(timezone.now() - MAILINGS_KEPT)} parts forgotten"


def renew_searches(author_id: int) -> str:
    """Have the courses of an author found by their present name."""
    return f"{searching.renew_searches(author_id)} courses"
