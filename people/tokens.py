"""Access and refresh tokens (docs/rules.md, 3); the only module that knows the JWT library.

The library by itself looks at the account on access only, lets one refresh token be used several
times at once, and forgets rotated ones; what is written here closes these gaps.
"""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer
from ninja_jwt import tokens as library
from ninja_jwt.exceptions import TokenError
from ninja_jwt.token_blacklist.models import OutstandingToken

from people.errors import InvalidToken
from people.models import User
from project.common.db.compiled import WANTED, CompiledQuery, compiled_once, placeholder

VERSION_CLAIM = "version"
VERSION = placeholder(2)
ACCOUNT = [field.attname for field in User._meta.concrete_fields]


class VersionedToken(library.Token):
    """A token of one version of its account: raising `token_version` ends it."""

    @classmethod
    def for_user(cls, user: Any) -> Any:  # the library's own types are wrong
        token: Any = super().for_user(user)  # type: ignore[misc]
        token[VERSION_CLAIM] = user.token_version
        return token


class AccessToken(library.AccessToken, VersionedToken):
    pass


class RefreshToken(library.RefreshToken, VersionedToken):
    """Every one is on record from its first second (OutstandingToken), so it can be revoked."""

    access_token_class = AccessToken


@dataclass(frozen=True)
class TokenPair:
    access: str
    refresh: str


class AccessTokenAuth(HttpBearer):
    """Let in who shows an access token of an active account, issued under its present version."""

    def authenticate(self, request: HttpRequest, token: str) -> User:
        request.user = user = _user_of(_read(AccessToken, token))
        return user


def user_of_refresh_token(token: str) -> User:
    """Return the active account the token was issued to. Raises InvalidToken."""
    return _user_of(_read(RefreshToken, token))


def verify(token: str) -> None:
    """Check an access or a refresh token, its account too. Raises InvalidToken."""
    kind = _read(library.UntypedToken, token).get("token_type")
    _user_of(_read(RefreshToken if kind == RefreshToken.token_type else AccessToken, token))


def issue_access_token(user: User) -> str:
    """Return an access token of the present version of the account."""
    return str(AccessToken.for_user(user))


def issue_pair(user: User) -> TokenPair:
    """Return new tokens of the present version of the account."""
    refresh = RefreshToken.for_user(user)  # type: ignore[misc]
    return TokenPair(access=str(refresh.access_token), refresh=str(refresh))


def revoke(token: str, *, of: User) -> None:
    """Refuse a refresh token from now on; only one call for it succeeds, however many come at
    once. Raises InvalidToken: garbage, somebody else's, an old version, or revoked before."""
    claims = _read(RefreshToken, token)
    if claims.get("user_id") != of.pk or claims.get(VERSION_CLAIM) != of.token_version:
        raise InvalidToken
    _blacklisted, is_first = claims.blacklist()
    if not is_first:
        raise InvalidToken


def forget_expired() -> int:
    """Delete the records of refresh tokens that time has ended; return how many there were."""
    expired = OutstandingToken.objects.filter(expires_at__lte=timezone.now())
    _all, deleted = expired.delete()
    return int(deleted.get(OutstandingToken._meta.label, 0))


def _read(kind: type[library.Token], token: str) -> Any:
    """Check signature, time, type and revocation of a token."""
    try:
        return kind(token)
    except (TokenError, ValueError, RecursionError):
        # The last two: the JWT library reads JSON of any depth before it looks at the signature.
        raise InvalidToken from None


def _user_of(claims: library.Token) -> User:
    """The active account that the token was issued to, in one query."""
    user_id, version = claims.get("user_id"), claims.get(VERSION_CLAIM)
    if not (isinstance(user_id, int) and isinstance(version, int)):
        raise InvalidToken
    try:
        *columns, is_moderator = _account().get({WANTED: user_id, VERSION: version}).values()
    except ObjectDoesNotExist:
        raise InvalidToken from None
    user = User.from_db(connection.alias, ACCOUNT, columns)
    user.is_moderator = is_moderator
    return user


@compiled_once
def _account() -> CompiledQuery:
    """What every request asks for first."""
    accounts = User.objects.with_is_moderator().active()
    wanted = accounts.filter(pk=WANTED, token_version=VERSION).order_by()
    return CompiledQuery(wanted, *ACCOUNT, "is_moderator")
