"""The row of the mail server: does it answer, and which worker is sending."""

import uuid
from datetime import datetime, timedelta

from django.db.models import F, Q

from project.mail.models import MailServer

# Longer than a worker sends in one go, and than its successor waits in the queue.
SENDER_LEASE = timedelta(seconds=90)
LONGEST_SILENCE = timedelta(minutes=10)


def mail_server() -> MailServer:
    """The only row, made when it is first asked for."""
    return MailServer.objects.get_or_create(pk=1)[0]


def server_may_answer(at: datetime) -> bool:
    """False while we leave a server alone that did not answer."""
    return not MailServer.objects.filter(pk=1, retry_at__gt=at).exists()


def note_failure(reason: str, at: datetime) -> None:
    """Leave the server alone for 1, 2, 4 … minutes, ten at the most."""
    server = mail_server()
    delay = min(timedelta(minutes=2 ** min(server.failures, 10)), LONGEST_SILENCE)
    MailServer.objects.filter(pk=1).update(
        failures=F("failures") + 1,
        retry_at=at + delay,
        failing_since=server.failing_since or at,
        error=reason[:500],
    )


def note_answer() -> None:
    """The server takes mails (again)."""
    MailServer.objects.filter(pk=1, failures__gt=0).update(
        failures=0, retry_at=None, failing_since=None, error=""
    )


def become_sender(token: uuid.UUID, at: datetime) -> bool:
    """Let the worker with this token send, alone, for SENDER_LEASE. One connection is what a mail
    server likes, and it leaves the other workers to other tasks."""
    mail_server()
    free = Q(sender=None) | Q(sender=token) | Q(sender_until__lte=at)
    # A clock that was set back must not leave the lease in a far future.
    free |= Q(sender_until__gt=at + 2 * SENDER_LEASE)
    taken = MailServer.objects.filter(free, pk=1).update(
        sender=token, sender_until=at + SENDER_LEASE
    )
    return bool(taken)


def stop_sending(token: uuid.UUID) -> None:
    MailServer.objects.filter(pk=1, sender=token).update(sender=None, sender_until=None)
