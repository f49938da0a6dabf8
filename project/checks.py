"""Faults of the configuration that `manage.py check` and every command report before they start.

Errors always stop; what is tagged `deploy` is looked at by `manage.py check --deploy` only.
"""

import math
from collections.abc import Iterator
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import phonenumbers
from croniter import CroniterError, croniter
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils import timezone

from project.common import money
from project.common.background.clock_changes import run_at_a_change

# HS256, which signs the access tokens, wants a key as long as its digest.
SECRET_KEY_MIN_BYTES = 32
KEY_HINT = (
    "`uv run manage.py up` writes one to .env in a fresh clone; or generate one with "
    'python -c "import secrets; print(secrets.token_urlsafe(50))".'
)
CRON_COLUMNS = 5
STAND_IN_MAIL = ("console", "dummy", "locmem", "filebased", "outbox")

PARTA = "parta"  # the tag of all of them

Messages = Iterator[CheckMessage]


def require_secret_key() -> None:
    """Raise ImproperlyConfigured unless a key was given: every process would sign with its own."""
    if not settings.SECRET_KEY_IS_SET:
        raise ImproperlyConfigured(f"SECRET_KEY is not set. {KEY_HINT}")


@register(Tags.security, PARTA)
def check_secret_key(**options: object) -> Messages:
    if not settings.SECRET_KEY_IS_SET:
        yield Error("SECRET_KEY is not set.", hint=KEY_HINT, id="parta.E001")
        return
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        if len(key.encode()) < SECRET_KEY_MIN_BYTES:
            yield Error(
                "SECRET_KEY, or one of SECRET_KEY_FALLBACKS, is shorter than"
                f" {SECRET_KEY_MIN_BYTES} bytes.",
                hint=KEY_HINT,
                id="parta.E002",
            )


@register(Tags.security, PARTA)
def check_currency(**options: object) -> Messages:
    try:
        money.exponent(settings.CURRENCY)
    except KeyError:
        yield Error(
            f"CURRENCY={settings.CURRENCY!r} is not listed in project/common/money.py.",
            hint="Use an ISO 4217 code in capitals, such as RUB or EUR.",
            id="parta.E003",
        )


@register(Tags.security, PARTA)
def check_country(**options: object) -> Messages:
    if not phonenumbers.example_number_for_type(
        settings.COUNTRY, phonenumbers.PhoneNumberType.MOBILE
    ):
        yield Error(
            f"COUNTRY={settings.COUNTRY!r} is not a country with phone numbers.",
            hint="Use an ISO 3166 code in capitals, such as RU or DE.",
            id="parta.E008",
        )


@register(Tags.security, PARTA)
def check_stripe(**options: object) -> Messages:
    for name in ("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS", "STRIPE_API_BASE"):
        value = "".join(getattr(settings, name))
        if value != "".join(value.split()):
            yield Error(
                f"{name} contains whitespace.",
                hint="Keys read from a file often end with a line break. Remove it.",
                id="parta.E004",
            )
    if settings.STRIPE_API_KEY and not settings.STRIPE_WEBHOOK_SECRETS:
        yield Warning(
            "STRIPE_API_KEY is set but STRIPE_WEBHOOK_SECRETS is not: every webhook is refused, and "
            "a payment is noticed only when the buyer comes back.",
            hint="The Stripe dashboard shows the secret next to the webhook (whsec_…).",
            id="parta.W001",
        )


@register(Tags.security, PARTA)
def check_queue(**options: object) -> Messages:
    """A task that waits in a worker's queue for longer than `retry` is run a second time."""
    queue = settings.Q_CLUSTER
    rounds = 1 + math.ceil((queue["queue_limit"] + queue["bulk"]) / queue["workers"])
    if queue["retry"] <= queue["timeout"] * rounds:
        yield Error(
            f"Q_CLUSTER retry={queue['retry']} is too short: slow tasks would run twice.",
            hint=f"It must be more than timeout × {rounds} = {queue['timeout'] * rounds}.",
            id="parta.E005",
        )


@register(Tags.security, PARTA)
def check_schedules(**options: object) -> Messages:
    """Of our own schedules, none runs where clocks are changed in any zone that we know today."""
    # It reads the settings, which are not known yet where the entry points ask for a key.
    from project.common.background.schedules import SCHEDULES  # noqa: PLC0415

    crons = {f"The schedule {one.name}": one.cron for one in SCHEDULES if one.cron}
    crons["The schedule inactivity"] = settings.INACTIVITY_SWEEP_CRON
    zone, now = ZoneInfo(settings.TIME_ZONE), timezone.now()
    for name, cron in crons.items():
        try:
            columns = croniter.expand(cron)[0]
            run = run_at_a_change(cron, zone, since=now)
            croniter(cron, now).get_next()
        except CroniterError as error:
            yield _no_cron(name, cron, str(error))
            continue
        if len(columns) != CRON_COLUMNS:
            yield _no_cron(name, cron, f"{len(columns)} columns")
        elif run:
            yield Warning(
                f"{name} ({cron}) runs when clocks are changed: {run:%Y-%m-%d %H:%M} in"
                f" {settings.TIME_ZONE} comes twice or not at all.",
                hint="Choose another time. That of the inactivity sweep is INACTIVITY_SWEEP_CRON.",
                id="parta.W002",
            )


