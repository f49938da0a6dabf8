"""The page of a payment, and of what hangs on it: the money first, then what can be done, its life, its
figures; what only Stripe knows comes last."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from payments.models import ClosedMonth, Payment, StripeEvent
from payments.services import staff
from payments.tests.factories import (
    DisputeFactory,
    FindingFactory,
    LedgerEntryFactory,
    PaymentFactory,
    RefundFactory,
)
from people.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def page(row):
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return reverse(name, args=[row.pk])


def shown(client, row, language="en"):
    client.post(reverse("set_language"), {"language": language})
    response = client.get(page(row))
    assert response.status_code == 200
    return response.text.replace("\N{NO-BREAK SPACE}", " ")


def head_of(text):
    return text[text.index("parta-head") :].split("</section>")[0]


def test_the_page_begins_with_amount_state_payer_and_thing(client_of, administrator):
    payment = PaymentFactory.create(amount=4900, paid=True, method="transfer")
    RefundFactory.create(payment=payment, amount=Decimal("900.00"))
    Payment.objects.filter(pk=payment.pk).update(refunded_amount=Decimal("900.00"))
    head = head_of(shown(client_of(administrator), payment))
    told = ["₽4,900", "paid", f'href="{page(payment.payer)}"', payment.payer.email]
    told += [
        f'href="{page(payment.course)}"',
        payment.title,
        "transfer",
        "₽900",
        "₽4,000 is left",
    ]
    places = [head.index(words) for words in told]
    assert places == sorted(places)


def test_what_a_dispute_took_is_not_left(client_of, administrator):
    payment = PaymentFactory.create(amount=4900, paid=True, method="stripe")
    DisputeFactory.create(payment=payment, amount=4900, status="lost")
    head = head_of(shown(client_of(administrator), payment))
    assert head.index("Lost in disputes") < head.index("₽0 is left")


def test_then_come_what_can_be_done_its_life_its_details_and_stripes_words(
    client_of, administrator
):
    payment = PaymentFactory.create(paid=True, method="stripe", session_id="cs_test_9")
    StripeEvent.objects.create(
        event_id="evt_9",
        type="charge.updated",
        payment=payment,
        outcome="",
        happened_at=timezone.now(),
    )
    text = shown(client_of(administrator), payment)
    refund = reverse("admin:payments_payment_refund", args=[payment.pk])
    order = ["parta-head", refund, "Payment timeline", "Details", "evt_9"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert text.count(f'href="{refund}"') == 1
    assert re.search(r"<details[^>]*>\s*<summary[^>]*>Stripe events \(1\)", text)


def test_the_head_says_what_is_wrong(client_of, administrator):
    disputed = PaymentFactory.create(paid=True, method="stripe")
    DisputeFactory.create(payment=disputed)
    other_sum = PaymentFactory.create(
        method="stripe", status="processing", received_amount=5, received_currency="RUB"
    )
    client = client_of(administrator)
    assert "disputed" in head_of(shown(client, disputed))
    assert "another sum came: ₽5" in head_of(shown(client, other_sum))
    gone = PaymentFactory.create(status="failed")
    Payment.objects.filter(pk=gone.pk).update(course=None)
    assert "deleted since" in head_of(shown(client, gone))


def test_the_head_leads_only_where_one_may_go(client_of):
    payment = PaymentFactory.create()
    accountant = UserFactory.create(is_staff=True)
    accountant.user_permissions.set(Permission.objects.filter(codename="view_payment"))
    head = head_of(shown(client_of(accountant), payment))
    assert payment.payer.email in head
    assert page(payment.payer) not in head
    assert page(payment.course) not in head


def test_the_life_says_what_the_bank_calls_it_and_in_which_month_it_counts(
    client_of, administrator
):
    ClosedMonth.objects.create(month=date(2026, 10, 1))
    payment = PaymentFactory.create(method="transfer")
    day = timezone.localdate() - timedelta(days=1)
    staff.confirm_payment(
        payment=payment, by=administrator, reason="Statement", day=day, bank_reference="PP 77"
    )
    LedgerEntryFactory.create(payment=payment, day=date(2026, 10, 3), amount=-5, kind="refund")
    client = client_of(administrator)
    life = shown(client, payment).split('id="timeline"')[1]
    assert "Bank reference: PP 77" in life
    assert "In the ledger: -₽5 (refund) on Oct. 3, 2026" in life
    assert "counts in November 2026" in life
    russian = shown(client, payment, "ru")
    assert re.search(r"Проводка: -5 ₽ \(возврат\), 3 октября 2026", russian)


def test_pages_of_refunds_disputes_and_findings_begin_with_the_money_and_lead_to_the_payment(
    client_of, administrator
):
    client = client_of(administrator)
    for row, first in (
        (RefundFactory.create(), "₽500"),
        (DisputeFactory.create(), "₽1,990"),
        (FindingFactory.create(payment=PaymentFactory.create()), "paid"),
    ):
        head = head_of(shown(client, row))
        assert first in head
        assert f'href="{page(row.payment)}"' in head
        assert row.payment
        assert row.payment.payer.email in head
