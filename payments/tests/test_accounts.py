"""The accounts in the admin: a year, its months, and closing them (docs/rules.md, 12.27 and 12.29)."""

import io
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from payments.admin import accounts
from payments.models import ClosedMonth
from payments.services.closing import close_month
from payments.tests.factories import (
    FindingFactory,
    LedgerEntryFactory,
    PaymentFactory,
    RefundFactory,
)
from project.common.money import shown
from project.tests.spreadsheets import content_of, lines_of

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

YEAR = reverse("admin:payments_closedmonth_changelist")
OCTOBER, NOVEMBER, CLOSING = (
    reverse(f"admin:payments_closedmonth_{page}", args=[2026, month])
    for page, month in (("month", 10), ("month", 11), ("close", 10))
)


@pytest.fixture(autouse=True)
def _in_november(time_machine):
    time_machine.move_to("2026-11-20T12:00:00Z")


@pytest.fixture
def accountant(support):
    """Whoever sees payments, and closes months."""
    support.user_permissions.add(Permission.objects.get(codename="close_month"))
    return support


@pytest.fixture
def client(client_of, accountant):
    return client_of(accountant)


def entry(day, amount, **fields):
    return LedgerEntryFactory.create(day=day, amount=Decimal(amount), **fields)


@pytest.fixture
def autumn(administrator):
    """September is closed; a refund of it came late."""
    entry(date(2026, 9, 30), "1990")
    close_month(date(2026, 9, 1), administrator)
    entry(date(2026, 9, 30), "-90.10", kind="refund")
    entry(date(2026, 10, 1), "0.10", method="transfer")
    entry(date(2026, 10, 1), "0.20", method="transfer")
    entry(date(2026, 10, 31), "-500", kind="dispute", method="stripe")
    entry(date(2026, 11, 2), "7", currency="USD")


def lines(page, currency="RUB"):
    """Of each line of a currency's table the title and the amounts, as they are read."""
    (table,) = [table for table in page.context["tables"] if table.currency == currency]
    return [
        (line.title, *[cell.text for cell in line.cells]) for line in (*table.lines, *table.totals)
    ]


def rub(*amounts):
    """As a column has them."""
    return tuple(shown(Decimal(one), "RUB", in_column=True) if one else "—" for one in amounts)


def test_each_month_says_whether_it_is_closed_open_or_not_over_yet(client, autumn):
    words = ("closed on", "not closed", "not over yet")
    said = {
        month: [word for word in words if word in client.get(address).text]
        for month in (8, 9, 10, 11)
        for address in [reverse("admin:payments_closedmonth_month", args=[2026, month])]
    }
    # Nothing counts in August, which is older than the first one that was closed.
    assert said == {8: [], 9: ["closed on"], 10: ["not closed"], 11: ["not over yet"]}
    assert all(word in client.get(YEAR).text for word in words)


@pytest.mark.usefixtures("autumn")
def test_a_year_has_what_counts_in_each_month_by_kind_and_method(client):
    page = client.get(YEAR)
    assert lines(page) == [
        ("September 2026", *rub("1990", "", "", "1990")),
        ("cash", *rub("1990", "", "", "1990")),
        ("October 2026", *rub("0.30", "-90.10", "-500", "-589.80")),
        ("cash", *rub("", "-90.10", "", "-90.10")),
        ("Stripe", *rub("", "", "-500", "-500")),
        ("transfer", *rub("0.30", "", "", "0.30")),
        ("November 2026", *rub("", "", "", "0")),
        ("2026 in total", *rub("1990.30", "-90.10", "-500", "1400.20")),
        ("cash", *rub("1990", "-90.10", "", "1899.90")),
        ("Stripe", *rub("", "", "-500", "-500")),
        ("transfer", *rub("0.30", "", "", "0.30")),
    ]
    assert lines(page, "USD")[-2] == ("2026 in total", "$7.00", "—", "—", "$7.00")
    assert "closed on Nov. 20, 2026 by Ada" in page.text
    assert "1 entry of September 2026" in page.text
    assert client.get(f"{YEAR}?year=1999").context["year"] == 2026


@pytest.mark.usefixtures("autumn")
@pytest.mark.parametrize("address", [YEAR, OCTOBER, NOVEMBER])
def test_each_figure_leads_to_exactly_the_entries_behind_it(client, address):
    page = client.get(address)
    tables = page.context["tables"]
    if address != YEAR:
        tables = [table for pair in tables for table in pair]
    cells = [
        (cell, table.currency)
        for table in tables
        for line in (*table.lines, *table.totals)
        for cell in line.cells
        if cell.url
    ]
    assert cells
    for cell, currency in cells:
        total = sum(row.amount for row in client.get(cell.url).context["cl"].queryset)
        assert shown(total, currency, in_column=True) == cell.text, cell