def _no_cron(name: str, cron: str, reason: str) -> Error:
    return Error(
        f"{name} has no cron expression: {cron!r}: {reason}.",
        hint="INACTIVITY_SWEEP_CRON wants minute, hour, day, month and weekday, as in 30 4 * * *.",
        id="parta.E006",
    )


@register(Tags.security, PARTA)
def check_private_storage(**options: object) -> Messages:
    """What serves pictures must not serve exports of personal data."""
    public, private = (
        settings.STORAGES[name].get("OPTIONS", {}) for name in ("default", "private")
    )
    bucket = private.get("bucket_name")
    is_bucket = bucket and bucket == public.get("bucket_name")
    if is_bucket or (not bucket and settings.PRIVATE_ROOT.is_relative_to(settings.MEDIA_ROOT)):
        yield Error(
            "Exports of personal data would lie where pictures are served from.",
            hint="Give PRIVATE_STORAGE_URL a bucket of its own, or PRIVATE_ROOT a folder outside of"
            " MEDIA_ROOT.",
            id="parta.E007",
        )


@register(Tags.security, PARTA, deploy=True)
def check_deployed_private_storage(**options: object) -> Messages:
    if settings.STORAGE_URL and not settings.PRIVATE_STORAGE_URL:
        yield Warning(
            "Pictures are in a bucket, and exports of personal data in a folder.",
            hint="Unless all hosts share PRIVATE_ROOT, set PRIVATE_STORAGE_URL.",
            id="parta.W009",
        )


@register(Tags.security, PARTA, deploy=True)
def check_deployed_cache(**options: object) -> Messages:
    if "locmem" in settings.CACHES["default"]["BACKEND"]:
        yield Warning(
            "The cache is not shared: each process throttles on its own.",
            hint="Set CACHE_URL, for example redis://127.0.0.1:6379/0.",
            id="parta.W003",
        )


@register(Tags.security, PARTA, deploy=True)
def check_deployed_mail(**options: object) -> Messages:
    if any(word in settings.MAILERS["default"]["BACKEND"] for word in STAND_IN_MAIL):
        yield Warning(
            "No mail is really sent.",
            hint="Set EMAIL_URL, for example smtp+tls://user:password@host:587.",
            id="parta.W004",
        )
    if "@localhost" in settings.DEFAULT_FROM_EMAIL:
        yield Warning(
            f"DEFAULT_FROM_EMAIL={settings.DEFAULT_FROM_EMAIL!r} is not an address of your domain.",
            hint="Set the sender of all mail, for example Parta <noreply@school.example>.",
            id="parta.W005",
        )


@register(Tags.security, PARTA, deploy=True)
def check_deployed_accounts(**options: object) -> Messages:
    # Models can't be loaded before the applications are.
    from people.models import User  # noqa: PLC0415

    try:
        number = User.objects.of_the_demo().count()
    except DatabaseError:  # before the first `migrate`
        return
    if number:
        yield Warning(
            f"{number} accounts of the demo school are in the database.",
            hint="Everybody knows their password, which is refused without DEBUG. Erase them in the"
            " admin.",
            id="parta.W007",
        )


@register(Tags.security, PARTA, deploy=True)
def check_deployed_roles(**options: object) -> Messages:
    """A role that is misspelt would ask nobody for anything."""
    # Models can't be loaded before the applications are.
    from django.contrib.auth.models import Group  # noqa: PLC0415

    try:
        known = {"administrators", "staff", *Group.objects.values_list("name", flat=True)}
    except DatabaseError:  # before the first `migrate`
        return
    for role in settings.SECOND_FACTOR_ROLES:
        if role not in known:
            yield Warning(
                f"SECOND_FACTOR_ROLES names {role!r}, and there is no such group.",
                hint=f"There are: {', '.join(sorted(known))}.",
                id="parta.W008",
            )


@register(Tags.security, PARTA, deploy=True)
def check_deployed_addresses(**options: object) -> Messages:
    # The front that ships has the address of the application.
    for address, name in {
        settings.FRONTEND_URL: "FRONTEND_URL",
        settings.SITE_URL: "SITE_URL",
    }.items():
        if urlsplit(address).scheme != "https":
            yield Warning(
                f"{name}={address!r} is not an https address.",
                hint="Links in mails lead there, and some contain tokens.",
                id="parta.W006",
            )
