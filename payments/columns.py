"""The table of payments: which columns it has, what they are called, and how their cells are written.

The export writes it and the import reads it, so that what was taken out of one school can be put into
another, and a table that people write themselves has the same words.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.utils.formats import get_format
from django.utils.translation import override, pgettext, pgettext_lazy

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class Column(NamedTuple):
    """`name` is what it is called in technical tables; the import passes over one that it does not
    read."""

    name: str
    label: "StrOrPromise"
    is_read: bool = True


COLUMNS = (
    Column("number", pgettext_lazy("column", "Number"), is_read=False),
    Column("external_id", pgettext_lazy("column", "External ID")),
    Column("user", pgettext_lazy("column", "Email")),
    Column("payer_name", pgettext_lazy("column", "Name"), is_read=False),
    Column("course_id", pgettext_lazy("column", "Course number")),
    Column("lesson_id", pgettext_lazy("column", "Lesson number")),
    Column("title", pgettext_lazy("column", "Title")),
    Column("amount", pgettext_lazy("column", "Amount")),
    Column("refunded_amount", pgettext_lazy("column", "Refunded")),
    Column("refunds", pgettext_lazy("column", "Refunds")),
    Column("disputes", pgettext_lazy("column", "Lost in disputes")),
    Column("currency", pgettext_lazy("column", "Currency")),
    Column("method", pgettext_lazy("column", "Method")),
    Column("status", pgettext_lazy("column", "Status")),
    Column("created_at", pgettext_lazy("column", "Created")),
    Column("paid_at", pgettext_lazy("column", "Paid")),
    Column("bank_reference", pgettext_lazy("column", "Bank reference")),
)
_EXPORTED_ID = re.compile(r"parta-([1-9][0-9]{0,18})-([0-9]{14})")
_TO_THE_SECOND = "%Y%m%d%H%M%S"


@cache
def names_of_headers() -> dict[str, str]:
    """The names of the columns by what they are called in any language, as `plain_header` writes it."""
    names = {plain_header(column.name): column.name for column in COLUMNS}
    for code, _language in settings.LANGUAGES:
        with override(code):
            names |= {plain_header(str(column.label)): column.name for column in COLUMNS}
    return names


def plain_header(text: str) -> str:
    """A header without what does not matter: case, spaces around and between words, a colon."""
    return " ".join(text.casefold().replace("ё", "е").split()).rstrip(" :")


class Movement(NamedTuple):
    """Money that left a payment on a day: a refund, or what was lost in a dispute."""

    amount: Decimal
    day: date
    ends_access: bool = False


def movements_text(movements: Iterable[Movement]) -> str:
    """What a cell says of them in the present language: `500.00 (2026-11-02); 200.00 (2026-11-20,
    access ended)`."""
    has_comma = get_format("DECIMAL_SEPARATOR") == ","
    texts = []
    for movement in movements:
        amount, day = f"{movement.amount:.2f}", written_day(movement.day)
        if has_comma:
            amount = amount.replace(".", ",")
        end = f", {access_ended()}" if movement.ends_access else ""
        texts.append(f"{amount} ({day}{end})")
    return "; ".join(texts)


def written_day(day: date) -> str:
    """As cells have it in the present language: 2026-11-20 or 20.11.2026."""
    return f"{day:%d.%m.%Y}" if get_format("DECIMAL_SEPARATOR") == "," else day.isoformat()


def access_ended() -> str:
    return pgettext("refund in a table", "access ended")


def exported_id(number: int, created_at: datetime) -> str:
    """What stands as external id of a payment that has none: the school that wrote it knows the payment
    by it again, and for every other it is an external id like others."""
    return f"parta-{number}-{created_at.astimezone(UTC):{_TO_THE_SECOND}}"


def read_exported_id(external_id: str) -> tuple[int, datetime] | None:
    """The number and the second of creation that `exported_id` wrote; None if it did not."""
    found = _EXPORTED_ID.fullmatch(external_id)
    if found is None:
        return None
    try:
        second = datetime.strptime(found[2], _TO_THE_SECOND).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(found[1]), second