@pytest.mark.usefixtures("autumn")
def test_a_month_has_its_days_and_what_came_late(client):
    page = client.get(OCTOBER)
    ((_methods, days),) = page.context["tables"]
    assert [(line.title, line.cells[-1].text) for line in days.lines] == [
        ("Sept. 30, 2026", *rub("-90.10")),
        ("Oct. 1, 2026", *rub("0.30")),
        ("Oct. 31, 2026", *rub("-500")),
    ]
    ((late, url),) = [(cell.text, cell.url) for cell in page.context["late"]]
    assert late == "1 entry of September 2026"
    assert client.get(url).context["cl"].queryset.get().kind == "refund"


@pytest.mark.usefixtures("autumn")
def test_closing_tells_what_waits_and_needs_the_month_typed(client, accountant):
    before = datetime(2026, 10, 31, 12, tzinfo=ZoneInfo("UTC"))
    PaymentFactory.create(created_at=before)
    RefundFactory.create(created_at=before, status="requested")
    FindingFactory.create(first_seen_at=before)
    PaymentFactory.create()
    question = client.get(CLOSING)
    assert [text for text, _url in question.context["waiting"]] == [
        "1 payment is waiting to be confirmed.",
        "1 refund has no answer yet.",
        "1 finding is open.",
    ]
    for _text, url in question.context["waiting"]:
        assert len(client.get(url).context["cl"].queryset) == 1
    seen = question.context["form"]["seen"].value()
    assert client.post(CLOSING, {"typed": "2026-11", "seen": seen}).status_code == 200
    # What comes before the answer is not closed unseen.
    entry(date(2026, 10, 5), "1")
    asked_again = client.post(CLOSING, {"typed": "2026-10", "seen": seen})
    assert "The figures have changed meanwhile" in asked_again.text
    assert not ClosedMonth.objects.filter(month=date(2026, 10, 1)).exists()
    seen = asked_again.context["form"]["seen"].value()
    assert client.post(CLOSING, {"typed": " 2026-10 ", "seen": seen}).status_code == 302
    closed = ClosedMonth.objects.get(month=date(2026, 10, 1))
    assert (closed.by, LogEntry.objects.get().object_id) == (accountant, str(closed.pk))
    again = client.post(CLOSING, {"typed": "2026-10", "seen": seen}, follow=True)
    assert "This month has been closed already." in again.text
    assert client.get(reverse("admin:payments_closedmonth_change", args=[closed.pk])).url == OCTOBER


@pytest.mark.usefixtures("autumn")
def test_what_comes_at_the_moment_of_closing_is_seen_before_it_is_closed(client, monkeypatch):
    def close_later(*arguments, **options):
        entry(date(2026, 10, 5), "1")
        return close_month(*arguments, **options)

    monkeypatch.setattr(accounts, "close_month", close_later)
    seen = client.get(CLOSING).context["form"]["seen"].value()
    answer = client.post(CLOSING, {"typed": "2026-10", "seen": seen}, follow=True)
    assert "The figures have changed meanwhile" in answer.text
    assert answer.redirect_chain == [(CLOSING, 302)]
    assert not ClosedMonth.objects.filter(month=date(2026, 10, 1)).exists()


@pytest.mark.usefixtures("autumn")
def test_who_may_not_close_is_not_asked(client_of, support):
    client = client_of(support)
    assert CLOSING not in client.get(OCTOBER).text + client.get(YEAR).text
    assert client.post(CLOSING, {"typed": "2026-10"}).status_code == 403
    support.user_permissions.set(Permission.objects.filter(codename="close_month"))
    for address in (YEAR, OCTOBER, CLOSING):
        assert client_of(support).get(address).status_code == 403


@pytest.mark.usefixtures("autumn")
def test_what_is_older_than_all_closed_months_is_no_month_to_close(client):
    entry(date(1926, 11, 3), "7")
    page = client.get(YEAR)
    assert page.context["years"] == [(2026, "?year=2026")]
    assert [line.title for line in page.context["tables"][0].lines if not line.is_part] == [
        "September 2026", "October 2026", "November 2026",
    ]  # fmt: skip
    assert "1 entry of November 1926" in page.text
    july = reverse("admin:payments_closedmonth_month", args=[2026, 7])
    assert not client.get(july).context["close_url"]


