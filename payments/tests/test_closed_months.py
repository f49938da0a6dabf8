"""A month that is over is closed once, after those before it, and never changes again (docs/rules.md,
12.27)."""

import json
from datetime import date
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from payments import statistics
from payments.models import ClosedMonth, LedgerEntry
from payments.services.closing import (
    MonthClosed,
    MonthNotOver,
    NothingToClose,
    close_month,
    months_to_close,
)
from payments.tests.factories import LedgerEntryFactory
from project.school.services import update_school
from project.tests.races import at_once

pytestmark = pytest.mark.django_db

AUGUST, SEPTEMBER, OCTOBER, NOVEMBER = (date(2026, number, 1) for number in (8, 9, 10, 11))


@pytest.fixture(autouse=True)
def _in_november(time_machine):
    time_machine.move_to("2026-11-20T12:00:00Z")


def entry(day, amount="10.00", **fields):
    return LedgerEntryFactory.create(day=day, amount=Decimal(amount), **fields)


def counted(month):
    return {row.pk for row in LedgerEntry.objects.counted_in(month)}


def test_closing_closes_what_is_open_before_it_and_once(administrator):
    in_august, in_september = entry(date(2026, 8, 31)), entry(date(2026, 9, 1))
    in_october = [entry(date(2026, 10, day)) for day in (1, 31)]
    closed = close_month(SEPTEMBER, administrator)
    assert [row.month for row in closed] == [AUGUST, SEPTEMBER]
    assert (counted(AUGUST), counted(SEPTEMBER)) == ({in_august.pk}, {in_september.pk})
    with pytest.raises(MonthClosed):
        close_month(AUGUST, administrator)
    assert [row.month for row in close_month(OCTOBER, administrator)] == [OCTOBER]
    assert counted(OCTOBER) == {row.pk for row in in_october}
    assert set(ClosedMonth.objects.values_list("by", flat=True)) == {administrator.pk}


@pytest.mark.any_database
def test_only_what_is_over_where_the_school_is_and_had_money_is_closed(administrator, time_machine):
    with pytest.raises(NothingToClose):
        close_month(OCTOBER, administrator)
    entry(date(2026, 10, 1))
    with pytest.raises(NothingToClose):
        close_month(SEPTEMBER, administrator)
    with pytest.raises(MonthNotOver):
        close_month(NOVEMBER, administrator)
    time_machine.move_to("2026-11-30T20:59:00Z")
    update_school(changes={"time_zone": "Europe/Moscow"})
    with pytest.raises(MonthNotOver):
        months_to_close(NOVEMBER)
    time_machine.move_to("2026-11-30T21:00:00Z")
    assert months_to_close(NOVEMBER) == [OCTOBER, NOVEMBER]


def test_the_sums_of_a_closed_month_are_those_of_its_entries_to_the_cent(administrator):
    for amount in ("0.10", "0.20", "0.30"):
        entry(date(2026, 10, 5), amount)
    entry(date(2026, 10, 6), "-0.15", kind="refund", method="stripe")
    entry(date(2026, 10, 6), "7", currency="USD")
    close_month(OCTOBER, administrator)
    kept = [(row.day.day, *row[1:]) for row in ClosedMonth.objects.get().kept_sums]
    assert kept == [
        (5, "cash", "payment", "RUB", Decimal("0.60"), 3),
        (6, "cash", "payment", "USD", Decimal("7.00"), 1),
        (6, "stripe", "refund", "RUB", Decimal("-0.15"), 1),
    ]
    assert LedgerEntry.objects.counted_in(OCTOBER).by_day() == ClosedMonth.objects.get().kept_sums


def test_what_comes_late_counts_in_the_first_open_month_and_is_told_there(administrator):
    entry(date(2026, 10, 5), "100")
    close_month(OCTOBER, administrator)
    entry(date(2026, 10, 30), "-40", kind="refund")
    entry(date(2026, 11, 2), "5")
    october, november = statistics.months_of(2026)
    assert (october.sums.amount, november.sums.amount) == (Decimal(100), Decimal(-35))
    assert not october.sums.before(OCTOBER).rows
    late = november.sums.before(NOVEMBER)
    assert (late.entries, late.amount) == (1, Decimal(-40))
    assert statistics.month(NOVEMBER) == november


@pytest.mark.django_db(transaction=True)
def test_two_who_close_at_once_close_it_once(administrator):
    made = {entry(date(2026, month, 3)).pk for month in (9, 10)}
    outcomes = at_once(
        *[lambda: close_month(OCTOBER, administrator)] * 2,
        before_writing=ClosedMonth,
        refused=(MonthClosed,),
    )
    assert sum(isinstance(outcome, MonthClosed) for outcome in outcomes) == 1
    assert list(ClosedMonth.objects.values_list("month", flat=True)) == [OCTOBER, SEPTEMBER]
    assert counted(SEPTEMBER) | counted(OCTOBER) == made


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_is_posted_while_its_month_is_closed_counts_once(administrator):
    entry(date(2026, 10, 3))
    at_once(
        lambda: close_month(OCTOBER, administrator),
        lambda: entry(date(2026, 10, 4)),
        before_writing=LedgerEntry,
    )
    closed = statistics.month(OCTOBER).sums
    assert closed.entries + statistics.month(NOVEMBER).sums.entries == 2
    assert closed.rows == tuple(LedgerEntry.objects.counted_in(OCTOBER).by_day())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pk": 999}, "October 2026 is closed here"),
        ({"amount": "1.00"}, "ledger entry 7 is another one here"),
        ({"day": "2026-09-01"}, "ledger entry 7 is another one here"),
        ({"closed_in": None}, "ledger entry 7 is another one here"),
    ],
)
def test_no_fixture_changes_a_closed_month(administrator, tmp_path, change, said):
    entry(date(2026, 10, 5), pk=7)
    [month] = close_month(OCTOBER, administrator)
    dump = tmp_path / "dump.json"
    call_command("dumpdata", "payments", output=dump)
    call_command("loaddata", dump, verbosity=0)
    rows = json.loads(dump.read_text())
    for row in rows:
        if row["model"] == "payments.ledgerentry":
            row["pk"] = change.get("pk", 7)
            row["fields"] |= {name: new for name, new in change.items() if name != "pk"}
    dump.write_text(json.dumps(rows))
    with pytest.raises(CommandError, match=said):
        call_command("loaddata", dump, verbosity=0)
    [kept] = ClosedMonth.objects.get().kept_sums
    assert (kept.amount, counted(OCTOBER)) == (Decimal("10.00"), {7})
    assert month.entries.get().amount == Decimal("10.00")


def test_no_fixture_changes_what_a_month_was_closed_with(administrator, tmp_path):
    entry(date(2026, 10, 5))
    close_month(OCTOBER, administrator)
    dump = tmp_path / "dump.json"
    call_command("dumpdata", "payments.closedmonth", output=dump)
    dump.write_text(dump.read_text().replace("10.00", "11.00"))
    with pytest.raises(CommandError, match="is another one here"):
        call_command("loaddata", dump, verbosity=0)
