"""Two tabs, two webhooks, two workers at once: on the database, with real threads."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone
from pytest_django import Settings

from lms.models import Access, Course, Lesson, Subscription
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import (
    IdempotencyKey,
    MoveSource,
    Payment,
    PaymentMove,
    Refund,
    StripeEvent,
    StripeOutcome,
    StripePrice,
)
from payments.provider import stripe
from payments.provider.types import ProviderUnavailable
from payments.services import purchase, reconciliation, refunds, staff, stripe_events, transitions
from payments.services.importing import loading
from payments.services.importing.rows import Row
from payments.stripe_sandbox.webhooks import signed
from payments.tests.factories import PaymentFactory
from payments.tests.sandbox import Fault
from project.tests.races import LIMIT, at_once, elsewhere, meanwhile, statuses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def ledger_follows(transactional_db):
    """Whoever was first, each movement of money is posted once."""
    yield
    assert not Payment.objects.unlike_ledger().exists()


@pytest.fixture
def course():
    return CourseFactory.create(published=True, price=100)


@pytest.fixture
def patient(stripe_sandbox, settings: Settings):
    """On a busy machine Stripe may take its time."""
    settings.STRIPE_TIMEOUT = (LIMIT, LIMIT)
    return stripe_sandbox


@pytest.fixture
def order(api, learner, course, patient):
    """Ask for the page for the course. Stripe refuses to work twice at once on what has one key, and
    the SDK of the tests tries again without a pause: then the buyer tries again."""

    def ask(**headers):
        body = {"course_id": course.pk, "method": "stripe"}
        while True:
            answer = api(learner).post("payments", body, headers=headers)
            if answer.status_code != 502:
                return answer

    return ask


@pytest.fixture
def half_made(learner, course):
    """What is left of an order during which Stripe did not answer."""
    return PaymentFactory.create(
        payer=learner, course=course, method="stripe", amount=course.price,
        session_expires_at=timezone.now() + timedelta(hours=2),
    )  # fmt: skip


# --- Ordering -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Payment, StripePrice])
def test_twenty_orders_at_once_open_one_page(order, patient, model):
    answers = at_once(*[order] * 20, before_writing=model)
    assert statuses(answers) == {201: 1, 200: 19}
    assert len({answer.json()["payment_url"] for answer in answers}) == 1
    assert len(patient.sandbox.all("checkout.session")) == 1
    assert Payment.objects.count() == StripePrice.objects.count() == 1


def test_of_orders_at_once_that_go_on_with_a_half_made_payment_one_is_new(order, half_made):
    answers = at_once(*[order] * 4, before_writing=Payment)
    assert statuses(answers) == {201: 1, 200: 3}
    assert {answer.json()["id"] for answer in answers} == {half_made.pk}


def test_ten_orders_at_once_with_one_key_get_one_answer(order):
    answers = at_once(
        *[lambda: order(**{"Idempotency-Key": "one"})] * 10, before_writing=IdempotencyKey
    )
    assert statuses(answers) == {201: 10}
    assert len({answer.content for answer in answers}) == 1


def test_two_buyers_at_once_pay_for_themselves(api, learner, stranger, course, patient):
    body = {"course_id": course.pk, "method": "stripe"}
    buyers = [learner, stranger]
    answers = at_once(
        *[lambda buyer=buyer: api(buyer).post("payments", body) for buyer in buyers],
        before_writing=Payment,
    )
    assert statuses(answers) == {201: 2}
    assert [Payment.objects.get(pk=answer.json()["id"]).payer for answer in answers] == buyers


def test_a_failure_that_stripe_repeats_leads_to_one_new_key(api, learner, half_made, patient):
    patient.api.faults.append(Fault("error", "create_session"))
    body = {"course_id": half_made.course_id, "method": "stripe"}
    answers = at_once(*[lambda: api(learner).post("payments", body)] * 3, before_writing=Payment)
    half_made.refresh_from_db()
    assert half_made.attempt == 2
    assert set(statuses(answers)) <= {200, 201, 502}


@pytest.mark.parametrize("what", [Course, Lesson])
@pytest.mark.parametrize("first", ["sale", "deletion"])
def test_what_is_deleted_while_it_is_bought_is_not_there_or_stays(
    api, author, learner, what, first
):
    lesson = LessonFactory.create(
        course__owner=author, course__published=True, course__price=100, price=100
    )
    sold = lesson.course if what is Course else lesson
    bodies = {
        Course: {"course_id": sold.pk, "method": "cash"},
        Lesson: {"lesson_id": sold.pk, "method": "cash"},
    }
    sales = [lambda: api(learner).post("payments", bodies[what])] * 3
    deletion = lambda: api(author).delete(f"{what._meta.model_name}s/{sold.pk}")
    if first == "sale":
        *sold_answers, deleted = at_once(*sales, deletion, before_writing=Payment)
    else:
        deleted, *sold_answers = at_once(deletion, *sales, before_writing=what)
    if deleted.status_code == 204:
        assert statuses(sold_answers) == {404: 3}
    else:
        assert deleted.status_code == 409
        assert statuses(sold_answers) == {201: 1, 200: 2}
    assert what.objects.filter(pk=sold.pk).exists() == Payment.objects.exists()


@pytest.mark.postgresql
def test_a_page_that_is_made_after_all_is_not_cleared_away(order, half_made):
    Payment.objects.update(created_at=timezone.now() - timedelta(hours=2))
    answer, _settled = at_once(order, reconciliation.reconcile_payments, before_writing=Payment)
    assert answer.status_code == 201
    assert Payment.objects.get().payment_url == answer.json()["payment_url"]


# --- What Stripe says -----------------------------------------------------------------------------


@pytest.fixture
def deliver(api):
    """Our webhook receives an event."""

    def send(event):
        body, signature = signed(event, "whsec_sandbox")
        return api(None).client.post(
            "/api/v1/payments/stripe/webhook",
            body,
            content_type="application/json",
            headers={"Stripe-Signature": signature},
        )

    return send


@pytest.mark.reported("Three deliveries of one event at once settled the order three times.")
def test_ten_deliveries_of_one_event_at_once_are_applied_once(order, patient, deliver):
    order()
    patient.sandbox.pay(Payment.objects.get().session_id)
    event = next(it for it in patient.events if it["type"].startswith("checkout"))
    answers = at_once(*[lambda: deliver(event)] * 10, before_writing=StripeEvent)
    assert statuses(answers) == {200: 10}
    assert StripeEvent.objects.count() == PaymentMove.objects.count() == Access.objects.count() == 1


def test_two_events_of_a_refund_at_once_are_applied_once_though_the_money_is_news(
    order, patient, deliver
):
    order()
    session = patient.sandbox.pay(Payment.objects.get().session_id)
    known = {"metadata": {"payment_id": str(Payment.objects.get().token)}}
    patient.sandbox.create_refund({"payment_intent": session["payment_intent"]} | known)
    event = next(it for it in patient.events if it["type"] == "refund.created")
    events = [event, event | {"id": "evt_again"}]
    answers = at_once(
        *[lambda event=event: deliver(event) for event in events], before_writing=PaymentMove
    )
    assert statuses(answers) == {200: 2}
    assert [str(move) for move in PaymentMove.objects.order_by("pk")] == [
        "pending → paid",
        "paid → refunded",
    ]


@pytest.mark.reported("The webhook and the way back at once sent every mail twice.")
def test_eight_who_ask_at_once_hear_that_it_is_paid_once(api, learner, order, patient):
    payment = order().json()
    patient.sandbox.pay(Payment.objects.get().session_id)
    path = f"payments/{payment['id']}/status"
    answers = at_once(*[lambda: api(learner).get(path)] * 8, before_writing=PaymentMove)
    assert {answer.json()["status"] for answer in answers} == {"paid"}
    assert PaymentMove.objects.count() == Access.objects.count() == 1


@pytest.mark.postgresql
def test_a_page_that_is_just_written_down_is_not_replaced_by_an_older_one(
    order, half_made, patient
):
    def hear_of_an_older_one():
        [page] = patient.sandbox.all("checkout.session")
        older = replace(stripe.retrieve_session(page["id"]), id="cs_older", status="expired")
        return stripe_events.apply_session(
            payment_id=half_made.pk, session=older, source=MoveSource.RECONCILIATION
        )

    answer, outcome = at_once(order, hear_of_an_older_one, before_writing=Payment)
    assert answer.status_code == 201
    assert outcome == StripeOutcome.OTHER_SESSION
    half_made.refresh_from_db()
    assert (half_made.status, half_made.payment_url) == ("pending", answer.json()["payment_url"])


def test_a_buyer_who_cancels_while_the_money_comes_loses_nothing(
    api, learner, order, patient, deliver
):
    page = order().json()
    patient.sandbox.pay(Payment.objects.get().session_id)
    event = next(it for it in patient.events if it["type"].startswith("checkout"))
    told, cancelled = at_once(
        lambda: deliver(event),
        lambda: api(learner).delete(f"payments/{page['id']}"),
        before_writing=PaymentMove,
    )
    assert (told.status_code, cancelled.status_code) == (200, 409)
    assert Payment.objects.get().status == "paid"
    assert Access.objects.active().count() == 1


def test_stripe_may_tell_that_the_page_is_closed_before_it_answers_who_cancels(
    api, learner, order, patient, deliver
):
    page = order().json()
    patient.sandbox.on_event = lambda event: elsewhere(lambda: deliver(event))
    assert api(learner).delete(f"payments/{page['id']}").status_code == 204
    assert [str(move) for move in PaymentMove.objects.order_by("pk")] == [
        "pending → expired",
        "expired → cancelled",
    ]


def test_two_tabs_that_cancel_at_once_cancel_once(api, learner, order, patient):
    page = order().json()
    answers = at_once(
        *[lambda: api(learner).delete(f"payments/{page['id']}")] * 2, before_writing=PaymentMove
    )
    # Stripe refuses to work twice at once on what has one key: one may have to try again.
    assert set(statuses(answers)) <= {204, 502}
    assert Payment.objects.get().status == "cancelled"
    assert PaymentMove.objects.count() == 1


@pytest.mark.postgresql
def test_cash_that_staff_confirm_while_it_is_cancelled_is_one_of_the_two(
    api, learner, administrator, course
):
    payment = PaymentFactory.create(payer=learner, course=course)
    confirmed, cancelled = at_once(
        partial(staff.confirm_payment, payment=payment, by=administrator, reason="Till"),
        lambda: api(learner).delete(f"payments/{payment.pk}"),
        before_writing=PaymentMove,
    )
    assert isinstance(confirmed, Payment)
    assert cancelled.status_code == 409
    assert Payment.objects.get().status == "paid"


# --- Staff --------------------------------------------------------------------------------------


def kinds(outcomes):
    return Counter(type(outcome) for outcome in outcomes)


@pytest.mark.postgresql
def test_who_orders_hinders_nobody_who_refers_to_them(learner, course):
    _first, _second, waited = meanwhile(
        lambda: purchase.lock_payer(learner),
        lambda: Subscription.objects.create(user=learner, course=course),
    )
    assert waited is False
    assert Subscription.objects.exists()


def test_two_payments_for_the_same_thing_are_not_both_confirmed(administrator, course):
    first = PaymentFactory.create(course=course)
    second = PaymentFactory.create(course=course, payer=first.payer)
    confirm = partial(staff.confirm_payment, by=administrator, reason="came")
    outcomes = at_once(
        *[partial(confirm, payment=payment) for payment in (first, second)] * 3,
        before_writing=PaymentMove,
        refused=(staff.PaidByAnother, transitions.IllegalMove),
    )
    assert kinds(outcomes) == {Payment: 1, staff.PaidByAnother: 3, transitions.IllegalMove: 2}
    assert Payment.objects.filter(status="paid").count() == 1


def test_what_three_reject_at_once_is_rejected_once(administrator):
    payment = PaymentFactory.create()
    outcomes = at_once(
        *[partial(staff.reject_payment, payment=payment, by=administrator, reason="not come")] * 3,
        before_writing=PaymentMove,
        refused=(transitions.IllegalMove,),
    )
    assert kinds(outcomes) == {Payment: 1, transitions.IllegalMove: 2}
    assert PaymentMove.objects.count() == 1


@pytest.mark.parametrize("orders", [1, 2])
def test_access_that_two_give_at_once_is_given_once(administrator, course, learner, orders):
    """By one order of it, or by two."""
    payments = [
        PaymentFactory.create(payer=learner, course=course, status=status)
        for status in ("pending", "failed")[:orders]
    ]
    give = partial(staff.give_access, by=administrator, reason="a guest")
    outcomes = at_once(
        *[partial(give, payment=payment) for payment in (payments[0], payments[-1])],
        before_writing=Access,
        refused=(staff.AlreadyOpen,),
    )
    assert kinds(outcomes) == {Access: 1, staff.AlreadyOpen: 1}
    assert Access.objects.count() == 1


@pytest.mark.postgresql
def test_who_orders_while_their_cash_is_confirmed_hears_that_it_is_paid(
    api, learner, administrator, course
):
    payment = PaymentFactory.create(payer=learner, course=course)
    _paid, answer, waited = meanwhile(
        partial(staff.confirm_payment, payment=payment, by=administrator, reason="Till"),
        lambda: api(learner).post("payments", {"course_id": course.pk, "method": "cash"}),
    )
    assert (answer.status_code, answer.json()["code"], waited) == (409, "already_paid", True)


@pytest.mark.reported("Two refunds at once gave back more than was paid.")
def test_two_who_refund_at_once_give_the_money_back_once(
    api, learner, administrator, order, patient
):
    order()
    payment = Payment.objects.get()
    patient.sandbox.pay(payment.session_id)
    api(learner).get(f"payments/{payment.pk}/status")

    def refund():
        mine = Payment.objects.get(pk=payment.pk)
        return refunds.refund_payment(payment=mine, by=administrator, reason="asked to")

    # Where they all ask Stripe at once, it refuses to work twice on what has the same key.
    outcomes = at_once(
        *[refund] * 4,
        before_writing=PaymentMove,
        refused=(transitions.IllegalMove, ProviderUnavailable),
    )
    assert kinds(outcomes)[Refund]
    assert len(patient.sandbox.all("refund")) == 1
    assert Payment.objects.get().status == "refunded"
    assert PaymentMove.objects.filter(to_status="refunded").count() == 1
    assert not Access.objects.active().exists()


def test_a_file_that_two_load_at_once_is_loaded_once(learner, course):
    values = {
        "external_id": "A-1",
        "user": learner.email,
        "course_id": course.pk,
        "amount": "100.00",
        "currency": "RUB",
        "method": "cash",
        "status": "paid",
        "paid_at": "2026-10-06T13:40:00Z",
    }
    outcomes = at_once(
        *[lambda: loading.import_payments(rows=[Row(1, values)])] * 2,
        before_writing=Payment,
        refused=(loading.PaymentsChanged,),
    )
    # On SQLite one may begin when the other is done: then it finds the payment in the book.
    assert (
        sum(outcome.new for outcome in outcomes if not isinstance(outcome, loading.PaymentsChanged))
        == 1
    )
    assert Payment.objects.count() == Access.objects.count() == 1
