"""Buying while Stripe is in trouble: whatever breaks, nobody sees half a payment or two pages."""

from decimal import Decimal

import pytest

from lms.models import Course
from payments.models import AutomaticReason, Payment, PaymentMethod, PaymentMove
from payments.provider.types import ProviderUnavailable
from payments.services import checkout, purchase
from payments.tests.factories import PaymentFactory
from payments.tests.sandbox import Fault
from payments.tests.shop import session_of, the_payment
from project.common.frontend import payment_page

pytestmark = pytest.mark.django_db

CREATIONS = ["create_product", "create_price", "create_session"]


@pytest.mark.parametrize("operation", CREATIONS)
@pytest.mark.parametrize(
    ("kind", "times"),
    [
        ("error", 1),
        ("unavailable", 3),
        ("rate_limit", 1),
        ("garbage", 1),
        ("drop", 3),
    ],
)
def test_trouble_at_stripe_leaves_nothing_half_made_and_a_second_try_succeeds(
    api, learner, administrator, buy, stripe_sandbox, operation, kind, times
):
    stripe_sandbox.api.faults.append(Fault(kind, operation, times=times, seconds=1.5))
    beside = PaymentFactory.create(method="stripe", payer=learner)
    failed = buy()
    assert (failed.status_code, failed.json()["code"]) == (502, "payment_provider_error")
    for reader in (learner, administrator):
        assert api(reader).get("payments").json()["count"] == 0
    assert api(learner).get("users/me").json()["payments"] == []
    # New keys only where Stripe kept the failure under the old ones, and would say it again.
    half_made = Payment.objects.exclude(pk=beside.pk).get()
    assert half_made.attempt == (2 if kind == "error" else 1)
    stripe_sandbox.api.faults.clear()
    again = buy()
    assert again.status_code == 201, again.content
    assert again.json()["id"] == half_made.pk
    sessions = stripe_sandbox.sandbox.all("checkout.session")
    assert [session["id"] for session in sessions] == [session_of(again.json())]
    beside.refresh_from_db()
    assert (beside.attempt, beside.session_id) == (1, "")


def test_what_was_shown_to_nobody_is_new_to_who_goes_on_with_a_key(
    api, learner, course, stripe_sandbox
):
    half_made = PaymentFactory.create(
        payer=learner, course=course, method="stripe", amount=course.price
    )
    body, key = {"course_id": course.pk, "method": "stripe"}, {"Idempotency-Key": "one"}
    answers = [api(learner).post("payments", body, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert {answer.json()["id"] for answer in answers} == {half_made.pk}


@pytest.mark.parametrize("operation", CREATIONS)
def test_an_answer_that_comes_too_late_leads_to_no_second_session(buy, stripe_sandbox, operation):
    stripe_sandbox.api.faults.append(Fault("stall", operation, seconds=1.2))
    assert buy().status_code in {201, 502}
    payment = buy().json()
    sessions = stripe_sandbox.sandbox.all("checkout.session")
    assert [session["id"] for session in sessions] == [session_of(payment)]


def test_a_buyer_who_changes_their_address_between_two_tries_gets_a_page(
    learner, buy, stripe_sandbox
):
    """Stripe refuses one key for two orders: the next try has another."""
    stripe_sandbox.api.faults.append(Fault("garbage", "create_session", times=1))
    buy()
    learner.email = "new@school.example"
    learner.save()
    assert buy().status_code == 502
    assert the_payment().attempt == 2
    page = buy()
    assert page.status_code == 201
    session = stripe_sandbox.sandbox.find("checkout.session", session_of(page.json()))
    assert session["customer_email"] == "new@school.example"


def test_an_amount_that_stripe_does_not_take_is_said_to_be_none(api, buy, learner, stripe_sandbox):
    Course.objects.update(price=Decimal("1000000.00"))
    for _time in range(2):
        answer = buy()
        assert (answer.status_code, answer.json()["code"]) == (409, "unchargeable_amount")
    assert api(learner).get("payments").json()["count"] == 0
    assert stripe_sandbox.sandbox.all("checkout.session") == []


@pytest.fixture
def order(learner, course, monkeypatch):
    """The learner's order through the service; `meanwhile` is done while Stripe is on its way."""

    wanted = purchase.Order(course_id=course.pk, lesson_id=None, method=PaymentMethod.STRIPE)

    def place(meanwhile=lambda: None):
        with monkeypatch.context() as patch:

            def on_the_way(payment_id):
                patch.undo()
                meanwhile()
                return payment_page(payment_id)

            patch.setattr(checkout, "payment_page", on_the_way)
            return purchase.request_payment(user=learner, order=wanted)

    return place


def test_a_page_that_a_parallel_request_made_first_is_the_one(order, stripe_sandbox):
    faster = []
    payment, is_new = order(lambda: faster.append(order()))
    assert (faster, is_new) == ([(payment, True)], False)
    (session,) = stripe_sandbox.sandbox.all("checkout.session")
    assert payment.payment_url == faster[0][0].payment_url == session["url"]


def test_a_page_that_comes_after_its_payment_was_closed_is_shown_to_nobody(order, stripe_sandbox):
    def ask_at_another_price():
        Course.objects.update(price=5)
        order()

    closed, is_new = order(ask_at_another_price)
    opened = Payment.objects.get(status="pending")
    assert (closed.status, closed.session_id, closed.payment_url) == ("expired", "", None)
    assert not is_new
    assert Payment.objects.get(pk=closed.pk).session_id == ""
    move = PaymentMove.objects.get()
    assert (move.payment, move.source, move.reason) == (
        closed, "checkout", AutomaticReason.PAGE_NEVER_MADE,
    )  # fmt: skip
    assert opened.payment_url in {
        session["url"] for session in stripe_sandbox.sandbox.all("checkout.session")
    }


def test_two_requests_that_hear_of_the_same_old_failure_change_the_keys_once(order, stripe_sandbox):
    stripe_sandbox.api.faults.append(Fault("error", "create_product"))

    def fail():
        with pytest.raises(ProviderUnavailable):
            order()

    with pytest.raises(ProviderUnavailable):
        order(fail)
    assert the_payment().attempt == 2
    assert order()[1]


def test_no_key_is_no_payment_and_503(api, learner, course, settings):
    settings.STRIPE_API_KEY = ""
    response = api(learner).post("payments", {"course_id": course.pk, "method": "stripe"})
    assert response.status_code == 503
    assert api(learner).get("payments").json()["count"] == 0


def test_a_key_given_after_a_failure_gets_its_first_answer_again(
    api, learner, course, buy, stripe_sandbox
):
    stripe_sandbox.api.faults.append(Fault("rate_limit", "create_session", times=1))
    assert buy().status_code == 502
    stripe_sandbox.api.faults.clear()
    body = {"course_id": course.pk, "method": "stripe"}
    key = {"Idempotency-Key": "one"}
    answers = [api(learner).post("payments", body, headers=key) for _ in range(3)]
    assert {answer.status_code for answer in answers[1:]} == {answers[0].status_code} == {201}
