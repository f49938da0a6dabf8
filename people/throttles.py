"""How often the open operations may be called, from one address and about one account, and how
much one person may create: the rules are in docs/rules.md, 4.

The rates are settings, read at each request. Keys in the cache are keyed hashes, so that it tells
nobody's e-mail or address. Ninja's own throttles keep the state of a request in an object that all
threads share, and two calls at once may count as one; here the cache counts, so that parallel
guessing gains nothing.

- Of log-ins only failures count: for the account and the address together, which stops who guesses at
  one; for the address, which stops who tries one password on many; and for the account, which slows
  down whoever is not known there, and stops nobody.
- Who uses up the count of somebody else's e-mail has filled their mailbox with links that work.
- A link is counted by itself, not by its account, whose number anybody can guess.
"""

import ipaddress
import logging
import math
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Literal

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError

from people.models import User
from project.common.errors import Throttled
from project.common.mailboxes import compared

logger = logging.getLogger(__name__)

# As many people may share an address, as a class does, or a household.
SHARED = 5
# How many of the networks of 64 bits one of 48 counts for.
WIDER = 4
# Seconds between two attempts from one address on an account that is guessed at from many.
SLOWED = 5
UNKNOWN = "unknown"
WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|([\d.]+):\d+")
KNOWN_ADDRESS_PERIOD = timedelta(days=30).total_seconds()
PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
KIB = 1024

type Created = Literal[
    "COURSES", "EXPORTS", "LESSONS", "PAYMENTS", "PICTURES", "PROFILE", "SUBSCRIPTIONS", "TEXT"
]


def limit_registration(request: HttpRequest, *, email: str) -> None:
    """Count a registration. Raises Throttled."""
    _count_address("register", request, rate=settings.THROTTLE_REGISTER, people=SHARED)
    _count("register", account=_account(email), rate=settings.THROTTLE_REGISTER)


def limit_mail_request(request: HttpRequest, *, email: str) -> None:
    """Count a request for a link by mail. Raises Throttled."""
    _count_address("mail", request, rate=settings.THROTTLE_RESET, people=SHARED)
    _count("mail", account=_account(email), rate=settings.THROTTLE_RESET)


def limit_confirmation(request: HttpRequest, user: User) -> None:
    """Count a wish of a person for a link that confirms an address. Raises Throttled."""
    _count_address("mail", request, rate=settings.THROTTLE_RESET, people=SHARED)
    _count("confirmation", account=str(user.pk), rate=settings.THROTTLE_RESET)


def limit_link(request: HttpRequest, *, uid: str, token: str) -> None:
    """Count an attempt to use a link. Raises Throttled."""
    _count_address("link", request, rate=settings.THROTTLE_LOGIN, people=SHARED)
    _count("link", link=f"{uid}/{token}", rate=settings.THROTTLE_LOGIN)


def limit_creation(user: User, what: Created, *, amount: int = 1) -> None:
    """Count what a person creates, unless they are staff. Raises Throttled."""
    if amount and not user.is_staff:
        _count_person(what, user, rate=getattr(settings, f"THROTTLE_{what}"), amount=amount)


def limit_texts(user: User, states: Iterable[Iterable[str]]) -> None:
    """Count the texts of each state that is kept for a person, in KiB, at least one. Raises
    Throttled."""
    sizes = (sum(len(text.encode()) for text in texts) for texts in states)
    limit_creation(user, "TEXT", amount=sum(math.ceil(size / KIB) or 1 for size in sizes))


def limit_questions(user: User) -> None:
    """Count what has us ask the payment provider. Raises Throttled."""
    _count_person("questions", user, rate=settings.THROTTLE_STATUS)


def _count_person(scope: str, user: User, *, rate: str, amount: int = 1) -> None:
    # Who is known is not kept from working, nor from asking about their money, by a cache that is down.
    with suppress(RedisError):
        _count(scope, rate=rate, amount=amount, person=str(user.pk))


def limit_visitor(request: HttpRequest) -> None:
    """Count a look into the catalog by somebody without a token. Raises Throttled."""
    _count_address("catalog", request, rate=settings.THROTTLE_CATALOG)


@contextmanager
def login_attempt(request: HttpRequest, *, email: str) -> Iterator[None]:
    """Let in, count and log an attempt to log in, which has failed if an exception leaves the block.
    Raises Throttled before anything of the block runs."""
    client = client_address(request)
    try:
        with _login_counted(request, email=email):
            yield
    except Throttled:
        logger.warning("Log-in throttled from %s", client)
        raise
    except Exception:
        logger.warning("Log-in refused from %s", client)
        raise
    logger.info("Log-in accepted from %s", client)
    remember_address(request, email=email)


