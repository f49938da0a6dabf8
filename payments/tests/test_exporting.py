"""The payments book as a table, out of the admin."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Thread

import pytest
from django.contrib.messages import get_messages
from django.db import connection, connections
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone
from openpyxl.utils.escape import unescape

from payments.models import Payment
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory
from people.models import User
from people.tests.factories import UserFactory
from project.common.admin import tables
from project.common.formulas import as_typed
from project.school.tests.factories import SchoolFactory
from project.tests.spreadsheets import lines_of, sheet_of

pytestmark = pytest.mark.django_db

LIST, EXPORT = (reverse(f"admin:payments_payment_{name}") for name in ("changelist", "export"))
# 23:30 of the last day of a month, and the next month in Moscow.
LATE = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)


def export(client, chosen="xlsx", query="", language=""):
    if language:
        client.post(reverse("set_language"), {"language": language})
    return client.post(EXPORT + query, {"format": chosen})


def told_in(lines):
    """The lines by their headers."""
    header, *rows = [list(line) for line in lines]
    return [dict(zip(header, row, strict=True)) for row in rows]


def rows_of(answer):
    return told_in(sheet_of(answer).iter_rows(values_only=True))


@pytest.fixture
def book(db):
    """A payment of which a part went back and a part was lost, one of no number elsewhere, an order."""
    SchoolFactory.create(time_zone="Europe/Moscow")
    ada = UserFactory.create(first_name="Ada", last_name="Berg", email="ada@school.example")
    paid = PaymentFactory.create(
        payer=ada, title="=Bread", external_id="B-7", status="paid", method="transfer",
        bank_reference="000123", created_at=LATE - timedelta(days=1), paid_at=LATE,
        refunded_amount=700,
    )  # fmt: skip
    RefundFactory.create(payment=paid, settled_at=LATE)
    RefundFactory.create(payment=paid, amount=200, settled_at=LATE + timedelta(1), ends_access=True)
    RefundFactory.create(payment=paid, amount=100, status="failed")
    DisputeFactory.create(payment=paid, amount=300, status="lost", told_at=LATE)
    DisputeFactory.create(payment=paid, amount=300, status="won")
    other = PaymentFactory.create(
        payer=ada,
        title="Other",
        amount="0.10",
        status="paid",
        created_at=LATE,
        paid_at=LATE,
        currency="USD",
    )
    later = LATE + timedelta(hours=1)
    order = PaymentFactory.create(for_lesson=True, amount="4900.55", created_at=later)
    return [paid, other, order]


def test_a_table_tells_all_of_a_payment(client_of, support, book):
    paid, other, _order = book
    answer = export(client_of(support))
    sheet = sheet_of(answer)
    assert sheet.title == "Payments"
    told = {row["Number"]: row for row in told_in(sheet.iter_rows(values_only=True))}
    assert told[paid.pk] == {
        "Number": paid.pk,
        "External ID": "B-7",
        "Email": "ada@school.example",
        "Name": "Ada Berg",
        "Course number": paid.course_id,
        "Lesson number": None,
        "Title": "'=Bread",
        "Amount": 1990,
        "Refunded": 700,
        "Refunds": "500.00 (2026-11-01); 200.00 (2026-11-02, access ended)",
        "Lost in disputes": "300.00 (2026-11-01)",
        "Currency": "RUB",
        "Method": "transfer",
        "Status": "paid",
        "Created": datetime(2026, 10, 31, 2, 30),  # noqa: DTZ001
        "Paid": datetime(2026, 11, 1, 2, 30),  # noqa: DTZ001
        "Bank reference": "000123",
    }
    assert told[other.pk]["External ID"] == f"parta-{other.pk}-20261031233000"
    assert f'filename="Payments {timezone.localdate()}.xlsx"' in answer["Content-Disposition"]


def test_the_sums_of_a_table_are_those_of_the_book(client_of, support, book):
    in_book = Payment.objects.aggregate(Sum("amount"), Sum("refunded_amount"))
    for chosen, delimiter in (("xlsx", ""), ("csv", ","), ("semicolons", ";")):
        answer = export(client_of(support), chosen)
        rows = told_in(lines_of(answer, delimiter)) if delimiter else rows_of(answer)
        for header, name in (("Amount", "amount"), ("Refunded", "refunded_amount")):
            values = [str(row[header]).replace(",", ".") for row in rows]
            assert sum(map(Decimal, values)) == in_book[f"{name}__sum"]


def test_a_table_is_in_the_language_of_the_reader(client_of, support, book):
    paid, *_others = book
    sheet = sheet_of(export(client_of(support), language="ru"))
    assert sheet.title == "Платежи"
    [row] = [row for row in told_in(sheet.values) if row["Номер"] == paid.pk]
    assert (row["Способ оплаты"], row["Состояние"]) == ("перевод", "оплачен")
    assert row["Возвраты"] == "500,00 (01.11.2026); 200,00 (02.11.2026, доступ закрыт)"
    lines = told_in(lines_of(export(client_of(support), "semicolons", language="ru"), ";"))
    [line] = [line for line in lines if line["Номер"] == str(paid.pk)]
    assert (line["Сумма"], line["Оплачен"]) == ("1990,00", "01.11.2026 02:30:00")


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("?status__exact=paid", 2),
        ("?q=bread", 1),
        *((f"?o={order}", 3) for order in range(4, 9)),
        # Days of the school's.
        ("?paid_at_from=2026-11-01&paid_at_to=2026-11-30", 2),
        ("?paid_at_from=2026-10-01&paid_at_to=2026-10-31", 0),
    ],
)
def test_a_table_has_what_the_list_shows_in_its_order(client_of, support, book, query, number):
    client = client_of(support)
    rows = told_in(lines_of(export(client, "csv", query)))
    shown = client.get(LIST + query).context["cl"].result_list
    assert [row["Number"] for row in rows] == [str(payment.pk) for payment in shown]
    assert len(rows) == number


def test_the_list_leads_to_its_table(client_of, support, book):
    client, query = client_of(support), "?status__exact=paid"
    assert f'href="{EXPORT}{query}"' in client.get(LIST + query).text
    asked = client.get(EXPORT + query)
    assert asked.context["number"] == "2"
    assert f'data-url="{LIST}sums/{query}"' in asked.text
    assert f'href="{LIST}{query}"' in asked.text
    assert client.post(EXPORT, {"format": "pdf"}).context["form"].errors


def test_who_does_not_see_the_payments_takes_none_along(client_of, moderator, book):
    client = client_of(moderator)
    assert client.get(EXPORT).status_code == 403
    assert client.post(EXPORT, {"format": "csv"}).status_code == 403


def test_too_many_rows_ask_for_filters(client_of, support, book, monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", {"xlsx": 2, "csv": 3})
    client = client_of(support)
    answer = export(client)
    assert answer.status_code == 302
    [said] = get_messages(answer.wsgi_request)
    assert "at most 2 rows" in str(said)
    assert len(lines_of(export(client, "csv"))) == 4


@pytest.mark.reported("A control character in one name made every export to XLSX fail.")
@pytest.mark.reported("What somebody was called ran as a formula of whoever opened the export.")
def test_no_name_makes_a_table_fail(client_of, support):
    names = ["B\x0bo", "=HYPERLINK(0)", "+7 900", "'@a", 'O"Neil,;\n😀']
    for name in names:
        payer = PaymentFactory.create().payer
        # As a row of long ago may have it.
        User.objects.filter(pk=payer.pk).update(first_name=name, last_name="")
    lines = told_in(lines_of(export(client_of(support), "csv")))
    assert [as_typed(line["Name"]) for line in reversed(lines)] == names
    assert [line["Name"][0] for line in lines] == ["O", "'", "'", "'", "B"]
    rows = rows_of(export(client_of(support)))
    assert [as_typed(unescape(row["Name"])) for row in reversed(rows)] == names


@pytest.mark.django_db(transaction=True)
def test_a_table_is_of_one_moment(client_of, support):
    """A refund that is given between two queries of the export is in none of its columns."""
    payment = PaymentFactory.create(paid=True)
    given = []

    def give():
        given.append(RefundFactory.create(payment=payment, amount=500))
        Payment.objects.update(refunded_amount=500)
        connections.close_all()

    def meanwhile(execute, sql, *rest):
        if 'FROM "payments_refund"' in sql and not given:
            thread = Thread(target=give)
            thread.start()
            thread.join()
        return execute(sql, *rest)

    client = client_of(support)
    with connection.execute_wrapper(meanwhile):
        [line] = told_in(lines_of(export(client, "csv")))
    assert given
    assert (line["Refunded"], line["Refunds"]) == ("0.00", "")
    [line] = told_in(lines_of(export(client, "csv")))
    assert line["Refunded"] == "500.00"
    assert line["Refunds"].startswith("500.00 (")


def test_it_is_in_the_log_who_took_how_much_along(client_of, support, book, caplog):
    with caplog.at_level("INFO", "project.common.admin.exporting"):
        lines_of(export(client_of(support), "csv", "?status__exact=paid"))
    assert f"{support.pk} took 2 rows of payments.Payment along" in caplog.text


@pytest.mark.parametrize("number", [2, 20])
def test_queries_of_a_table_do_not_grow(client_of, support, number, django_assert_num_queries):
    PaymentFactory.create_batch(number)
    client = client_of(support)
    # 1 session, 2 person, 3 their log-in, 4-5 their rights, 6 how many, 7 their keys, 8 they and their payers,
    # 9 refunds, 10 disputes.
    with django_assert_num_queries(10):
        lines_of(export(client, "csv"))
