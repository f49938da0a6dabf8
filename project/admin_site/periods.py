"""The periods that the dashboard shows, and what each is compared with."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from babel.dates import format_date, format_interval, format_skeleton
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, to_locale

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

PERIODS: "Mapping[str, StrOrPromise]" = {
    "7-days": gettext_lazy("7 days"),
    "30-days": gettext_lazy("30 days"),
    "month": gettext_lazy("This month"),
    "last-month": gettext_lazy("Last month"),
    "quarter": gettext_lazy("This quarter"),
    "year": gettext_lazy("This year"),
}
USUAL = "30-days"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """From one day to another, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __iter__(self) -> Iterator[date]:
        return (self.first + number * DAY for number in range(self.days))

    def __str__(self) -> str:
        locale = to_locale(get_language() or "en")
        return str(format_interval(self.first, self.last, "yMMMd", locale=locale))

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def query(self, field: str) -> str:
        """What shows a list of these days alone."""
        return f"?{field}_from={self.first}&{field}_to={self.last}"


@dataclass(frozen=True)
class Period:
    """What is shown, and what it is compared with: as many days, or the same part of the month, quarter
    or year before."""

    name: str
    shown: Span
    before: Span

    def steps(self) -> "Iterator[tuple[str, Span]]":
        """The bars of a chart with their names: days; weeks of a quarter; months of a year."""
        locale = to_locale(get_language() or "en")
        first = self.shown.first
        while first <= self.shown.last:
            if self.name == "year":
                following, name = _months_on(first, 1), format_date(first, "LLL", locale)
            else:
                following = first + (7 - first.weekday() if self.name == "quarter" else 1) * DAY
                name = format_skeleton("MMMd", first, locale=locale)
            yield name, Span(first, min(following - DAY, self.shown.last))
            first = following


def period_of(name: str) -> Period:
    """The usual one, where there is none of this name."""
    today = timezone.localdate()
    month = today.replace(day=1)
    if name == "last-month":
        last = _months_on(month, -1)
        return Period(name, Span(last, month - DAY), Span(_months_on(last, -1), last - DAY))
    begins = {
        "month": (month, 1),
        "quarter": (_months_on(month, -((today.month - 1) % 3)), 3),
        "year": (today.replace(month=1, day=1), 12),
    }
    if name in begins:
        first, months = begins[name]
        before = Span(_months_on(first, -months), _months_on(today, -months))
        return Period(name, Span(first, today), before)
    name = name if name == "7-days" else USUAL
    days = (7 if name == "7-days" else 30) * DAY
    first = today - days + DAY
    return Period(name, Span(first, today), Span(first - days, first - DAY))


def counted_since() -> date:
    """The first day that any of the periods, or what it is compared with, may have."""
    return date(timezone.localdate().year - 1, 1, 1)


def _months_on(day: date, months: int) -> date:
    """The same day of another month, or its last one."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
