"""What meets after the payment: two of the staff, Stripe and the buyer, an order and a deletion."""

from decimal import Decimal
from functools import partial

import pytest

from lms.models import Access, Course
from lms.services import authoring
from payments.models import (
    Dispute,
    Finding,
    LedgerEntry,
    Payment,
    PaymentMove,
    Refund,
    StripeEvent,
)
from payments.provider.types import ProviderUnavailable
from payments.services import books, catching_up, refunds, staff, transitions
from payments.services.transitions import IllegalMove
from payments.tests.events import a_dispute, a_refund, an_event
from payments.tests.factories import PaymentFactory
from payments.tests.shop import events_of, session_of, the_payment
from project.tests.races import LIMIT, at_once, meanwhile

pytestmark = pytest.mark.django_db(transaction=True)

BUSY = (refunds.RefundUnanswered, refunds.TooMuch, IllegalMove, ProviderUnavailable)


@pytest.fixture(autouse=True)
def patient(stripe_settings):
    """On a busy machine Stripe may take its time."""
    stripe_settings.STRIPE_TIMEOUT = (LIMIT, LIMIT)


def refund(administrator, **changes):
    mine = the_payment()
    return refunds.refund_payment(payment=mine, by=administrator, reason="asked to", **changes)


def access_follows():
    """Whoever paid may learn, and nobody else; nothing is left for the night to find."""
    given = set(Access.objects.active().values_list("reference", flat=True))
    assert given == {payment.reference for payment in Payment.objects.giving_access()}
    return {found.kind.value for found in books.find_in_books()}


@pytest.mark.parametrize(
    "amounts", [("1500", "1000"), ("1000", "1500"), ("1500", None), ("990", "1000")]
)
def test_parts_that_two_refund_at_once_are_never_more_than_was_paid(
    bought, administrator, stripe_sandbox, amounts
):
    at_once(
        *[partial(refund, administrator, amount=amount and Decimal(amount)) for amount in amounts],
        before_writing=Refund,
        refused=BUSY,
    )
    payment = the_payment()
    made = stripe_sandbox.sandbox.all("refund")
    assert 0 < sum(one["amount"] for one in made) == payment.refunded_amount * 100 <= 199_000
    assert payment.refunds.filter(status="succeeded").total() == payment.refunded_amount
    assert access_follows() == set()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_refund_and_a_dispute_at_once_leave_both_or_the_dispute(
    bought, administrator, stripe_sandbox, deliver, is_first
):
    dispute = an_event("charge.dispute.created", a_dispute(bought))
    acts = [partial(refund, administrator), lambda: deliver(dispute).status_code]
    at_once(
        *(acts if is_first else reversed(acts)),
        before_writing=PaymentMove,
        refused=(refunds.PaymentDisputed,),
    )
    assert Dispute.objects.get().status == "needs_response"
    made = stripe_sandbox.sandbox.all("refund")
    assert Refund.objects.filter(status="succeeded").count() == len(made)
    assert the_payment().status == ("refunded" if made else "paid")
    assert access_follows() == set()


def test_two_checks_and_a_decision_at_once_post_what_is_missing_once(administrator):
    """A process of the release before the ledger had posted nothing."""
    payment = PaymentFactory.create(paid=True)
    LedgerEntry.objects.all().delete()
    repair = partial(transitions.post_again, payment.pk)
    give_back = partial(refund, administrator, amount=Decimal(500))
    at_once(repair, give_back, repair, before_writing=LedgerEntry)
    assert sorted(LedgerEntry.objects.values_list("amount", flat=True)) == [-500, 1990]


@pytest.mark.parametrize("is_first", [True, False])
def test_cash_that_is_confirmed_and_cancelled_at_once_counts(
    api, learner, administrator, course, is_first
):
    payment = PaymentFactory.create(payer=learner, course=course)
    acts = [
        partial(staff.confirm_payment, payment=payment, by=administrator, reason="Till"),
        lambda: api(learner).delete(f"payments/{payment.pk}").status_code,
    ]
    at_once(*(acts if is_first else reversed(acts)), before_writing=PaymentMove)
    assert the_payment().status == "paid"
    assert access_follows() == set()


def test_an_event_that_the_webhook_and_the_nightly_look_bring_at_once_counts_once(
    buy, stripe_sandbox, deliver
):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    [event] = events_of(stripe_sandbox)
    answer, look = at_once(
        lambda: deliver(event).status_code, catching_up.catch_up, before_writing=StripeEvent
    )
    assert (answer, look.missed in {0, 1}) == (200, True)
    assert StripeEvent.objects.filter(event_id=event["id"]).count() == 1
    assert PaymentMove.objects.filter(to_status="paid").count() == 1
    assert access_follows() == set()


