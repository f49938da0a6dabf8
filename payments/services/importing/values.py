"""What a cell says: amounts, days, methods and states as people and spreadsheets write them, or why
not."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, partial

from babel.numbers import get_currency_symbol
from django.conf import settings
from django.db.models import Choices
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _
from django.utils.translation import override

from payments.columns import Movement, access_ended
from payments.models import Payment, PaymentMethod, PaymentStatus
from project.common.mailboxes import compared
from project.common.money import TOO_LARGE
from project.common.texts import one_line
from project.school.current import current_school

LARGEST_ID = 2**63 - 1
# Decimal itself also reads 1_000, ١٢٣ and 1e5, which nobody means in a book. Three digits after a
# separator are thousands to some people and places to others.
AMOUNT = re.compile(r"(?!-?[1-9][0-9]{0,2}\.[0-9]{3}\Z)-?[0-9]{1,30}(\.[0-9]{1,30})?")
EITHER = re.compile(r"-?[1-9][0-9]{0,2}[.,][0-9]{3}")
WITH_COMMA = re.compile(r"-?[0-9]{1,30}[.,][0-9]{1,30}|-?[0-9]{1,30}")
IN_GROUPS = re.compile(
    r"-?[0-9]{1,3}(?P<mark>[ .,'’])[0-9]{3}(?:(?P=mark)[0-9]{3}){0,8}(?:(?!(?P=mark))[.,][0-9]{1,30})?"
)
CODE = re.compile("[A-Z]{3}")
# How roubles are written beside the sign that Babel knows.
ROUBLES = ("руб.", "руб", "р.", "р")
# PostgreSQL stores neither NUL nor halves of a pair of surrogates.
NOT_STORED = re.compile("[\x00\ud800-\udfff]")
# What spreadsheets make of a long number that they take for one: its last digits are lost.
SHORTENED = re.compile(r"[0-9][.,][0-9]+E\+?[0-9]{2,}", re.IGNORECASE)
# Years that no clock, time zone or report trips over.
YEARS = range(1900, 2200)
WITH_POINTS = re.compile(
    r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?:,? +([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?"
)
# A day as spreadsheets count them, from 1954 to 2119.
SERIAL = re.compile(r"[2-7][0-9]{4}(?:[.,][0-9]{1,15})?")
SERIAL_BEGINS = datetime(1899, 12, 30)  # noqa: DTZ001 - a cell has no zone
MOVEMENT = re.compile(r"(?P<amount>[^()]+)\((?P<day>[^(),]+)(?:,(?P<end>[^()]+))?\)")
# Words of other books for ours, as `casefold` leaves them.
OTHER_WORDS = {
    "наличными": "cash", "нал": "cash", "касса": "cash",
    "переводом": "transfer", "банковский перевод": "transfer", "bank transfer": "transfer",
    "оплачено": "paid", "оплачена": "paid",
    "возвращено": "refunded", "возвращен": "refunded", "возвращена": "refunded",
    "отменен": "cancelled", "отменено": "cancelled", "отменена": "cancelled", "canceled": "cancelled",
    "истек": "expired", "не прошла": "failed", "не оплачен": "pending", "ожидает": "pending",
}  # fmt: skip


class Unfit(Exception):
    """Says what is wrong with a row or one of its values, in words for people."""


def shown(value: object) -> str:
    """A value as an error quotes it: short, whatever somebody put into the file."""
    if isinstance(value, str | int | Decimal | date):
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else str(value)
        return text if len(text) <= 40 else text[:39] + "…"
    return type(value).__name__


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(max_length: int, value: object) -> str:
    # The numbers of other books are numbers more often than not.
    if not isinstance(value, str) and not _is_number(value):
        raise Unfit(_("%s is not text") % shown(value))
    text = str(value)
    if len(text) > max_length:
        raise Unfit(_("is longer than %s characters") % max_length)
    if NOT_STORED.search(text):
        raise Unfit(_("contains characters that can't be stored"))
    return text


def _number_text(max_length: int, value: object) -> str:
    text = _text(max_length, value)
    if SHORTENED.fullmatch(text):
        message = _(
            "%s was shortened by a spreadsheet: give the column the format “Text”, and enter the number again"
        )
        raise Unfit(message % text)
    return text


def _title(value: object) -> str:
    """One line, as titles of courses are."""
    return one_line(_text(Payment._meta.get_field("title").max_length or 0, value))


def _identifier(value: object) -> int:
    is_id = _is_number(value) or (isinstance(value, str) and re.fullmatch("[0-9]{1,19}", value))
    if not is_id or not 1 <= int(str(value)) <= LARGEST_ID:
        raise Unfit(_("%s is not a valid ID") % shown(value))
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
        raise Unfit(_("%s is neither an email address nor an ID") % shown(value)) from None


def _amount(value: object) -> Decimal:
    if isinstance(value, str):
        amount = Decimal(value) if AMOUNT.fullmatch(value) else _written_amount(value)
    elif isinstance(value, Decimal) or _is_number(value):
        amount = Decimal(str(value))
    else:
        raise _no_amount(value)
    if amount < 0:
        raise Unfit(_("%s is negative") % shown(value))
    if amount >= TOO_LARGE:
        raise Unfit(_("%s is too large") % shown(value))
    in_book = amount.quantize(Decimal("0.01"))
    if in_book != amount:
        raise Unfit(too_fine(value, settings.CURRENCY))
    return abs(in_book)


def too_fine(value: object, currency: str) -> str:
    message = _("%(amount)s has more decimal places than %(currency)s allows")
    return message % {"amount": shown(value), "currency": currency}


def _written_amount(value: str) -> Decimal:
    """An amount as people write it: `4 900,00 ₽`, `RUB 4,900.00`."""
    text = " ".join(value.split()).replace("\N{MINUS SIGN}", "-")
    folded = text.casefold()
    for mark in _currency_marks(settings.CURRENCY):
        if folded.endswith(mark):
            text = text[: -len(mark)].rstrip()
            break
        if folded.startswith(mark):
            text = text[len(mark) :].lstrip()
            break
    if EITHER.fullmatch(text):
        whole, fraction = text.replace(",", ".").split(".")
        message = _("%(text)s can be read as %(whole)s and as %(fraction)s: write %(sure)s")
        raise Unfit(
            message
            % {
                "text": shown(value),
                "whole": whole + fraction,
                "fraction": f"{whole}.{fraction}",
                "sure": f"{whole}{fraction}.00",
            }
        )
    if found := IN_GROUPS.fullmatch(text):
        text = text.replace(found["mark"], "")
    elif not WITH_COMMA.fullmatch(text):
        raise _no_amount(value)
    return Decimal(text.replace(",", "."))


def _no_amount(value: object) -> Unfit:
    return Unfit(_("%s is not an amount like 1990.00") % shown(value))


@cache
def _currency_marks(currency: str) -> list[str]:
    """What people write for the currency, the longest first."""
    marks = {get_currency_symbol(currency, locale=code) for code, _name in settings.LANGUAGES}
    marks |= {currency, *(ROUBLES if currency == "RUB" else ())}
    return sorted({mark.casefold() for mark in marks}, key=len, reverse=True)


def _currency(value: object) -> str:
    """The currency of the school, however it is written; another one by its code: the payment may be
    here from before the school changed its own."""
    known: str = settings.CURRENCY
    if value == known or (isinstance(value, str) and value.casefold() in _currency_marks(known)):
        return known
    if isinstance(value, str) and CODE.fullmatch(value):
        return value
    raise other_currency(value)


def other_currency(value: object) -> Unfit:
    message = _("%(currency)s is not the currency of this school (%(expected)s)")
    return Unfit(message % {"currency": shown(value), "expected": settings.CURRENCY})


@cache
def _words_of(choices: type[Choices]) -> dict[str, str]:
    """The values of a choice by the words for them in every language."""
    words = {word: value for word, value in OTHER_WORDS.items() if value in choices.values}
    for code, _name in settings.LANGUAGES:
        with override(code):
            words |= {str(label).casefold(): value for value, label in choices.choices}
    return words | {value: value for value in choices.values}


def _choice(choices: type[Choices], value: object) -> str:
    found = _words_of(choices).get(value) if isinstance(value, str) else None
    if found is None and isinstance(value, str):
        found = _words_of(choices).get(" ".join(value.casefold().split()))
    if found is None:
        message = _("%(value)s is not one of %(choices)s")
        known = ", ".join(map(str, choices.labels))
        raise Unfit(message % {"value": shown(value), "choices": known})
    return found


def _time(value: object) -> datetime:
    """A time without an offset is in the school's time zone, a day is its midnight."""
    try:
        time = value if isinstance(value, datetime) else None
        if isinstance(value, str):
            time = parse_datetime(value) or _written_time(value)
        elif isinstance(value, int | Decimal):
            time = _written_time(str(value))
        if time is not None:
            zone = current_school().zone
            time = (make_aware(time, zone) if is_naive(time) else time).astimezone(UTC)
    except (ValueError, OverflowError):
        time = None
    if time is None or time.year not in YEARS:
        message = _("%s is not a time like 2026-09-01T12:00:00+03:00 or a day like 20.11.2026")
        raise Unfit(message % shown(value))
    return time


