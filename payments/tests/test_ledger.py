"""What counts in which month, closed or open (docs/rules.md, 12.26 and 12.27)."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from payments.models import LedgerEntry
from payments.tests.factories import ClosedMonthFactory, LedgerEntryFactory

pytestmark = pytest.mark.django_db

SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)


def entry(day, amount="10.00", **fields):
    return LedgerEntryFactory.create(day=day, amount=Decimal(amount), **fields)


def test_a_late_entry_counts_in_the_first_month_that_is_open():
    september, october = (ClosedMonthFactory.create(month=month) for month in (SEPTEMBER, OCTOBER))
    in_september = entry(date(2026, 8, 31), closed_in=september)
    in_october = entry(date(2026, 10, 31), closed_in=october)
    late = [entry(date(2026, 8, 1)), entry(date(2026, 10, 31)), entry(date(2026, 11, 1))]
    in_december = entry(date(2026, 12, 1))
    counted = LedgerEntry.objects.counted_in
    assert set(counted(SEPTEMBER)) == {in_september}
    assert set(counted(OCTOBER)) == {in_october}
    assert set(counted(NOVEMBER)) == set(late)
    assert set(counted(date(2026, 12, 1))) == {in_december}
    assert not counted(date(2026, 8, 1))


def test_without_a_closed_month_each_entry_counts_in_its_own():
    last, first = entry(date(2026, 10, 31)), entry(date(2026, 11, 1))
    assert set(LedgerEntry.objects.counted_in(OCTOBER)) == {last}
    assert set(LedgerEntry.objects.counted_in(NOVEMBER)) == {first}


def test_sums_of_months_are_those_of_what_counts_in_them():
    closed = ClosedMonthFactory.create(month=SEPTEMBER)
    for amount in ("0.10", "0.20", "0.30"):
        entry(date(2026, 9, 5), amount, closed_in=closed)
        entry(date(2026, 9, 6), amount)
    entry(date(2026, 10, 2), "-0.15", kind="refund", method="stripe")
    entry(date(2026, 10, 3), "7", currency="USD")
    entry(date(2026, 11, 2), "1")
    # A day before the first month that is asked for.
    entry(date(2026, 8, 2), "1")
    expected = [
        (SEPTEMBER, "cash", "payment", "RUB", Decimal("0.60"), 3),
        (OCTOBER, "cash", "payment", "RUB", Decimal("1.60"), 4),
        (OCTOBER, "cash", "payment", "USD", Decimal("7.00"), 1),
        (OCTOBER, "stripe", "refund", "RUB", Decimal("-0.15"), 1),
        (NOVEMBER, "cash", "payment", "RUB", Decimal("1.00"), 1),
    ]
    sums = LedgerEntry.objects.sums_of_months
    assert sums(SEPTEMBER, NOVEMBER) == expected
    assert sums(date(2026, 1, 1), OCTOBER) == expected[:-1]
    assert sums(NOVEMBER, NOVEMBER) == LedgerEntry.objects.sums_of(NOVEMBER) == expected[-1:]
    assert sum(one.amount for one in sums(OCTOBER, OCTOBER) if one.currency == "RUB") == sum(
        one.amount for one in LedgerEntry.objects.counted_in(OCTOBER) if one.currency == "RUB"
    )


@pytest.mark.parametrize(
    ("factory", "fields"),
    [
        (ClosedMonthFactory, {"month": date(2026, 10, 2)}),
        (LedgerEntryFactory, {"amount": 0}),
        (LedgerEntryFactory, {"currency": "rub"}),
        (LedgerEntryFactory, {"kind": "gift"}),
    ],
)
def test_the_database_holds_what_a_ledger_is(factory, fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        factory.create(**fields)
