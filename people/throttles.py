"""How often the open operations may be called, from one address and about one account: the rules
are in docs/rules.md, 4.

The rates are settings, read at each request. Keys in the cache are keyed hashes, so that it tells
nobody's e-mail or address. Ninja's own throttles keep the state of a request in an object that all
threads share, and two calls at once may count as one; here the cache counts, so that parallel
guessing gains nothing.

- Who attacks from many addresses can use up the failures of an account, but not lock its owner out,
  whose address is known.
- Who uses up the count of somebody else's e-mail has filled their mailbox with links that work.
- A link is counted by itself, not by its account, whose number anybody can guess.
"""

import ipaddress
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import timedelta

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from ninja.errors import Throttled
from ninja.throttling import SimpleRateThrottle

from people.models import User

KNOWN_ADDRESS_PERIOD = timedelta(days=30).total_seconds()


def limit_registration(request: HttpRequest, *, email: str) -> None:
    """Count a registration. Raises Throttled."""
    _count("register", address=_address(request), rate=settings.THROTTLE_REGISTER)
    _count("register", account=_account(email), rate=settings.THROTTLE_REGISTER)


def limit_mail_request(request: HttpRequest, *, email: str) -> None:
    """Count a request for a link by mail. Raises Throttled."""
    _count("mail", address=_address(request), rate=settings.THROTTLE_RESET)
    _count("mail", account=_account(email), rate=settings.THROTTLE_RESET)


def limit_link(request: HttpRequest, *, uid: str, token: str) -> None:
    """Count an attempt to use a link. Raises Throttled."""
    _count("link", address=_address(request), rate=settings.THROTTLE_LOGIN)
    _count("link", link=f"{uid}/{token}", rate=settings.THROTTLE_LOGIN)


def limit_status_question(request: HttpRequest, *, token: str) -> None:
    """Count a question of the page after the purchase. Raises Throttled."""
    _count("status", address=_address(request), rate=settings.THROTTLE_STATUS)
    _count("status", link=token, rate=settings.THROTTLE_STATUS)


def limit_visitor(request: HttpRequest) -> None:
    """Count a look into the catalog by somebody without a token. Raises Throttled."""
    _count("catalog", address=_address(request), rate=settings.THROTTLE_CATALOG)


@contextmanager
def login_attempt(request: HttpRequest, *, email: str) -> Iterator[None]:
    """Count an attempt to log in, as a failure of the account if an exception leaves the block.
    Raises Throttled before anything of the block runs."""
    address, account = _address(request), _account(email)
    _count("login", address=address, rate=settings.THROTTLE_LOGIN)
    is_known = cache.get(_key("known", address=address, account=account))
    with nullcontext() if is_known else _failures_counted("login", account):
        yield
    remember_address(request, email=email)


def remember_address(request: HttpRequest, *, email: str) -> None:
    """Note that the owner of the account works from here: attacks from elsewhere on its password
    do not keep them out."""
    known = _key("known", address=_address(request), account=_account(email))
    cache.set(known, 1, KNOWN_ADDRESS_PERIOD)


def password_attempt(user: User) -> AbstractContextManager[None]:
    """Count a failure of the account if an exception leaves the block. Raises Throttled before
    anything of the block runs."""
    return _failures_counted("change", str(user.pk))


@contextmanager
def _failures_counted(scope: str, account: str) -> Iterator[None]:
    # Counted before the attempt and given back after: many attempts at once must not pass.
    counter = _count(scope, account=account, rate=settings.THROTTLE_LOGIN)
    yield
    with suppress(ValueError):  # its period is over
        cache.decr(counter)


def _count(scope: str, *, rate: str, **whose: str) -> str:
    """Count one more; return the key of the counter. Raises Throttled."""
    limit = SimpleRateThrottle(rate)
    number, period = limit.num_requests or 0, limit.duration or 0
    key, now = _key(scope, **whose), time.time()
    begin: float = cache.get_or_set(key, now, period) or now
    counter = f"{key}:{begin}"
    cache.add(counter, 0, period)
    if cache.incr(counter) > number:
        raise Throttled(wait=max(1, math.ceil(begin + period - now)))
    return counter


def _key(scope: str, **whose: str) -> str:
    parts = "|".join(f"{name}={value}" for name, value in whose.items())
    digest = salted_hmac("people.throttles", f"{scope}|{parts}", algorithm="sha256")
    return f"throttle:{digest.hexdigest()}"


def _account(email: str) -> str:
    return email.strip().lower()


def _address(request: HttpRequest) -> str:
    """The caller's address; of IPv6 the network, since every subscriber has 2^64 addresses.

    `PROXIES` says how many entries of X-Forwarded-For our own proxies wrote; what stands before
    them, or comes without proxies, is the caller's invention.
    """
    text = SimpleRateThrottle("1/s").get_ident(request) or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return text
