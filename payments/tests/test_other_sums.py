"""Another sum came than was asked for: the buyer does not pay twice, and staff decide."""

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from payments.models import Finding, PaymentMove
from payments.services import refunds, staff
from payments.services.transitions import IllegalMove
from payments.tests.events import a_session, an_event
from payments.tests.factories import FindingFactory, PaymentFactory
from payments.tests.shop import can_learn, events_of, session_of, the_payment
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

REASON: dict[str, Any] = {"reason": "Tax of another country"}


@pytest.fixture
def pay_with_tax(buy, deliver, stripe_sandbox):
    """Buy and pay 398 roubles more than asked for, as a change in Stripe's dashboard may have it."""

    def pay():
        session_id = session_of(buy().json())
        session = stripe_sandbox.sandbox._kept["objects"][session_id]
        session["amount_total"] = 238_800
        stripe_sandbox.sandbox.pay(session_id)
        for event in events_of(stripe_sandbox):
            deliver(event)
        return the_payment()

    return pay


def test_staff_see_both_sums_at_once(pay_with_tax, client_of, administrator):
    payment = pay_with_tax()
    assert payment.awaits_decision
    assert (payment.amount, payment.received_amount) == (Decimal(1990), Decimal(2388))
    move = PaymentMove.objects.get()
    assert (move.to_status, move.source) == ("processing", "webhook")
    assert move.reason == "other sum: 2388.00 RUB, 1990.00 RUB"
    finding = Finding.objects.open().get()
    assert (finding.kind, finding.payment) == ("amount_differs", payment)
    for sum_of_it in ("₽1,990", "₽2,388"):
        assert sum_of_it in finding.detail
    address = reverse("admin:payments_payment_accept_amount", args=[payment.pk])
    page = client_of(administrator).get(address).content.decode()
    assert "₽2,388" in page
    assert "₽1,990" in page


def test_the_buyer_is_not_asked_to_pay_again(pay_with_tax, buy, api, learner, lesson):
    payment = pay_with_tax()
    again = buy()
    assert (again.status_code, again.json()["id"]) == (200, payment.pk)
    assert (again.json()["status"], again.json()["payment_url"]) == ("processing", None)
    assert not can_learn(api, learner, lesson)


def test_what_came_can_be_accepted(
    pay_with_tax, api, learner, lesson, client_of, administrator, stripe_sandbox, deliver
):
    payment = pay_with_tax()
    address = reverse("admin:payments_payment_accept_amount", args=[payment.pk])
    answer = client_of(administrator).post(address, REASON, follow=True)
    assert "The sum was accepted." in answer.content.decode()
    payment.refresh_from_db()
    assert (payment.status, payment.amount) == ("paid", Decimal(2388))
    assert can_learn(api, learner, lesson)
    assert not Finding.objects.open().exists()
    with pytest.raises(IllegalMove):
        staff.accept_amount(payment=payment, by=administrator, **REASON)
    # All of what came can be given back later.
    assert refunds.refund_payment(payment=payment, by=administrator, reason="Sorry").amount == 2388
    assert not can_learn(api, learner, lesson)


def test_what_came_can_be_given_back(
    pay_with_tax, api, learner, lesson, client_of, administrator, stripe_sandbox, buy
):
    payment = pay_with_tax()
    address = reverse("admin:payments_payment_refund", args=[payment.pk])
    answer = {**REASON, "typed": payment.payer.email}
    assert client_of(administrator).post(address, answer).status_code == 302
    [refund] = stripe_sandbox.sandbox.all("refund")
    assert refund["amount"] == 238_800
    payment.refresh_from_db()
    assert (payment.status, payment.refunded_amount) == ("refunded", Decimal(2388))
    assert not can_learn(api, learner, lesson)
    assert not Finding.objects.open().exists()
    assert buy().status_code == 201


@pytest.mark.parametrize(
    ("action", "expected"), [("accept_amount", "paid"), ("refund", "refunded")]
)
def test_staff_decide_beside_the_finding(
    pay_with_tax, client_of, administrator, action, expected, stripe_sandbox
):
    payment = pay_with_tax()
    finding = Finding.objects.get()
    client = client_of(administrator)
    address = reverse(f"admin:payments_finding_{action}", args=[finding.pk])
    shown = client.get(reverse("admin:payments_finding_change", args=[finding.pk])).text
    assert address in shown
    client.post(address, {**REASON, "typed": payment.payer.email})
    payment.refresh_from_db()
    finding.refresh_from_db()
    assert payment.status == expected
    settled = (finding.status, finding.settled_by, finding.settled_reason)
    assert settled == ("settled", administrator, REASON["reason"])
    page = client.get(reverse("admin:payments_payment_change", args=[payment.pk])).text
    assert "Created: ₽1,990, Stripe" in page
    assert (
        address not in client.get(reverse("admin:payments_finding_change", args=[finding.pk])).text
    )


