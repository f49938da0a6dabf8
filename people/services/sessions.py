"""Log-in, and the life of the tokens that come of it."""

from functools import partial
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from people import tokens
from people.clients import Client
from people.errors import (
    AccountBlocked,
    InvalidCredentials,
    InvalidToken,
    NoSession,
    TokenExpired,
    TokenReused,
)
from people.hashers import hash_of
from people.login_queue import turn
from people.models import AdminSession, BlockReason, Door, LogInOutcome, TokenFamily, User
from people.permissions import can_end_sessions
from people.services.locks import lock_account, lock_active_account, lock_for_staff
from people.services.log_ins import note_log_in
from people.tokens import NOWHERE, TokenPair

# Where Django's session names its record.
RECORD = "admin_session"


def log_in(*, email: str, password: str, client: Client = NOWHERE) -> TokenPair:
    """Return tokens for the account of this e-mail and password, and note the log-in.

    Takes as long for an unknown e-mail as for a wrong password.
    Raises InvalidCredentials; AccountBlocked if the password is right; Throttled if too many log in.
    """
    user = User.objects.by_email(email).first()
    note = partial(note_log_in, user, door=Door.API, client=client)
    with turn():
        if user is None:
            hash_of(password)
        is_right = user is not None and user.check_password(password)
    if user is None or not is_right:
        note(outcome=LogInOutcome.WRONG_PASSWORD)
        raise InvalidCredentials
    try:
        return _let_in(user, client)
    except AccountBlocked:
        note(outcome=LogInOutcome.BLOCKED)
        raise


def _let_in(user: User, client: Client) -> TokenPair:
    with transaction.atomic():
        current = lock_account(user.pk)
        if not current.is_active:
            raise AccountBlocked(by_sweep=current.blocked_reason == BlockReason.INACTIVITY)
        if current.token_version != user.token_version:
            raise InvalidCredentials  # the password was changed while we compared it
        _note_activity(current)
        note_log_in(current, door=Door.API, outcome=LogInOutcome.SUCCEEDED, client=client)
        return tokens.issue_pair(current, client=client)


def refresh(*, token: str) -> TokenPair:
    """Exchange a refresh token for a new pair; whoever comes with it again within GRACE_PERIOD gets
    the same refresh token. Counts as activity. Raises TokenReused, which ends the family, of an
    expired token, too; TokenExpired and InvalidToken."""
    claims = tokens.read_refresh_token(token)
    refusal = TokenExpired if claims.is_expired else InvalidToken
    with transaction.atomic():
        user = User.objects.select_for_update().filter(pk=claims.user_id).first()
        if user is None or not (user.is_active and claims.are_of(user)):
            raise refusal
        if user.token_version != claims.version:
            raise refusal
        family = tokens.lock_family(claims)
        if family is None:
            raise refusal
        if family.accepts(claims.generation, at=family.now):
            if claims.is_expired:
                raise refusal
            _note_activity(user)
            if claims.generation == family.generation:
                return tokens.issue_next_pair(user, family)
            return tokens.issue_pair(user, family)
        family.delete()
    raise TokenReused


def log_out(*, token: str) -> None:
    """Refuse every token of this family from now on. What is no token, or none any more, ends
    nothing: whoever logs out has no use for an error."""
    try:
        claims = tokens.read_refresh_token(token)
    except InvalidToken:
        return
    with transaction.atomic():
        user = User.objects.select_for_update().filter(pk=claims.user_id).first()
        if user and claims.are_of(user) and (family := tokens.lock_family(claims)):
            family.delete()


@transaction.atomic
def log_out_everywhere(*, user: User) -> None:
    """End every session of the account, in the admin too. Raises InvalidToken."""
    end_all_sessions(lock_active_account(user))


def end_all_sessions(user: User) -> None:
    """Refuse every token of a locked account from now on, and its sessions in the admin."""
    user.token_version += 1
    user.save(update_fields=["token_version"])
    TokenFamily.objects.filter(user=user).delete()
    AdminSession.objects.filter(user=user).delete()
    if user.is_staff:
        end_browser_sessions(user)


def end_browser_sessions(user: User, *, unless_recorded: bool = False) -> None:
    """Delete what browsers hold a cookie of; of the release before, it has no record of ours that
    could be ended. Only the session itself says whose it is; only staff have any."""
    for session in Session.objects.iterator():
        kept = session.get_decoded()
        is_spared = unless_recorded and RECORD in kept
        if kept.get(SESSION_KEY) == str(user.pk) and not is_spared:
            session.delete()


@transaction.atomic
def end_session(*, user: User, session_id: UUID) -> None:
    """End one session of a person's own, in the front end or in the admin. Raises NoSession."""
    current = lock_active_account(user)
    in_front_end = TokenFamily.objects.alive().filter(user=current, pk=session_id)
    in_admin = AdminSession.objects.alive().filter(user=current, pk=session_id)
    # The rows are found by a join, which no database deletes from.
    for sessions in (in_front_end, in_admin):
        if session := sessions.first():
            session.delete()
            return
    raise NoSession


def sessions_of(user: User) -> list[TokenFamily | AdminSession]:
    """What a person has open, the one that was used last first."""
    families = list(TokenFamily.objects.alive().filter(user=user))
    in_admin = list(AdminSession.objects.alive().filter(user=user))
    return sorted([*families, *in_admin], key=lambda one: (one.last_used_at, one.pk), reverse=True)


@transaction.atomic
def end_sessions_for_staff(*, user: User, by: User) -> None:
    """End all sessions of somebody. Raises PermissionDenied, AccountErased."""
    end_all_sessions(lock_for_staff(user, by=by, to=can_end_sessions))


def _note_activity(user: User) -> None:
    user.last_login = timezone.now()
    user.save(update_fields=["last_login"])