def _written_time(text: str) -> datetime | None:
    if found := WITH_POINTS.fullmatch(text):
        day, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - `_time` gives a zone
    if SERIAL.fullmatch(text):
        days = timedelta(days=float(text.replace(",", ".")))
        # A day has 86,400 seconds, and a fraction with sixteen digits no exact second.
        return SERIAL_BEGINS + timedelta(seconds=round(days.total_seconds()))
    return None


def _movements(value: object) -> tuple[Movement, ...]:
    """What `movements_text` wrote, or somebody like it."""
    found = []
    for part in str(value).split(";"):
        if not part.strip():
            continue
        movement = MOVEMENT.fullmatch(part.strip())
        end = " ".join((movement["end"] or "").casefold().split()) if movement else ""
        if movement is None or (end and end not in _words_of_an_end()):
            message = _("%s is not like 500.00 (2026-11-20)")
            raise Unfit(message % shown(part.strip()))
        amount, day = _amount(movement["amount"].strip()), _time(movement["day"].strip())
        if not amount:
            raise Unfit(_("%s is no refund") % shown(part.strip()))
        zone = current_school().zone
        found.append(Movement(amount, day.astimezone(zone).date(), ends_access=bool(end)))
    return tuple(found)


@cache
def _words_of_an_end() -> set[str]:
    words = set()
    for code, _name in settings.LANGUAGES:
        with override(code):
            words.add(access_ended().casefold())
    return words


READERS: dict[str, Callable[[object], object]] = {
    "external_id": partial(_number_text, Payment._meta.get_field("external_id").max_length or 0),
    "user": _user,
    "course_id": _identifier,
    "lesson_id": _identifier,
    "title": _title,
    "amount": _amount,
    "refunded_amount": _amount,
    "refunds": _movements,
    "disputes": _movements,
    "currency": _currency,
    "method": partial(_choice, PaymentMethod),
    "status": partial(_choice, PaymentStatus),
    "paid_at": _time,
    "created_at": _time,
    "bank_reference": partial(
        _number_text, Payment._meta.get_field("bank_reference").max_length or 0
    ),
}
