"""One row of an import: what it says, and what is wrong with it before anything is looked up."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _

from payments.models import Payment, PaymentMethod, PaymentStatus
from payments.models.payment import OPEN_STATUSES
from project.common.money import fits_currency

LARGEST_ID = 2**63 - 1
# What the column of the database holds: ten digits, two of them after the point.
TOO_LARGE = Decimal(10) ** 8
# PostgreSQL stores neither NUL nor halves of a pair of surrogates.
NOT_STORED = re.compile("[\x00\ud800-\udfff]")
# Years that no clock, time zone or report trips over.
YEARS = range(1900, 2200)


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read. `number` counts the payments of the file from 1, `line` the lines of a
    CSV file with its header. `problem` is set where not even the values could be read."""

    number: int
    values: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be loaded, and why."""

    number: int
    line: int | None
    reason: str

    def __str__(self) -> str:
        if self.line is None:
            return _("Row %(number)s: %(reason)s") % {"number": self.number, "reason": self.reason}
        return _("Row %(number)s (line %(line)s): %(reason)s") % {
            "number": self.number,
            "line": self.line,
            "reason": self.reason,
        }


class UnfitRow(Exception):
    """Says what is wrong with a row, in words for people."""


class UnfitValue(Exception):
    """Says what is wrong with one value, in words for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The values of a row that is sound by itself. `user` is an id, or an e-mail in small letters;
    times have a zone."""

    row: Row
    external_id: str
    user: int | str
    course_id: int | None
    lesson_id: int | None
    title: str | None
    amount: Decimal
    currency: str
    method: str
    status: str
    paid_at: datetime | None
    created_at: datetime | None


def read_row(row: Row) -> Draft:
    """Return what the row says. Raises UnfitRow with all that is wrong with it."""
    if row.problem:
        raise UnfitRow(row.problem)
    values: dict[str, Any] = {}
    problems = []
    for column, read in COLUMNS.items():
        try:
            values[column] = read(row.values.get(column))
        except UnfitValue as unfit:
            problems.append(f"{column}: {unfit}")
    problems = problems or _contradictions(values)
    if problems:
        raise UnfitRow("; ".join(problems))
    return Draft(row=row, **values)


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    problems = []
    if (values["course_id"] is None) == (values["lesson_id"] is None):
        problems.append(_("there must be either a course or a lesson"))
    is_paid = values["status"] in {PaymentStatus.PAID, PaymentStatus.REFUNDED}
    if is_paid and values["paid_at"] is None:
        problems.append(_("paid_at: is missing, though the money came"))
    if not is_paid and values["paid_at"] is not None:
        problems.append(_("paid_at: is given, though the money did not come"))
    if values["method"] == PaymentMethod.STRIPE and values["status"] in OPEN_STATUSES:
        problems.append(_("status: a payment that is open at Stripe can't be carried over"))
    return problems


def _shown(value: Any) -> str:
    """A value as an error quotes it: short, whatever somebody put into the file."""
    if isinstance(value, str | int | Decimal):
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else str(value)
        return text if len(text) <= 40 else text[:39] + "…"
    return type(value).__name__


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _required[Value](read: Callable[[Any], Value]) -> Callable[[Any], Value]:
    def read_required(value: Any) -> Value:
        if _is_blank(value):
            raise UnfitValue(_("is missing"))
        return read(value)

    return read_required


def _optional[Value](read: Callable[[Any], Value]) -> Callable[[Any], Value | None]:
    def read_optional(value: Any) -> Value | None:
        return None if _is_blank(value) else read(value)

    return read_optional


def _text(max_length: int) -> Callable[[Any], str]:
    def read_text(value: Any) -> str:
        # The numbers of other books are numbers more often than not.
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise UnfitValue(_("%s is no text") % _shown(value))
        text = (value if isinstance(value, str) else _shown(value)).strip()
        if len(text) > max_length:
            raise UnfitValue(_("is longer than %s characters") % max_length)
        if NOT_STORED.search(text):
            raise UnfitValue(_("has characters that can't be stored"))
        return text

    return read_text


def _identifier(value: Any) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value.strip()):
        value, is_number = int(value), True
    if not is_number or not 1 <= value <= LARGEST_ID:
        raise UnfitValue(_("%s is no id") % _shown(value))
    return int(value)


def _user(value: Any) -> int | str:
    # A natural key, as Django's serializers write it.
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str) and "@" in value:
        return _text(254)(value).lower()
    try:
        return _identifier(value)
    except UnfitValue:
        raise UnfitValue(_("%s is neither an e-mail nor an id") % _shown(value)) from None


def _amount(value: Any) -> Decimal:
    amount = _number(value)
    if amount is None or not amount.is_finite():
        raise UnfitValue(_("%s is no amount such as 1990.00") % _shown(value))
    if amount < 0:
        raise UnfitValue(_("%s is negative") % _shown(value))
    if amount >= TOO_LARGE:
        raise UnfitValue(_("%s is too large") % _shown(value))
    in_book = amount.quantize(Decimal("0.01"))
    if in_book != amount or not fits_currency(amount, settings.CURRENCY):
        message = _("%(amount)s is finer than the smallest unit of %(currency)s")
        raise UnfitValue(message % {"amount": _shown(value), "currency": settings.CURRENCY})
    return abs(in_book)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    # Decimal itself also reads 1_000, ١٢٣ and 1e5, which nobody means in a book.
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", value.strip()):
        return Decimal(value.strip())
    return None


def _currency(value: Any) -> str:
    if value != settings.CURRENCY:
        message = _("%(currency)s is not the currency of this school, %(expected)s")
        names = {"currency": _shown(value), "expected": settings.CURRENCY}
        raise UnfitValue(message % names)
    return str(settings.CURRENCY)


def _choice(choices: type[models.TextChoices]) -> Callable[[Any], str]:
    known = list(choices.values)

    def read_choice(value: Any) -> str:
        if not isinstance(value, str) or value.strip() not in known:
            message = _("%(value)s is none of %(choices)s")
            raise UnfitValue(message % {"value": _shown(value), "choices": ", ".join(known)})
        return value.strip()

    return read_choice


def _time(value: Any) -> datetime:
    """A time without an offset is in the project's time zone, a date is its midnight."""
    try:
        time = parse_datetime(value.strip()) if isinstance(value, str) else None
        if time is not None:
            time = (make_aware(time) if is_naive(time) else time).astimezone(UTC)
    except (ValueError, OverflowError):
        time = None
    if time is None or time.year not in YEARS:
        raise UnfitValue(_("%s is no time such as 2026-09-01T12:00:00+03:00") % _shown(value))
    return time


COLUMNS: dict[str, Callable[[Any], Any]] = {
    "external_id": _required(_text(Payment._meta.get_field("external_id").max_length or 0)),
    "user": _required(_user),
    "course_id": _optional(_identifier),
    "lesson_id": _optional(_identifier),
    "title": _optional(_text(Payment._meta.get_field("title").max_length or 0)),
    "amount": _required(_amount),
    "currency": _required(_currency),
    "method": _required(_choice(PaymentMethod)),
    "status": _required(_choice(PaymentStatus)),
    "paid_at": _optional(_time),
    "created_at": _optional(_time),
}
