"""Access and refresh tokens; the only module that knows the JWT library.

The library by itself looks at the account on access only, lets one refresh token be used several
times at once, and forgets rotated ones; what is written here closes these gaps.
"""

from typing import Any

from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja_jwt.exceptions import TokenError
from ninja_jwt.tokens import AccessToken

from people.models import User
from project.common.errors import Unauthenticated

VERSION_CLAIM = "version"


class AccessTokenAuth(HttpBearer):
    """Let in who shows an access token of an active account, issued under its present version."""

    def authenticate(self, request: HttpRequest, token: str) -> User:
        user = user_of_access_token(token)
        request.user = user
        return user


def user_of_access_token(token: str) -> User:
    """Return the active account the token was issued to. Raises Unauthenticated."""
    try:
        claims: Any = AccessToken(token)
    except TokenError:
        raise Unauthenticated from None
    user: User | None = (
        User.objects.with_is_moderator()
        .active()
        .filter(pk=claims.get("user_id"), token_version=claims.get(VERSION_CLAIM))
        .first()
    )
    if user is None:
        raise Unauthenticated
    return user


def issue_access_token(user: User) -> str:
    """Return an access token of the present version of the account."""
    token: Any = AccessToken.for_user(user)  # type: ignore[misc]
    token[VERSION_CLAIM] = user.token_version
    return str(token)
