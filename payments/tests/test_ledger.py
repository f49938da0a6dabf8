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