@contextmanager
def _login_counted(request: HttpRequest, *, email: str) -> Iterator[None]:
    account, rate = _account(email), settings.THROTTLE_LOGIN
    network, *_wider = _networks(request)
    with _given_back() as counters:
        counters.append(_count("login", account=account, address=network, rate=rate))
        counters += _count_address("login", request, rate=rate, people=SHARED)
        if not cache.get(_key("known", address=network, account=account)):
            try:
                counters.append(_count("login", account=account, rate=rate))
            except Throttled:
                _wait_between_attempts(account, network)
        yield


def _wait_between_attempts(account: str, network: str) -> None:
    """Slow down who tries an account that is guessed at from many addresses; each address by itself,
    so that the guesses of others use up nobody's turn. Raises Throttled."""
    if not cache.add(_key("slow", account=account, address=network), 1, SLOWED):
        raise Throttled(SLOWED)


def remember_address(request: HttpRequest, *, email: str) -> None:
    """Note that the owner of the account works from here: attacks from elsewhere on its password
    do not slow them down."""
    network, *_wider = _networks(request)
    cache.set(_key("known", address=network, account=_account(email)), 1, KNOWN_ADDRESS_PERIOD)


def limit_password_change(user: User) -> None:
    """Count an attempt to change a password. Raises Throttled."""
    _count("change", rate=settings.THROTTLE_LOGIN, account=str(user.pk))


@contextmanager
def _given_back() -> Iterator[list[str]]:
    """Have the counters that are put into the list go back by one, unless the block fails.

    They count before the attempt: many attempts at once must not pass. What is refused before a
    password was looked at is no failure.
    """
    counters: list[str] = []
    try:
        yield counters
    except Throttled:
        _give_back(counters)
        raise
    _give_back(counters)


def _give_back(counters: list[str]) -> None:
    for counter in counters:
        with suppress(ValueError):  # its period is over
            cache.decr(counter)


def _count_address(scope: str, request: HttpRequest, *, rate: str, people: int = 1) -> list[str]:
    """Count one more for each network the caller is in; return the keys of the counters. Raises
    Throttled."""
    counters = []
    for network, factor in zip(_networks(request), (people, people * WIDER), strict=False):
        try:
            counters.append(_count(scope, address=network, rate=rate, times=factor))
        except Throttled:
            _give_back(counters)
            raise
    return counters


def _count(scope: str, *, rate: str, times: int = 1, amount: int = 1, **whose: str) -> str:
    """Count so many more; return the key of the counter. Raises Throttled if all were used up
    before."""
    most, _slash, unit = rate.partition("/")
    period = PERIODS[unit[0]]
    key, now = _key(scope, **whose), time.time()
    begin: float = cache.get_or_set(key, now, period) or now
    if begin > now + settings.CLOCK_TOLERANCE.total_seconds():  # the clock was set back
        cache.set(key, begin := now, period)
    counter = f"{key}:{begin}"
    # It outlives its period: what ends between these two lines has no count.
    cache.add(counter, 0, 2 * period)
    try:
        used = cache.incr(counter, amount) - amount
    except ValueError:  # the cache was emptied
        used = 0
    if used >= int(most) * times:
        raise Throttled(min(period, max(1, math.ceil(begin + period - now))))
    return counter


def _key(scope: str, **whose: str) -> str:
    parts = "|".join(f"{name}={value}" for name, value in whose.items())
    digest = salted_hmac("people.throttles", f"{scope}|{parts}", algorithm="sha256")
    return f"throttle:{digest.hexdigest()}"


def _account(email: str) -> str:
    return compared(email)


def client_address(request: HttpRequest) -> str:
    """The caller's address in its one spelling; what is none is UNKNOWN.

    `PROXIES` says how many entries of X-Forwarded-For our own proxies wrote; what stands before
    them, or comes without proxies, is the caller's invention. Some proxies write the port as well.
    """
    proxies, forwarded = settings.PROXIES, request.META.get("HTTP_X_FORWARDED_FOR")
    if proxies and forwarded is not None:
        entries = forwarded.split(",")
        text = entries[-min(proxies, len(entries))]
    else:
        text = request.META.get("REMOTE_ADDR", "")
    text = text.strip(' "')
    if found := WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def _networks(request: HttpRequest) -> list[str]:
    """What counts as one address: of IPv6 the network of a subscriber, who has 2^64 addresses, and
    the one that providers give to those who ask for more."""
    address = client_address(request)
    if ":" not in address:
        return [address]
    return [str(ipaddress.ip_network((address, bits), strict=False)) for bits in (64, 48)]