def test_what_was_asked_for_is_what_the_first_doubt_about_the_sum_says():
    payment = PaymentFactory.create(paid=True, received_amount=5, received_currency="USD")
    FindingFactory.create(payment=payment, kind="stripe_says_otherwise")
    for ours in (["7.00", "EUR"], ["5.00", "USD"]):
        params = {"ours": ours, "theirs": ["1.00", "EUR"]}
        reference = f"payment:{ours}"
        FindingFactory.create(
            payment=payment, kind="amount_differs", params=params, reference=reference
        )
    assert payment.shown_asked == "€7"


def test_beside_other_findings_nobody_refunds(client_of, administrator):
    paid = PaymentFactory.create(paid=True)
    finding = FindingFactory.create(kind="paid_twice", payment=paid)
    address = reverse("admin:payments_finding_refund", args=[finding.pk])
    client_of(administrator).post(address, REASON)
    paid.refresh_from_db()
    assert paid.status == "paid"


def test_staff_get_a_mail_and_see_it_in_the_payment_s_life(
    pay_with_tax, administrator, client_of, mailoutbox
):
    payment = pay_with_tax()
    deliver_mail()
    [message] = mailoutbox
    assert message.to == [administrator.email]
    assert message.subject == "Another amount came for “Bread”"
    for text in (message.body, message.alternatives[0][0]):
        for told in ("₽1,990", "₽2,388", payment.payer.email):
            assert told in text
    page = client_of(administrator).get(f"/admin/payments/payment/{payment.pk}/change/").text
    assert f"Email “another amount came” to {administrator.email}: sent" in page


def test_what_was_decided_is_no_mail(pay_with_tax, administrator, mailoutbox):
    payment = pay_with_tax()
    staff.accept_amount(payment=payment, by=administrator, **REASON)
    deliver_mail()
    assert {message.to[0] for message in mailoutbox} == {payment.payer.email}


def test_a_refund_in_the_dashboard_of_another_sum_is_understood(
    pay_with_tax, stripe_sandbox, deliver
):
    payment = pay_with_tax()
    stripe_sandbox.sandbox.create_refund({"payment_intent": payment.payment_intent_id})
    for event in events_of(stripe_sandbox, "refund"):
        deliver(event)
    assert the_payment().status == "refunded"


@pytest.mark.parametrize("status", ["pending", "expired", "failed", "processing"])
def test_another_currency_is_kept_as_well(deliver, learner, course, status):
    payment = PaymentFactory.create(
        payer=learner, course=course, method="stripe", status=status, session_id="cs_1"
    )
    paid = {"status": "complete", "payment_status": "paid", "payment_intent": "pi_1"}
    deliver(an_event("checkout.session.completed", a_session(payment, currency="usd", **paid)))
    payment.refresh_from_db()
    assert payment.awaits_decision
    assert (payment.received_amount, payment.received_currency) == (Decimal(1990), "USD")
    assert payment.status == ("failed" if status == "failed" else "processing")
    staff.accept_amount(payment=payment, by=course.owner, **REASON)
    payment.refresh_from_db()
    assert (payment.status, payment.amount, payment.currency) == ("paid", Decimal(1990), "USD")


@pytest.mark.parametrize(
    "said", [{}, {"status": "expired"}, {"status": "complete", "payment_intent": "pi_1"}]
)
def test_a_page_with_another_sum_that_nobody_paid_changes_nothing(deliver, learner, course, said):
    payment = PaymentFactory.create(
        payer=learner, course=course, method="stripe", session_id="cs_1"
    )
    deliver(an_event("checkout.session.expired", a_session(payment, amount_total=1, **said)))
    payment.refresh_from_db()
    assert (payment.status, payment.received_amount) == ("pending", None)
    with pytest.raises(IllegalMove):
        staff.accept_amount(payment=payment, by=learner, **REASON)


@pytest.mark.parametrize("unknown", [{"amount_total": None}, {"currency": "xts"}])
def test_a_sum_that_we_cannot_read_is_found_and_keeps_the_buyer_from_paying_again(
    deliver, learner, course, unknown, buy, api, lesson
):
    payment = PaymentFactory.create(
        payer=learner, course=course, method="stripe", session_id="cs_1"
    )
    paid = {"status": "complete", "payment_status": "paid", "payment_intent": "pi_1"}
    deliver(an_event("checkout.session.completed", a_session(payment, **paid | unknown)))
    payment.refresh_from_db()
    assert (payment.status, payment.received_amount) == ("processing", None)
    detail = Finding.objects.open().get().detail
    assert detail == "The amount is ₽1,990 here and — at Stripe."
    assert buy().json()["id"] == payment.pk
    assert not can_learn(api, learner, lesson)


def test_a_paid_payment_is_not_doubted_by_another_sum(deliver, learner, course):
    payment = PaymentFactory.create(
        payer=learner, course=course, method="stripe", paid=True, session_id="cs_1"
    )
    paid = {"status": "complete", "payment_status": "paid", "payment_intent": "pi_1"}
    deliver(an_event("checkout.session.completed", a_session(payment, amount_total=1, **paid)))
    payment.refresh_from_db()
    assert (payment.status, payment.received_amount) == ("paid", None)
    assert Finding.objects.open().get().kind == "amount_differs"
