"""Log-in, and the life of the tokens that come of it."""

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from people import tokens
from people.errors import AccountBlocked, InvalidCredentials, InvalidToken
from people.models import User
from people.services.locks import lock_account
from people.tokens import TokenPair


def log_in(*, email: str, password: str) -> TokenPair:
    """Return tokens for the account of this e-mail and password, and note the log-in.

    Takes as long for an unknown e-mail as for a wrong password.
    Raises InvalidCredentials; AccountBlocked if the password is right.
    """
    user = User.objects.by_email(email).first()
    if user is None:
        make_password(password)
        raise InvalidCredentials
    if not user.check_password(password):
        raise InvalidCredentials
    with transaction.atomic():
        current = lock_account(user.pk)
        if not current.is_active:
            raise AccountBlocked
        if current.token_version != user.token_version:
            raise InvalidCredentials  # the password was changed while we compared it
        return _issue(current)


def refresh(*, token: str) -> TokenPair:
    """Exchange a refresh token for a new pair; of simultaneous exchanges of one token exactly one
    succeeds. Counts as activity. Raises InvalidToken."""
    user = tokens.user_of_refresh_token(token)
    with transaction.atomic():
        current = lock_account(user.pk)
        if not current.is_active:
            raise InvalidToken
        tokens.revoke(token, of=current)
        return _issue(current)


@transaction.atomic
def log_out(*, user: User, token: str) -> None:
    """Refuse this refresh token of the person from now on. Raises InvalidToken."""
    tokens.revoke(token, of=user)


def _issue(user: User) -> TokenPair:
    user.last_login = timezone.now()
    user.save(update_fields=["last_login"])
    return tokens.issue_pair(user)
