"""The life of a log-in to the admin."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from people.clients import Client
from people.errors import WrongCode
from people.models import AdminSession, Door, LogInOutcome, TokenFamily, User
from people.services import second_factor
from people.services.locks import lock_active_account
from people.services.log_ins import note_log_in
from people.services.sessions import end_browser_sessions

# How exactly the record knows when a session was used last.
USE_NOTED_EVERY = timedelta(minutes=5)


def begin(user: User, client: Client) -> AdminSession:
    """Write down that somebody came in with their password; return the session."""
    session = _create(user, client, password_at=timezone.now())
    outcome = LogInOutcome.CODE_ASKED if session.has_device else LogInOutcome.SUCCEEDED
    note_log_in(user, door=Door.ADMIN, outcome=outcome, client=client)
    return session


def adopt(user: User, client: Client) -> AdminSession:
    """Take over a session of the release before, which did not write down when it began."""
    return _create(user, client, password_at=user.date_joined)


def _create(user: User, client: Client, *, password_at: datetime) -> AdminSession:
    now = timezone.now()
    session = AdminSession.objects.create(
        user=user,
        token_version=user.token_version,
        begun_at=now,
        last_used_at=now,
        password_at=password_at,
        address=client.address,
        device=client.device,
    )
    session.has_device = second_factor.has_device(user)
    return session


def find(user: User, session_id: str) -> AdminSession | None:
    """The session of this name if it lets the person in, noted as used; None if it has ended."""
    of_person = AdminSession.objects.filter(user=user, token_version=user.token_version)
    known = of_person.with_has_device(second_factor.device_of("user_id"))
    session = known.filter(pk=UUID(session_id)).first()
    now = timezone.now()
    if session and session.last_used_at < now - USE_NOTED_EVERY:
        AdminSession.objects.filter(pk=session.pk).update(last_used_at=now)
    return session


def enter_code(session: AdminSession, user: User, code: str, client: Client) -> None:
    """Let a session in by a code, and write down how it went. Raises WrongCode, Throttled."""
    try:
        second_factor.check_code(user=user, code=code)
    except WrongCode:
        note_log_in(user, door=Door.ADMIN, outcome=LogInOutcome.WRONG_CODE, client=client)
        raise
    note_log_in(user, door=Door.ADMIN, outcome=LogInOutcome.SUCCEEDED, client=client)
    note_code(session)


def note_code(session: AdminSession) -> None:
    session.code_at = timezone.now()
    AdminSession.objects.filter(pk=session.pk).update(code_at=session.code_at)


def note_password(session: AdminSession) -> None:
    session.password_at = timezone.now()
    AdminSession.objects.filter(pk=session.pk).update(password_at=session.password_at)


def keep_after_new_password(session: AdminSession, user: User) -> None:
    """Let the session go on in which the person changed their own password: all others end."""
    AdminSession.objects.filter(pk=session.pk).update(
        token_version=user.token_version, password_at=timezone.now()
    )


def end(session_id: str) -> None:
    AdminSession.objects.filter(pk=UUID(session_id)).delete()


@transaction.atomic
def end_others(session: AdminSession, user: User) -> None:
    """End every session of the person but this one: in the front end and elsewhere in the admin.
    Raises InvalidToken."""
    current = lock_active_account(user)
    TokenFamily.objects.filter(user=current).delete()
    AdminSession.objects.filter(user=current).exclude(pk=session.pk).delete()
    end_browser_sessions(current, unless_recorded=True)


def forget_dead() -> int:
    """Delete the sessions that let nobody in any more; return how many there were."""
    dead = AdminSession.objects.exclude(pk__in=AdminSession.objects.alive().values("pk"))
    number, _each = dead.delete()
    return number
