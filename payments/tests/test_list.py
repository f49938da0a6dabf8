"""The list of payments in the admin: what its rows come to, how it is sorted, what finds them."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from payments.models import DisputeStatus, Payment, PaymentStatus, RefundStatus
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:payments_payment_changelist")
SUMS = reverse("admin:payments_payment_sums")
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def told(client, query="", language="en"):
    """The figures of each currency by their labels, and how many rows there are."""
    client.post(reverse("set_language"), {"language": language})
    response = client.get(SUMS + query)
    assert response.status_code == 200
    text = response.text.replace(NO_BREAK_SPACE, " ")
    lines = [
        dict(re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", line))
        for line in text.split("<dl>")[1:]
    ]
    [number] = re.findall(r'class="parta-sums-number">\s*.*?([\d,\s]+?)\s*</p>', text)
    return lines, number.strip()


# --- Sums -------------------------------------------------------------------------------------


def test_the_list_sums_what_came_went_back_and_waits(client_of, administrator):
    PaymentFactory.create(paid=True, amount=Decimal("1000.10"))
    partly = PaymentFactory.create(paid=True, amount=Decimal("2000.00"))
    RefundFactory.create(payment=partly, amount=Decimal("500.00"))
    RefundFactory.create(payment=partly, amount=Decimal("300.00"), status=RefundStatus.REQUESTED)
    Payment.objects.filter(pk=partly.pk).update(refunded_amount=Decimal("500.00"))
    PaymentFactory.create(
        refunded=True, amount=Decimal("300.00"), refunded_amount=Decimal("300.00")
    )
    disputed = PaymentFactory.create(paid=True, method="stripe", amount=Decimal("400.00"))
    DisputeFactory.create(payment=disputed, status=DisputeStatus.LOST)
    DisputeFactory.create(payment=disputed, status=DisputeStatus.WON)
    PaymentFactory.create(amount=Decimal("70.00"))
    PaymentFactory.create(status=PaymentStatus.FAILED, amount=Decimal("9.00"))
    PaymentFactory.create(paid=True, currency="EUR", amount=Decimal("5.50"))
    lines, number = told(client_of(administrator))
    assert number == "7"
    assert lines == [
        {
            "Paid · 1": "€5.50",
            "Refunded": "€0",
            "Lost in disputes": "€0",
            "Net": "€5.50",
            "Awaiting payment · 0": "€0",
        },
        {
            "Paid · 4": "₽3,700.10",
            "Refunded": "-₽800",
            "Lost in disputes": "-₽400",
            "Net": "₽2,500.10",
            "Awaiting payment · 1": "₽70",
        },
    ]


def test_the_sums_are_of_what_is_filtered_and_searched_on_all_pages(
    client_of, administrator, monkeypatch
):
    anna = UserFactory.create(first_name="Zebedee")
    for amount in (1, 2):
        PaymentFactory.create(paid=True, amount=amount, payer=anna)
    PaymentFactory.create(paid=True, amount=4, payer=anna, method="transfer")
    PaymentFactory.create(paid=True, amount=8)
    client = client_of(administrator)
    for query, paid in (
        ("", "₽15"),
        ("?q=zebedee", "₽7"),
        ("?method__exact=cash", "₽11"),
        ("?q=zebedee&method__exact=cash&p=9&o=-1", "₽3"),
    ):
        [line], number = told(client, query)
        assert line[f"Paid · {number}"] == paid, query
    assert told(client, "?q=nobody") == ([], "0")
    assert told(client, "?paid_at_from=nonsense") == ([], "0")
    assert client.get(f"{SUMS}?course__id__exact=x").status_code == 400
    page = client.get(f"{LIST}?q=zebedee&method__exact=cash").text
    assert f'data-url="{SUMS}?q=zebedee&amp;method__exact=cash"' in page


def test_sums_are_exact_however_large(client_of, administrator):
    """Floating-point numbers are not: SQLite would lose cents of such sums."""
    payment = PaymentFactory.create(paid=True, amount=Decimal("0.01"))
    Payment.objects.bulk_create(
        PaymentFactory.build(
            paid=True, payer=payment.payer, course=payment.course, amount=Decimal("9999999999.99")
        )
        for _time in range(300)
    )
    [line], _number = told(client_of(administrator))
    assert line["Net"] == "₽2,999,999,999,997.01"


@pytest.mark.any_database
def test_the_sums_are_for_those_who_see_the_list(client_of, support, moderator):
    PaymentFactory.create(paid=True)
    assert told(client_of(support))[1] == "1"
    assert client_of(moderator).get(SUMS).status_code == 403


@pytest.mark.any_database
def test_sums_are_written_as_the_language_does_it(client_of, administrator):
    PaymentFactory.create(paid=True, amount=Decimal("1234.50"))
    [line], _number = told(client_of(administrator), language="ru")
    assert line["Оплачено · 1"] == "1 234,50 ₽"


def test_the_sums_ask_few_queries(client_of, administrator, django_assert_max_num_queries):
    client = client_of(administrator)
    PaymentFactory.create_batch(2, paid=True)
    client.get(SUMS)
    with django_assert_max_num_queries(6):
        client.get(SUMS)


# --- Order ------------------------------------------------------------------------------------


def in_order(client, query):
    response = client.get(LIST + query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def column(client, name):
    """The number by which an address sorts by this column."""
    return client.get(LIST).context["cl"].list_display.index(name)


def test_the_list_is_sorted_by_paid_day_and_what_is_not_paid_comes_last(client_of, administrator):
    client, now = client_of(administrator), timezone.now()
    waiting = [PaymentFactory.create(), PaymentFactory.create()]
    late = PaymentFactory.create(paid=True)
    early = PaymentFactory.create(paid=True, paid_at=now - timedelta(days=1))
    number = column(client, "paid_day")
    assert in_order(client, f"?o={number}") == [early, late, *waiting]
    assert in_order(client, f"?o=-{number}") == [late, early, *reversed(waiting)]


def test_the_list_is_sorted_by_last_name_then_first(client_of, administrator):
    client = client_of(administrator)
    people = [("Boris", "Orlov"), ("Anna", "Orlova"), ("Anna", "Orlov"), ("Zoe", "Adams")]
    boris, orlova, anna, zoe = (
        PaymentFactory.create(payer=UserFactory.create(first_name=first, last_name=last))
        for first, last in people
    )
    again = PaymentFactory.create(payer=anna.payer)
    number = column(client, "payer_shown")
    assert in_order(client, f"?o={number}") == [zoe, anna, again, boris, orlova]
    assert in_order(client, f"?o=-{number}") == [orlova, boris, again, anna, zoe]


def test_the_list_is_sorted_by_amount_then_by_others(client_of, administrator):
    client = client_of(administrator)
    day = timezone.now() - timedelta(days=1)
    dear, cheap, early = (
        PaymentFactory.create(amount=2),
        PaymentFactory.create(amount=1, paid=True),
        PaymentFactory.create(amount=1, paid=True, paid_at=day),
    )
    amount, paid = column(client, "amount_shown"), column(client, "paid_day")
    assert in_order(client, f"?o={amount}") == [cheap, early, dear]
    assert in_order(client, f"?o=-{amount}") == [dear, early, cheap]
    assert in_order(client, f"?o={amount}.{paid}") == [early, cheap, dear]
    for nonsense in ("99", "-99", "x", "", f"{amount}.x"):
        assert len(in_order(client, f"?o={nonsense}")) == 3


# --- Search -----------------------------------------------------------------------------------


def found(client, text):
    return set(client.get(LIST, {"q": text}).context["cl"].queryset)


AMOUNTS = ["4900", "4 900,00", "4,900.00", "4\N{NO-BREAK SPACE}900,00\N{NO-BREAK SPACE}₽", "4900 ₽"]
AMOUNTS += ["RUB 4,900.00", "4900 руб.", "4'900".replace("'", "."), "4900,0"]


@pytest.mark.parametrize("text", AMOUNTS)
def test_an_amount_is_found_in_any_spelling(client_of, administrator, text):
    payment = PaymentFactory.create(amount=4900)
    PaymentFactory.create(amount=Decimal("4900.50"))
    PaymentFactory.create(amount=490)
    assert found(client_of(administrator), text) == {payment}


@pytest.mark.any_database
def test_an_amount_with_kopecks_is_found_and_nonsense_is_not(client_of, administrator):
    payment = PaymentFactory.create(amount=Decimal("4900.50"))
    client = client_of(administrator)
    for text in ("4900.50", "4 900,5"):
        assert found(client, text) == {payment}
    for text in ("4900.505", "4900,", "9" * 30, "99999999999", "₽", "4900 bread"):
        assert found(client, text) == set(), text


def test_a_number_is_found_as_people_write_it(client_of, administrator):
    payment = PaymentFactory.create()
    PaymentFactory.create(amount=payment.pk)
    client = client_of(administrator)
    for text in (f"№{payment.pk}", f"#{payment.pk}", f"№ {payment.pk}"):
        assert found(client, text) == {payment}
    assert payment in found(client, str(payment.pk))
    assert found(client, "#" + "9" * 30) == set()


def test_what_bank_and_stripe_call_it_is_found(client_of, administrator):
    payment = PaymentFactory.create(bank_reference="PP 77/12", paid=True, method="stripe")
    RefundFactory.create(payment=payment, refund_id="re_3PqX")
    DisputeFactory.create(payment=payment, dispute_id="dp_1Q")
    Payment.objects.filter(pk=payment.pk).update(payment_intent_id="pi_5Z")
    PaymentFactory.create()
    client = client_of(administrator)
    for text in ("PP 77/12", "re_3PqX", "dp_1Q", "pi_5Z"):
        assert found(client, text) == {payment}, text
    assert found(client, "re_3") == set()


@pytest.mark.any_database
def test_the_palette_finds_by_the_same(client_of, administrator):
    payment = PaymentFactory.create(amount=4900)
    page = reverse("admin:payments_payment_change", args=[payment.pk])
    for text in ("4 900,00", f"№{payment.pk}"):
        assert page in client_of(administrator).get(reverse("admin:search"), {"s": text}).text
