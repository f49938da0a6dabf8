"""One row of an import: what it says, and what is wrong with it before anything is looked up."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _

from payments.models import Payment, PaymentMethod, PaymentStatus
from payments.models.states import OPEN_STATUSES
from project.common.mailboxes import compared
from project.common.money import WHOLE_DIGITS, fits_currency
from project.common.texts import one_line
from project.school.current import current_school

REQUIRED_COLUMNS = ("external_id", "user", "amount", "currency", "method", "status")
LARGEST_ID = 2**63 - 1
# Decimal itself also reads 1_000, ١٢٣ and 1e5, which nobody means in a book.
AMOUNT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
# What the column of the database does not hold.
TOO_LARGE = Decimal(10) ** WHOLE_DIGITS
# PostgreSQL stores neither NUL nor halves of a pair of surrogates.
NOT_STORED = re.compile("[\x00\ud800-\udfff]")
# Years that no clock, time zone or report trips over.
YEARS = range(1900, 2200)


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read. `number` counts the payments of the file from 1, `line` the lines of a
    CSV file with its header. With a `problem` it can't be loaded."""

    number: int
    values: Mapping[str, object] = field(default_factory=dict)
    line: int | None = None
    problem: str = ""

    def __str__(self) -> str:
        message = _("Row %(number)s: %(reason)s")
        if self.line is not None:
            message = _("Row %(number)s (line %(line)s): %(reason)s")
        return message % {"number": self.number, "line": self.line, "reason": self.problem}


class Unfit(Exception):
    """Says what is wrong with a row or one of its values, in words for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The values of a row that is sound by itself. `user` is an id, or an e-mail as mailboxes are
    compared; times have a zone."""

    row: Row
    external_id: str
    user: int | str
    course_id: int | None
    lesson_id: int | None
    title: str | None
    amount: Decimal
    refunded_amount: Decimal | None
    currency: str
    method: str
    status: str
    paid_at: datetime | None
    created_at: datetime | None


def read_row(row: Row) -> Draft:
    """Return what the row says. Raises Unfit with all that is wrong with it."""
    if row.problem:
        raise Unfit(row.problem)
    values: dict[str, Any] = {}
    problems = []
    for column, read in COLUMNS.items():
        value = row.values.get(column)
        if isinstance(value, str):
            value = value.strip()
        is_missing = value is None or value == ""
        if is_missing and column in REQUIRED_COLUMNS:
            problems.append(f"{column}: " + _("is missing"))
        try:
            values[column] = None if is_missing else read(value)
        except Unfit as unfit:
            problems.append(f"{column}: {unfit}")
    if problems:
        raise Unfit("; ".join(problems))
    draft = Draft(row=row, **values)
    if contradictions := _contradictions(draft):
        raise Unfit("; ".join(contradictions))
    return draft


def _contradictions(draft: Draft) -> list[str]:
    problems = []
    if (draft.course_id is None) == (draft.lesson_id is None):
        problems.append(_("there must be either a course or a lesson"))
    whole = draft.amount if draft.status == PaymentStatus.REFUNDED else 0
    if draft.refunded_amount not in {None, whole}:
        problems.append(_("refunded_amount: a refund of a part can't be carried over"))
    is_paid = draft.status in {PaymentStatus.PAID, PaymentStatus.REFUNDED}
    if is_paid and draft.paid_at is None:
        problems.append(_("paid_at: is missing, but the payment was made"))
    if not is_paid and draft.paid_at is not None:
        problems.append(_("paid_at: is given, but the payment was not made"))
    if draft.method == PaymentMethod.STRIPE and draft.status in OPEN_STATUSES:
        problems.append(_("status: a payment that is still open at Stripe can't be imported"))
    return problems


def _shown(value: object) -> str:
    """A value as an error quotes it: short, whatever somebody put into the file."""
    if isinstance(value, str | int | Decimal):
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else str(value)
        return text if len(text) <= 40 else text[:39] + "…"
    return type(value).__name__


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(max_length: int, value: object) -> str:
    # The numbers of other books are numbers more often than not.
    if not isinstance(value, str) and not _is_number(value):
        raise Unfit(_("%s is not text") % _shown(value))
    text = str(value)
    if len(text) > max_length:
        raise Unfit(_("is longer than %s characters") % max_length)
    if NOT_STORED.search(text):
        raise Unfit(_("contains characters that can't be stored"))
    return text


def _title(value: object) -> str:
    """One line, as titles of courses are."""
    return one_line(_text(Payment._meta.get_field("title").max_length or 0, value))


def _identifier(value: object) -> int:
    is_id = _is_number(value) or (isinstance(value, str) and re.fullmatch("[0-9]{1,19}", value))
    if not is_id or not 1 <= int(str(value)) <= LARGEST_ID:
        raise Unfit(_("%s is not a valid ID") % _shown(value))
    return int(str(value))


def _user(value: object) -> int | str:
    # A natural key, as Django's serializers write it.
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0].strip()
    if isinstance(value, str) and "@" in value:
        return compared(_text(254, value))
    try:
        return _identifier(value)
    except Unfit:
        raise Unfit(_("%s is neither an email address nor an ID") % _shown(value)) from None


def _amount(value: object) -> Decimal:
    is_amount = isinstance(value, Decimal) or _is_number(value)
    if not is_amount and not (isinstance(value, str) and AMOUNT.fullmatch(value)):
        raise Unfit(_("%s is not an amount like 1990.00") % _shown(value))
    amount = Decimal(str(value))
    if amount < 0:
        raise Unfit(_("%s is negative") % _shown(value))
    if amount >= TOO_LARGE:
        raise Unfit(_("%s is too large") % _shown(value))
    in_book = amount.quantize(Decimal("0.01"))
    if in_book != amount or not fits_currency(amount, settings.CURRENCY):
        message = _("%(amount)s has more decimal places than %(currency)s allows")
        raise Unfit(message % {"amount": _shown(value), "currency": settings.CURRENCY})
    return abs(in_book)


def _currency(value: object) -> str:
    if value != settings.CURRENCY:
        message = _("%(currency)s is not the currency of this school (%(expected)s)")
        raise Unfit(message % {"currency": _shown(value), "expected": settings.CURRENCY})
    return str(value)


def _choice(known: list[str], value: object) -> str:
    if value not in known:
        message = _("%(value)s is not one of %(choices)s")
        raise Unfit(message % {"value": _shown(value), "choices": ", ".join(known)})
    return str(value)


def _time(value: object) -> datetime:
    """A time without an offset is in the school's time zone, a date is its midnight."""
    try:
        time = parse_datetime(value) if isinstance(value, str) else None
        if time is not None:
            zone = current_school().zone
            time = (make_aware(time, zone) if is_naive(time) else time).astimezone(UTC)
    except (ValueError, OverflowError):
        time = None
    if time is None or time.year not in YEARS:
        raise Unfit(_("%s is not a time like 2026-09-01T12:00:00+03:00") % _shown(value))
    return time


COLUMNS: dict[str, Callable[[object], object]] = {
    "external_id": partial(_text, Payment._meta.get_field("external_id").max_length or 0),
    "user": _user,
    "course_id": _identifier,
    "lesson_id": _identifier,
    "title": _title,
    "amount": _amount,
    "refunded_amount": _amount,
    "currency": _currency,
    "method": partial(_choice, PaymentMethod.values),
    "status": partial(_choice, PaymentStatus.values),
    "paid_at": _time,
    "created_at": _time,
}
