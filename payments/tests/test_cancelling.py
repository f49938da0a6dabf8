"""A buyer who thinks better of it cancels the order."""

import pytest

from lms.models import Access
from payments.models import Payment, PaymentMove
from payments.tests.events import a_session, an_event
from payments.tests.factories import PaymentFactory
from payments.tests.sandbox import Fault
from payments.tests.shop import can_learn, events_of, session_of, the_payment

pytestmark = pytest.mark.django_db


@pytest.fixture
def cancel(api, learner):
    return lambda payment_id: api(learner).delete(f"payments/{payment_id}")


@pytest.mark.parametrize("method", ["cash", "transfer"])
def test_a_buyer_cancels_an_order_in_cash_or_by_transfer(cancel, learner, course, method):
    payment = PaymentFactory.create(payer=learner, course=course, method=method)
    assert [cancel(payment.pk).status_code for _ in range(2)] == [204, 204]
    assert the_payment().status == "cancelled"
    move = PaymentMove.objects.get()
    assert (move.from_status, move.to_status) == ("pending", "cancelled")
    assert (move.source, move.by) == ("buyer", learner)


def test_the_page_of_a_cancelled_order_is_closed(api, learner, buy, cancel, stripe_sandbox):
    page = buy().json()
    assert [cancel(page["id"]).status_code for _ in range(2)] == [204, 204]
    session = stripe_sandbox.sandbox.find("checkout.session", session_of(page))
    assert session["status"] == "expired"
    read = api(learner).get(f"payments/{page['id']}").json()
    assert (read["status"], read["payment_url"]) == ("cancelled", None)
    assert buy().status_code == 201


def test_what_stripe_tells_of_the_closed_page_changes_nothing_more(
    buy, cancel, deliver, stripe_sandbox
):
    cancel(buy().json()["id"])
    [event] = events_of(stripe_sandbox, "checkout.session.expired")
    assert deliver(event).status_code == 200
    assert the_payment().status == "cancelled"
    assert PaymentMove.objects.count() == 1


@pytest.mark.reported("An order whose page had expired at Stripe could not be cancelled: 500.")
def test_an_order_whose_page_has_run_out_at_stripe_is_cancelled(buy, cancel, stripe_sandbox):
    page = buy().json()
    stripe_sandbox.sandbox.advance(25 * 3600)
    assert cancel(page["id"]).status_code == 204
    assert the_payment().status == "cancelled"


@pytest.mark.parametrize("status", ["paid", "processing"])
def test_an_order_that_was_paid_meanwhile_is_not_cancelled_and_nothing_is_lost(
    api, learner, lesson, buy, cancel, stripe_sandbox, status
):
    page = buy().json()
    if status == "paid":
        stripe_sandbox.sandbox.pay(session_of(page))
    else:
        stripe_sandbox.sandbox.pay_later(session_of(page), succeeds=True)
    response = cancel(page["id"])
    assert (response.status_code, response.json()["code"]) == (409, "illegal_move")
    assert the_payment().status == status
    assert can_learn(api, learner, lesson) == (status == "paid")


@pytest.mark.parametrize("status", ["processing", "paid", "failed", "expired", "refunded"])
def test_only_a_pending_order_is_cancelled(cancel, learner, status):
    traits = {status: True} if status in {"paid", "refunded"} else {"status": status}
    payment = PaymentFactory.create(payer=learner, **traits)
    response = cancel(payment.pk)
    assert (response.status_code, response.json()["code"]) == (409, "illegal_move")
    assert response.json()["detail"] == "It is too late to cancel this order."
    assert the_payment().status == status


def test_while_stripe_does_not_answer_nothing_is_cancelled(buy, cancel, stripe_sandbox):
    page = buy().json()
    stripe_sandbox.api.faults.append(Fault("unavailable", "expire_session", times=3))
    assert cancel(page["id"]).status_code == 502
    assert the_payment().status == "pending"
    assert cancel(page["id"]).status_code == 204


def test_money_that_comes_for_a_cancelled_order_after_all_counts(
    api, learner, lesson, buy, cancel, deliver
):
    cancel(buy().json()["id"])
    session = a_session(the_payment(), status="complete", payment_status="paid")
    deliver(an_event("checkout.session.completed", session))
    assert the_payment().status == "paid"
    assert can_learn(api, learner, lesson)
    assert Access.objects.count() == 1


def test_an_order_that_has_no_page_yet_is_not_there(cancel, learner, course):
    half_made = PaymentFactory.create(payer=learner, course=course, method="stripe")
    assert cancel(half_made.pk).status_code == 404
    assert Payment.objects.get().status == "pending"
