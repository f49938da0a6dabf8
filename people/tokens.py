"""Access and refresh tokens (docs/rules.md, 3); the only module that knows the JWT library.

The library by itself looks at the account on access only, and forgets what became of a refresh
token; here each has its place in a family (`TokenFamily`), which the database keeps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self
from uuid import UUID, uuid4

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from jwt import ExpiredSignatureError, InvalidSignatureError
from ninja.security import HttpBearer
from ninja_jwt import tokens as library
from ninja_jwt.backends import TokenBackend
from ninja_jwt.exceptions import TokenBackendError, TokenError
from ninja_jwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from people.clients import Client
from people.current_user import visitor
from people.errors import InvalidToken, TokenExpired
from people.models import TokenFamily, User
from people.models.token_families import TokenFamilyQuerySet
from project.common.db.compiled import (
    KEY,
    WANTED,
    CompiledQuery,
    Values,
    compiled_once,
    placeholder,
)
from project.common.db.derived import DerivedField

# What columns of numbers hold.
LARGEST_KEY, LARGEST_NUMBER = 2**63 - 1, 2**31 - 1
ACCOUNT_CLAIM = "account"
FAMILY_CLAIM = "family"
GENERATION_CLAIM = "generation"
VERSION_CLAIM = "version"
VERSION = placeholder(2)
# More than people have devices: who logs in without end fills no table.
LOG_INS_AT_MOST = 1000
NOWHERE = Client()
ACCOUNT = [one.attname for one in User._meta.concrete_fields if not isinstance(one, DerivedField)]


@cache
def _backend(key: str) -> TokenBackend:
    config: Any = settings.NINJA_JWT
    return TokenBackend(config["ALGORITHM"], signing_key=key, leeway=config["LEEWAY"])


class RotatedKeys:
    """Signs with SECRET_KEY, and reads what the keys of SECRET_KEY_FALLBACKS signed as well."""

    def encode(self, payload: dict[str, Any]) -> str:
        text: str = _backend(settings.SECRET_KEY).encode(payload)
        return text

    def decode(self, token: str, verify: bool = True) -> Any:  # noqa: FBT001, FBT002 - the library's own
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        for key in keys[:-1]:
            try:
                return _backend(key).decode(token, verify)
            except TokenBackendError as error:
                if not isinstance(error.__cause__, InvalidSignatureError):
                    raise
        return _backend(keys[-1]).decode(token, verify)

    def get_leeway(self) -> Any:
        return settings.NINJA_JWT["LEEWAY"]


class VersionedToken(library.Token):
    """A token of one version of its account: raising `token_version` ends it. `account` says whose it
    is; `user_id` is read by the release before only, which may run beside this one for a while."""

    def get_token_backend(self) -> Any:
        return RotatedKeys()

    @classmethod
    def for_user(cls, user: Any) -> Any:  # the library's own types are wrong
        token: Any = super().for_user(user)  # type: ignore[misc]
        token[ACCOUNT_CLAIM] = user.identity.hex
        token[VERSION_CLAIM] = user.token_version
        return token

    @classmethod
    def of_family(cls, family: TokenFamily, user: User) -> Self:
        token: Self = cls.for_user(user)
        token[FAMILY_CLAIM] = family.pk.hex
        return token


class UntypedToken(library.UntypedToken, VersionedToken):
    pass


class AccessToken(library.AccessToken, VersionedToken):
    pass


class RefreshToken(VersionedToken):
    """One generation of a family. Its text is made of the row alone, so that it can be made again."""

    token_type = library.RefreshToken.token_type
    lifetime = library.RefreshToken.lifetime

    @classmethod
    def of_family(cls, family: TokenFamily, user: User) -> Self:
        token = super().of_family(family, user)
        token[GENERATION_CLAIM] = family.generation
        token["jti"] = f"{family.pk.hex}-{family.generation}"
        token.set_iat(at_time=family.issued_at)
        token["exp"] = int(family.expires_at.timestamp())
        return token


@dataclass(frozen=True)
class TokenPair:
    access: str
    refresh: str
    # Seconds that `access` is good for.
    expires_in: int


@dataclass(frozen=True)
class RefreshClaims:
    """What a refresh token that we signed says of itself."""

    # None: the release before named the account by its number alone; its family tells whose it is.
    account: UUID | None
    user_id: int
    version: int
    generation: int
    family_id: UUID
    # From before there were families; a record of its own says whether it was exchanged.
    is_old: bool
    is_expired: bool

    def are_of(self, user: User) -> bool:
        return self.account is None or self.account == user.identity


class AccessTokenAuth(HttpBearer):
    """Let in who shows an access token of an active account, issued under its present version.
    Where the school wishes so (`PUBLIC_CATALOG`), also who shows none, as a visitor, if the operation
    names what counts visitors."""

    def __init__(self, *, count_visitor: Callable[[HttpRequest], None] | None = None) -> None:
        super().__init__()
        self.count_visitor = count_visitor

    @property
    def admits_visitors(self) -> bool:
        return self.count_visitor is not None and settings.PUBLIC_CATALOG

    def __call__(self, request: HttpRequest) -> User | None:
        if self.count_visitor and self.admits_visitors and self.header not in request.headers:
            self.count_visitor(request)
            request.user = visitor()
            return request.user
        user: User | None = super().__call__(request)
        return user

    def authenticate(self, request: HttpRequest, token: str) -> User:
        payload = _read(AccessToken, token).payload
        request.user = user = _user_named_in(payload)
        # Which of the person's sessions this is; None where the token is of no log-in.
        request.family_id = _key_in(payload, FAMILY_CLAIM)  # type: ignore[attr-defined]
        user.note_presence()
        return user


def verify(token: str) -> None:
    """Check an access or a refresh token, its account and its family too. Raises InvalidToken."""
    kind = _read(UntypedToken, token).get("token_type")
    if kind == RefreshToken.token_type:
        user_of_refresh_token(token)
    else:
        _user_named_in(_read(AccessToken, token).payload)


def user_of_refresh_token(token: str) -> User:
    """Return the active account of a token that could be exchanged now. Raises InvalidToken."""
    claims = read_refresh_token(token)
    if claims.is_expired:
        raise TokenExpired
    user = _user_of(claims.user_id, claims.version)
    family = _families(claims).first()
    if family is None:
        is_good = claims.is_old and _old_records(claims).exists()
    else:
        is_good = family.accepts(claims.generation, at=family.now)
    if not (is_good and claims.are_of(user)):
        raise InvalidToken
    return user


def read_refresh_token(token: str) -> RefreshClaims:
    """Return what a refresh token says, even an expired one, whatever became of its family. Raises
    InvalidToken."""
    is_expired = False
    try:
        payload = _read(RefreshToken, token).payload
    except TokenExpired:
        # The time is looked at when the signature has been found good.
        payload, is_expired = RefreshToken(token, verify=False).payload, True
        _check_times(payload)
    is_old = FAMILY_CLAIM not in payload
    family_id = _key_in(payload, "jti" if is_old else FAMILY_CLAIM)
    if family_id is None:
        raise InvalidToken
    return RefreshClaims(
        account=_key_in(payload, ACCOUNT_CLAIM),
        user_id=_number(payload.get("user_id"), most=LARGEST_KEY),
        version=_number(payload.get(VERSION_CLAIM)),
        generation=_number(payload.get(GENERATION_CLAIM, 0)),
        family_id=family_id,
        is_old=is_old,
        is_expired=is_expired,
    )


def lock_family(claims: RefreshClaims) -> TokenFamily | None:
    """Return the family of a token as it is now, held until the transaction ends; None if it has
    ended. Hold the account before."""
    if claims.is_old and (record := _old_records(claims).first()):
        BlacklistedToken.objects.create(token=record)
        _found_family(claims.user_id, claims.family_id)
    return _families(claims).select_for_update().first()


def issue_access_token(user: User, family: TokenFamily | None = None) -> str:
    """Return an access token of the present version of the account, which ends with the family if it
    has one."""
    return str(AccessToken.of_family(family, user) if family else AccessToken.for_user(user))


def issue_next_pair(user: User, family: TokenFamily) -> TokenPair:
    """Replace the newest token of a locked family."""
    family.advance(at=family.now, lifetime=RefreshToken.lifetime)
    family.save(update_fields=["generation", "issued_at", "expires_at"])
    return issue_pair(user, family)


def issue_pair(
    user: User, family: TokenFamily | None = None, *, client: Client = NOWHERE
) -> TokenPair:
    """Return an access token and the newest refresh token of a family; by default of a new one, of
    this client."""
    family = family or _found_family(
        user.pk,
        uuid4(),
        begun_at=timezone.now(),
        token_version=user.token_version,
        address=client.address,
        device=client.device,
    )
    return TokenPair(
        access=issue_access_token(user, family),
        refresh=str(RefreshToken.of_family(family, user)),
        expires_in=int(AccessToken.lifetime.total_seconds()),
    )


def forget_expired() -> int:
    """Delete the records of refresh tokens that time has ended; return how many there were."""
    past = timezone.now() - settings.CLOCK_TOLERANCE
    families, _each = TokenFamily.objects.filter(expires_at__lte=past).delete()
    _all, old = OutstandingToken.objects.filter(expires_at__lte=past).delete()
    return families + int(old.get(OutstandingToken._meta.label, 0))


def _found_family(user_id: int, family_id: UUID, **of_log_in: Any) -> TokenFamily:
    now = timezone.now()
    family = TokenFamily.objects.create(
        pk=family_id,
        user_id=user_id,
        issued_at=now,
        expires_at=now + RefreshToken.lifetime,
        **of_log_in,
    )
    newest_first = TokenFamily.objects.filter(user_id=user_id).order_by("-issued_at", "pk")
    TokenFamily.objects.filter(pk__in=newest_first.values("pk")[LOG_INS_AT_MOST:]).delete()
    return family


def _families(claims: RefreshClaims) -> TokenFamilyQuerySet:
    families = TokenFamily.objects.with_now()
    return families.filter(pk=claims.family_id, user_id=claims.user_id)


def _old_records(claims: RefreshClaims) -> QuerySet[OutstandingToken]:
    """The record of a token from before there were families, while it was not exchanged."""
    return OutstandingToken.objects.filter(jti=claims.family_id.hex, blacklistedtoken=None)


def _read(kind: type[library.Token], token: str) -> Any:
    """Check signature, time and type of a token. Raises TokenExpired, InvalidToken."""
    try:
        read = kind(token)
    except TokenError as error:
        cause = error.__cause__ and error.__cause__.__cause__
        raise (TokenExpired if isinstance(cause, ExpiredSignatureError) else InvalidToken) from None
    except Exception:  # noqa: BLE001 - the library computes with claims whatever they are
        raise InvalidToken from None
    _check_times(read.payload)
    return read


def _check_times(payload: Mapping[str, object]) -> None:
    """Raises InvalidToken unless the times of a token are such as we write: whole seconds."""
    for claim in ("exp", "iat"):
        _number(payload.get(claim), most=LARGEST_KEY)


def _number(value: object, *, most: int = LARGEST_NUMBER) -> int:
    """A claim that is to be compared with a column. Raises InvalidToken for what none can hold."""
    if type(value) is not int or not 0 <= value <= most:
        raise InvalidToken
    return value


def _key_in(payload: Mapping[str, object], claim: str) -> UUID | None:
    """The account or family that a token names; None in one of a release that named none. Raises
    InvalidToken."""
    if claim not in payload:
        return None
    name = payload[claim]
    try:
        return UUID(hex=name if isinstance(name, str) else "")
    except ValueError:
        raise InvalidToken from None


def _user_named_in(payload: Mapping[str, object]) -> User:
    """The person of an access token."""
    account, family = _key_in(payload, ACCOUNT_CLAIM), _key_in(payload, FAMILY_CLAIM)
    user = _user_of(payload.get("user_id"), payload.get(VERSION_CLAIM), family)
    if account is None:
        raise TokenExpired  # of the release before: exchanging the refresh token gives a full one
    if account != user.identity:
        raise InvalidToken
    return user


def _user_of(user_id: object, version: object, family: UUID | None = None) -> User:
    """The active account with this number, version of tokens and, if one is named, family of them, in
    one query."""
    user_id, version = _number(user_id, most=LARGEST_KEY), _number(version)
    try:
        wanted: Values = {WANTED: user_id, VERSION: version, KEY: family and family.hex}
        *columns, is_moderator = _account(in_family=family is not None).get(wanted).values()
    except ObjectDoesNotExist:
        raise InvalidToken from None
    user = User.from_db(connection.alias, ACCOUNT, columns)
    user.is_moderator = is_moderator
    return user


@compiled_once
def _account(*, in_family: bool) -> CompiledQuery:
    """What every request asks for first."""
    accounts = User.objects.with_is_moderator().active()
    if in_family:
        accounts = accounts.filter(
            Exists(TokenFamily.objects.filter(pk=UUID(KEY), user_id=OuterRef("pk")))
        )
    wanted = accounts.filter(pk=WANTED, token_version=VERSION).order_by()
    return CompiledQuery(wanted, *ACCOUNT, "is_moderator")
