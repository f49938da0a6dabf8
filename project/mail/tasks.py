"""Background work of the outbox. Each is started as soon as there is something to do, and by the
clock once a minute: what a killed worker leaves is found by the next."""

import time
import uuid
from datetime import timedelta

from django.utils import timezone

from project.common.background.outcomes import CONTINUED, Counts
from project.common.background.queue import enqueue
from project.mail.limits import forget_counts
from project.mail.queries import forget_finished_mailings
from project.mail.recipients import list_one_step
from project.mail.refusals import forget_old_refusals
from project.mail.sending import become_sender, has_work, send_due, stop_sending

# Seconds of work in one task, well below Q_CLUSTER["timeout"]; then the next one goes on, so that
# other tasks have their turn in between.
SLICE = 20.0
MAILINGS_KEPT = timedelta(days=90)


def deliver_mail(token: str | None = None) -> Counts:
    """List recipients and send what is due. `token` is that of the worker that goes on."""
    sender = uuid.UUID(token) if token else uuid.uuid4()
    deadline = time.monotonic() + SLICE
    sent = 0
    # What is put in while we are about to stop finds us still at work, and does not start another.
    while has_work(timezone.now()) and become_sender(sender, timezone.now()):
        while time.monotonic() < deadline and list_one_step():
            continue
        sent += send_due(deadline)
        if time.monotonic() >= deadline and has_work(timezone.now()):
            enqueue("project.mail.tasks.deliver_mail", str(sender))
            return {"mails_sent": sent, **CONTINUED}
        stop_sending(sender)
    return {"mails_sent": sent}


def forget_old_mails() -> Counts:
    """Delete mailings that were finished long ago, old refusals, and counts of yesterday; to be
    scheduled once a day."""
    long_ago = timezone.now() - MAILINGS_KEPT
    forget_old_refusals(long_ago)
    forget_counts()
    return {"mails_forgotten": forget_finished_mailings(long_ago)}