@pytest.mark.usefixtures("autumn")
@pytest.mark.parametrize("seen", ["\x00", "", "0" * 64])
def test_nothing_is_closed_for_who_has_seen_something_else(client, seen):
    page = client.post(CLOSING, {"typed": "2026-10", "seen": seen})
    assert "The figures have changed meanwhile" in page.text
    assert not ClosedMonth.objects.filter(month=date(2026, 10, 1)).exists()


def test_without_entries_there_is_nothing_to_see_or_close(client):
    assert "No money has come or gone yet." in client.get(YEAR).text
    assert "No money came or went in this month." in client.get(OCTOBER).text
    assert "No money had moved" in client.get(CLOSING, follow=True).text
    no_month = reverse("admin:payments_closedmonth_month", args=[2026, 13])
    assert client.get(no_month).status_code == 404


def test_pages_ask_as_many_queries_of_many_entries(client, django_assert_max_num_queries):
    for number in range(20):
        entry(date(2026, 1 + number // 2, 3), "10", payment=PaymentFactory.create(paid=True))
        if number in {1, 19}:
            for address in (YEAR, OCTOBER):
                with django_assert_max_num_queries(14):
                    client.get(address)


@pytest.mark.usefixtures("autumn")
def test_entries_are_found_by_month_day_kind_number_and_person(client, administrator):
    payment = PaymentFactory.create(payer__first_name="Eva", course__title="Bread", paid=True)
    entry(date(2026, 11, 3), "1990", payment=payment)
    address = reverse("admin:payments_ledgerentry_changelist")

    def found(query):
        return {str(row.amount) for row in client.get(f"{address}?{query}").context["cl"].queryset}

    assert found("month=2026-11") == {"7.00", "1990.00"}
    assert found("month=2026-09") == {"1990.00"}
    for no_month in ("2026-13", "9999-12", "x"):
        assert found(f"month={no_month}") == set()
    assert found("day_from=2026-10-31&day_to=2026-10-31") == {"-500.00"}
    assert found("kind__exact=refund") == {"-90.10"}
    for text in ("eva", "bread", payment.pk, payment.payer.email):
        assert found(f"q={text}") == {"1990.00"}, text
    page = client.get(f"{address}?kind__exact=refund")
    assert "October 2026" in page.text
    sums = client.get(f"{reverse('admin:payments_ledgerentry_sums')}?month=2026-10")
    [line] = sums.context["sums"].lines
    assert sums.context["sums"].number == 4
    assert [(str(figure.label), figure.value, figure.note) for figure in line] == [
        ("Received", "₽0.30", "2"),
        ("Refunded", "-₽90.10", "1"),
        ("Lost in disputes", "-₽500", "1"),
        ("Net", "-₽589.80", ""),
    ]


@pytest.mark.usefixtures("autumn")
def test_a_month_is_exported_with_its_summary_as_numbers(client):
    payment = PaymentFactory.create(payer__first_name="=Eva", course__title="Bread", paid=True)
    entry(date(2026, 10, 3), "1990", payment=payment)
    address = client.get(OCTOBER).context["export_url"]
    book = openpyxl.load_workbook(io.BytesIO(content_of(client.post(address, {"format": "xlsx"}))))
    entries, summary = (list(sheet.values) for sheet in book.worksheets)
    assert book.sheetnames == ["Ledger entries", "Summary"]
    amount = entries[0].index("Amount")
    assert sum(Decimal(str(row[amount])) for row in entries[1:]) == Decimal("1400.20")
    row = next(row for row in entries if row[3] == payment.pk)
    assert row[1:] == (
        datetime(2026, 10, 3),  # noqa: DTZ001 - as a spreadsheet has it
        "payment", payment.pk, "Bread", "'=Eva", payment.payer.email, "cash", 1990, "RUB", "2026-10",
    )  # fmt: skip
    assert summary == [
        ("Month", "Method", "Currency", "Received", "Refunded", "Lost in disputes", "Net"),
        ("2026-10", "cash", "RUB", 1990, -90.1, 0, 1899.9),
        ("2026-10", "Stripe", "RUB", 0, 0, -500, -500),
        ("2026-10", "transfer", "RUB", 0.3, 0, 0, 0.3),
    ]
    lines = lines_of(client.post(address, {"format": "csv"}))
    assert sum(Decimal(line[amount]) for line in lines[1:]) == Decimal("1400.20")