@pytest.mark.parametrize("is_first", [True, False])
def test_of_another_sum_that_one_accepts_and_one_refunds_the_money_is_where_the_books_say(
    buy, stripe_sandbox, deliver, administrator, is_first
):
    session_id = session_of(buy().json())
    stripe_sandbox.sandbox._kept["objects"][session_id]["amount_total"] = 238_800
    stripe_sandbox.sandbox.pay(session_id)
    for event in events_of(stripe_sandbox):
        deliver(event)
    accept = partial(staff.accept_amount, payment=the_payment(), by=administrator, reason="Tax")
    acts = [accept, partial(refund, administrator)]
    at_once(
        *(acts if is_first else reversed(acts)), before_writing=PaymentMove, refused=(IllegalMove,)
    )
    payment = the_payment()
    assert (payment.status, payment.amount, payment.refunded_amount) == ("refunded", 2388, 2388)
    [made] = stripe_sandbox.sandbox.all("refund")
    assert made["amount"] == 238_800
    assert access_follows() == set()
    assert not Finding.objects.open().exists()


# --- Deleting what is being paid for ------------------------------------------------------------


@pytest.mark.parametrize("is_first", [True, False])
def test_a_course_is_ordered_or_deleted(api, learner, administrator, course, is_first):
    """An order of yesterday is no obstacle."""
    PaymentFactory.create(course=course, status="expired")
    body = {"course_id": course.pk, "method": "cash"}
    acts = [
        lambda: api(learner).post("payments", body).status_code,
        lambda: api(administrator).delete(f"courses/{course.pk}").status_code,
    ]
    answers = at_once(*(acts if is_first else reversed(acts)), before_writing=Payment)
    ordered, deleted = answers if is_first else reversed(answers)
    assert (ordered, deleted) in {(201, 409), (404, 204)}
    assert Course.objects.exists() == Payment.objects.filter(status="pending").exists()


@pytest.mark.postgresql
@pytest.mark.parametrize("what", ["course", "lesson"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_refund_that_fails_and_a_deletion_wait_for_each_other(
    lesson, learner, administrator, deliver, what, is_first
):
    place = {"course": lesson.course} if what == "course" else {"course": None, "lesson": lesson}
    payment = PaymentFactory.create(
        payer=learner, method="stripe", paid=True, payment_intent_id="pi_1", **place
    )
    told = a_refund(payment, id="re_1", status="succeeded")
    deliver(an_event("refund.created", told))
    event = an_event("refund.failed", told | {"status": "failed", "failure_reason": "unknown"})
    acts = [
        lambda: deliver(event).status_code,
        partial(authoring.delete_course, course=lesson.course, by=administrator),
    ]
    first, second, waited = meanwhile(*(acts if is_first else reversed(acts)))
    assert waited
    payment.refresh_from_db()
    assert payment.status == "paid"
    if is_first:
        assert (first, type(second)) == (200, authoring.HasPayments)
        assert payment.target
    else:
        assert (first, second, payment.target) == (None, 200, None)
        kinds = set(Finding.objects.open().values_list("kind", flat=True))
        assert kinds == {"refund_failed", "paid_for_deleted"}
    assert access_follows() <= {"refund_failed", "paid_for_deleted"}


@pytest.fixture(params=[199_000, 238_800])
def late_event(buy, stripe_sandbox, request):
    """Money is on its way, or another sum came, for an order that was given up."""
    session = session_of(buy().json())
    Payment.objects.update(status="expired")
    sandbox = stripe_sandbox.sandbox
    if request.param == 199_000:
        sandbox.pay_later(session, succeeds=True)
    else:
        sandbox.pay(session)
    [event] = events_of(stripe_sandbox)
    event["data"]["object"]["amount_total"] = request.param
    return event


def test_an_order_that_is_placed_while_an_old_one_s_money_is_heard_of_stands(
    late_event, buy, deliver
):
    told, bought = at_once(
        lambda: deliver(late_event).status_code,
        lambda: buy().status_code,
        before_writing=PaymentMove,
    )
    assert (told, bought in {200, 201}) == (200, True)
    assert Payment.objects.filter(status__in=["pending", "processing"]).count() == 1
    assert bought == 200 or Finding.objects.open().exists()


@pytest.mark.postgresql
def test_who_orders_while_an_old_order_s_money_is_heard_of_gets_that_order(
    late_event, buy, deliver
):
    told, bought, waited = meanwhile(lambda: deliver(late_event), buy)
    assert (told.status_code, bought.status_code, waited) == (200, 200, True)
    assert the_payment().status == bought.json()["status"] == "processing"
