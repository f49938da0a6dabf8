"""Log-in, and the life of the tokens that come of it."""

from django.db import transaction
from django.utils import timezone

from people import tokens
from people.errors import (
    AccountBlocked,
    InvalidCredentials,
    InvalidToken,
    TokenExpired,
    TokenReused,
)
from people.hashers import hash_of
from people.login_queue import turn
from people.models import BlockReason, TokenFamily, User
from people.services.locks import lock_account, lock_active_account
from people.tokens import TokenPair


def log_in(*, email: str, password: str) -> TokenPair:
    """Return tokens for the account of this e-mail and password, and note the log-in.

    Takes as long for an unknown e-mail as for a wrong password.
    Raises InvalidCredentials; AccountBlocked if the password is right; Throttled if too many log in.
    """
    user = User.objects.by_email(email).first()
    with turn():
        if user is None:
            hash_of(password)
            raise InvalidCredentials
        if not user.check_password(password):
            raise InvalidCredentials
    with transaction.atomic():
        current = lock_account(user.pk)
        if not current.is_active:
            raise AccountBlocked(by_sweep=current.blocked_reason == BlockReason.INACTIVITY)
        if current.token_version != user.token_version:
            raise InvalidCredentials  # the password was changed while we compared it
        _note_activity(current)
        return tokens.issue_pair(current)


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
    """Refuse every token of the account from now on. Raises InvalidToken."""
    current = lock_active_account(user)
    current.token_version += 1
    current.save(update_fields=["token_version"])
    TokenFamily.objects.filter(user=current).delete()


def _note_activity(user: User) -> None:
    user.last_login = timezone.now()
    user.save(update_fields=["last_login"])
