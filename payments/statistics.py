"""The accounts: what came and went, month by month, by the ledger (docs/rules.md, 12.29)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from payments.models import ClosedMonth, LedgerEntry
from payments.models.ledger import DaySum, month_after, month_of, present_month


@dataclass(frozen=True)
class Sums:
    """Sums of entries that are alike; `of` looks at some of them."""

    rows: tuple[DaySum, ...]

    @cached_property
    def amount(self) -> Decimal:
        return sum((row.amount for row in self.rows), Decimal(0))

    @property
    def entries(self) -> int:
        return sum(row.entries for row in self.rows)

    def of(self, **values: object) -> "Sums":
        """Those with these values, as `of(kind="refund")`."""
        wanted = values.items()
        rows = (row for row in self.rows if all(getattr(row, name) == of for name, of in wanted))
        return Sums(tuple(rows))

    def by(self, name: str) -> "dict[Any, Sums]":
        """Each currency, method, kind or day that there is, in order, with its sums."""
        found: dict[Any, list[DaySum]] = defaultdict(list)
        for row in self.rows:
            found[getattr(row, name)].append(row)
        return {value: Sums(tuple(found[value])) for value in sorted(found)}

    def before(self, day: date) -> "Sums":
        """Of a month that begins on this day: what came too late for the month of its own days."""
        return Sums(tuple(row for row in self.rows if row.day < day))

    def by_months(self) -> "Sums":
        """The same with what counts is of one month taken together, by its first day."""
        found: dict[tuple[date, str, str, str], tuple[Decimal, int]] = {}
        for day, method, kind, currency, amount, entries in self.rows:
            of = (month_of(day), method, kind, currency)
            before, known = found.get(of, (Decimal(0), 0))
            found[of] = (before + amount, known + entries)
        return Sums(tuple(DaySum(*of, *known) for of, known in found.items()))


@dataclass(frozen=True)
class Month:
    """What counts in a month, by day."""

    first: date
    closed: ClosedMonth | None
    sums: Sums
    # Nothing counts in a month that is neither open nor closed: it is older than all that are closed.
    is_open: bool = True

    @property
    def is_to_close(self) -> bool:
        return self.is_open and self.first < present_month()


def years() -> list[int]:
    """From the first entry of the ledger to today."""
    this_year = present_month().year
    first = _first_month()
    return list(range(min(first.year, this_year), this_year + 1)) if first else [this_year]


def months_of(year: int) -> list[Month]:
    """The months of a year that the ledger knows of, up to the present one."""
    first, last = date(year, 1, 1), date(year, 12, 1)
    known = _first_month()
    if known is None:
        return []
    return _months(max(first, known), min(last, _newest()))


def known_months() -> list[date]:
    """From the first one that the ledger knows to the present one, the newest first."""
    months = [first] if (first := _first_month()) else []
    newest = _newest()
    while months and months[-1] < newest:
        months.append(month_after(months[-1]))
    return months[::-1]


def month(first: date) -> Month:
    return _months(first, first)[0]


def first_to_close() -> date | None:
    """The first month that is not closed; None if no money has moved yet."""
    return ClosedMonth.objects.first_open() or _first_month()


def days_since(first: date) -> Sums:
    """What counts on each day since the first of a month. What came too late for its own month counts on
    the first day of the one that takes it, so that the days of a month add up to what its page says."""
    months = _months(first, _newest())
    return Sums(
        tuple(
            row._replace(day=max(row.day, month.first))
            for month in months
            for row in month.sums.rows
        )
    )


def _months(first: date, last: date) -> list[Month]:
    rows = ClosedMonth.objects.filter(month__range=(first, last)).select_related("by")
    closed = {row.month: row for row in rows}
    first_open = ClosedMonth.objects.first_open()
    still_open: dict[date, list[DaySum]] = defaultdict(list)
    for sums in LedgerEntry.objects.open_in(first, last, first_open).by_day():
        still_open[max(month_of(sums.day), first_open or date.min)].append(sums)
    found = []
    while first <= last:
        row = closed.get(first)
        known = row.kept_sums if row else still_open[first]
        is_open = first_open is None or first >= first_open
        found.append(Month(first, row, Sums(tuple(known)), is_open))
        first = month_after(first)
    return found


def _first_month() -> date | None:
    """The first one that was closed; while none is, that of the first day on which money moved."""
    if closed := ClosedMonth.objects.order_by("month").first():
        return closed.month
    earliest = LedgerEntry.objects.earliest_day()
    return earliest and month_of(earliest)


def _newest() -> date:
    """The present one, or the first open one where a change of the time zone has put it ahead."""
    return max(present_month(), ClosedMonth.objects.first_open() or date.min)
