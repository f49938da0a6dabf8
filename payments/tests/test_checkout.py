"""Buying at Stripe, from the order to the access, against the sandbox over real HTTP."""

import copy
import random
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
import time_machine
from django.utils import timezone

from lms.models import Access
from lms.tests.factories import LessonFactory
from payments.models import Payment, PaymentMethod, PaymentMove, StripeEvent, StripePrice
from payments.sandbox.desk import Fault
from payments.services import confirm_payment, reconcile_payments
from payments.tests.factories import PaymentFactory

pytestmark = pytest.mark.django_db

CREATIONS = ["create_product", "create_price", "create_session"]


@pytest.fixture
def lesson(course):
    return LessonFactory.create(course=course)


def can_learn(api, person, lesson):
    return api(person).get(f"learning/lessons/{lesson.pk}").status_code == 200


def the_payment():
    return Payment.objects.get()


def session_of(payment):
    return Payment.objects.get(pk=payment["id"]).session_id


def events_of(stripe_sandbox, kind="checkout.session"):
    return [event for event in stripe_sandbox.courier.held if event["type"].startswith(kind)]


# --- The way as it should be ---


def test_the_whole_purchase_gives_access(api, learner, lesson, buy, deliver, stripe_sandbox):
    bought = buy()
    assert bought.status_code == 201, bought.content
    payment = bought.json()
    assert (payment["status"], payment["amount"], payment["currency"]) == (
        "pending",
        "1990.00",
        "RUB",
    )
    assert payment["payment_url"].startswith(stripe_sandbox.base_url)
    assert not can_learn(api, learner, lesson)

    stripe_sandbox.sandbox.pay(session_of(payment))
    (event,) = events_of(stripe_sandbox)
    assert deliver(event).status_code == 200

    read = api(learner).get(f"payments/{payment['id']}").json()
    assert (read["status"], read["payment_url"]) == ("paid", None)
    assert read["paid_at"]
    assert can_learn(api, learner, lesson)
    assert [str(move) for move in PaymentMove.objects.all()] == ["pending → paid"]


def test_a_second_order_gets_the_same_open_page(buy):
    first, second = buy(), buy()
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_a_paid_thing_is_not_sold_again(buy, deliver, stripe_sandbox):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    deliver(events_of(stripe_sandbox)[0])
    again = buy()
    assert (again.status_code, again.json()["code"]) == (409, "already_paid")


def test_product_and_price_are_made_once_and_used_again(api, buy, course, stranger, stripe_sandbox):
    buy()
    api(stranger).post("payments", {"course_id": course.pk, "method": "stripe"})
    assert StripePrice.objects.count() == 1
    asked = [call.operation for call in stripe_sandbox.desk.calls]
    assert asked == [*CREATIONS, "create_session"]


def test_a_lesson_can_be_bought_alone(api, buy, course, learner, deliver, stripe_sandbox):
    lesson = LessonFactory.create(course=course, price=Decimal("150.00"))
    other = LessonFactory.create(course=course)
    payment = buy(course_id=None, lesson_id=lesson.pk).json()
    stripe_sandbox.sandbox.pay(session_of(payment))
    deliver(events_of(stripe_sandbox)[0])
    assert can_learn(api, learner, lesson)
    assert not can_learn(api, learner, other)


def test_money_on_its_way_gives_access_when_it_has_come(
    api, learner, lesson, buy, deliver, stripe_sandbox
):
    payment = buy().json()
    stripe_sandbox.sandbox.pay_later(session_of(payment), succeeds=True)
    deliver(events_of(stripe_sandbox)[0])
    assert the_payment().status == "processing"
    assert not can_learn(api, learner, lesson)
    assert buy().json()["status"] == "processing"
    stripe_sandbox.sandbox.advance(3 * 24 * 3600)
    deliver(events_of(stripe_sandbox)[1])
    assert the_payment().status == "paid"
    assert can_learn(api, learner, lesson)


def test_money_that_did_not_come_leaves_the_buyer_free_to_try_again(buy, deliver, stripe_sandbox):
    payment = buy().json()
    stripe_sandbox.sandbox.pay_later(session_of(payment), succeeds=False)
    stripe_sandbox.sandbox.advance(3 * 24 * 3600)
    for event in events_of(stripe_sandbox):
        deliver(event)
    assert the_payment().status == "failed"
    assert buy().status_code == 201


# --- Webhooks that are lost, late, doubled, out of order, forged ---


def test_a_lost_webhook_is_made_good_by_asking_for_the_status(
    api, learner, lesson, buy, stripe_sandbox
):
    payment = buy().json()
    stripe_sandbox.sandbox.pay(session_of(payment))
    read = api(learner).get(f"payments/{payment['id']}/status")
    assert (read.status_code, read.json()["status"]) == (200, "paid")
    assert can_learn(api, learner, lesson)


def test_a_settled_payment_is_not_asked_about(api, learner, buy, deliver, stripe_sandbox):
    payment = buy().json()
    stripe_sandbox.sandbox.pay(session_of(payment))
    deliver(events_of(stripe_sandbox)[0])
    asked = len(stripe_sandbox.desk.calls)
    api(learner).get(f"payments/{payment['id']}/status")
    assert len(stripe_sandbox.desk.calls) == asked


def test_a_lost_webhook_is_made_good_by_reconciliation(api, learner, lesson, buy, stripe_sandbox):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    assert reconcile_payments() == 0, "a fresh payment is left alone"
    assert reconcile_payments(at=timezone.now() + timedelta(minutes=16)) == 1
    assert can_learn(api, learner, lesson)


def test_a_late_failure_is_found_by_reconciliation(buy, stripe_sandbox):
    stripe_sandbox.sandbox.pay_later(session_of(buy().json()), succeeds=False)
    stripe_sandbox.sandbox.advance(3 * 24 * 3600)
    reconcile_payments(at=timezone.now() + timedelta(minutes=16))
    assert the_payment().status == "failed"


def test_reconciliation_closes_what_nobody_paid(buy, stripe_sandbox):
    buy()
    stripe_sandbox.sandbox.advance(25 * 3600)
    reconcile_payments(at=timezone.now() + timedelta(hours=25))
    assert the_payment().status == "expired"


def test_reconciliation_goes_on_after_a_pause_of_stripe(buy, stripe_sandbox):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    stripe_sandbox.desk.faults.append(Fault("unavailable", "retrieve_session", times=3))
    later = timezone.now() + timedelta(minutes=16)
    assert reconcile_payments(at=later) == 0
    assert the_payment().status == "pending"
    assert reconcile_payments(at=later) == 1
    assert the_payment().status == "paid"


def test_an_event_is_applied_once_however_often_it_comes(buy, deliver, stripe_sandbox):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    (event,) = events_of(stripe_sandbox)
    assert {deliver(event).status_code for _time in range(10)} == {200}
    assert StripeEvent.objects.count() == 1
    assert PaymentMove.objects.count() == 1
    assert Access.objects.count() == 1


@pytest.mark.parametrize("seed", range(5))
def test_events_end_the_same_in_any_order(buy, deliver, stripe_sandbox, api, learner, lesson, seed):
    session_id = session_of(buy().json())
    stripe_sandbox.sandbox.pay_later(session_id, succeeds=True)
    stripe_sandbox.sandbox.advance(3 * 24 * 3600)
    intent = stripe_sandbox.sandbox.find("checkout.session", session_id)["payment_intent"]
    stripe_sandbox.sandbox.create_refund({"payment_intent": intent}, None)
    events = [copy.deepcopy(event) for event in stripe_sandbox.courier.held]
    random.Random(seed).shuffle(events)
    assert {deliver(event).status_code for event in events} == {200}
    assert the_payment().status == "refunded"
    assert not can_learn(api, learner, lesson)


def test_a_refund_takes_what_the_payment_gave_and_nothing_else(
    api, learner, lesson, buy, deliver, stripe_sandbox
):
    single = PaymentFactory.create(payer=learner, course=None, lesson=lesson)
    session_id = session_of(buy().json())
    stripe_sandbox.sandbox.pay(session_id)
    deliver(events_of(stripe_sandbox)[0])
    intent = stripe_sandbox.sandbox.find("checkout.session", session_id)["payment_intent"]
    stripe_sandbox.sandbox.create_refund({"payment_intent": intent}, None)
    for event in events_of(stripe_sandbox, "charge"):
        deliver(event)
    assert Payment.objects.exclude(pk=single.pk).get().status == "refunded"
    assert not can_learn(api, learner, lesson)
    assert buy().status_code == 201


def test_a_late_event_after_a_refund_gives_nothing_back(
    api, learner, lesson, buy, deliver, stripe_sandbox
):
    test_a_refund_takes_what_the_payment_gave_and_nothing_else(
        api, learner, lesson, buy, deliver, stripe_sandbox
    )
    (event, *_rest) = events_of(stripe_sandbox)
    late = copy.deepcopy(event) | {"id": "evt_another"}
    assert deliver(late).status_code == 200
    assert not can_learn(api, learner, lesson)


@pytest.mark.parametrize("secret", ["whsec_other", ""])
def test_a_forged_event_is_refused_and_changes_nothing(buy, deliver, stripe_sandbox, secret):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    response = deliver(events_of(stripe_sandbox)[0], secret=secret)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_signature")
    assert the_payment().status == "pending"
    assert not StripeEvent.objects.exists()


@pytest.mark.parametrize(
    "changes", [{"amount_total": 100}, {"currency": "usd"}, {"client_reference_id": "17"}]
)
def test_an_event_that_contradicts_the_payment_gives_no_access(
    api, learner, lesson, buy, deliver, stripe_sandbox, changes
):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    event = copy.deepcopy(events_of(stripe_sandbox)[0])
    event["data"]["object"] |= changes
    assert deliver(event).status_code == 200
    assert the_payment().status == "pending"
    assert not can_learn(api, learner, lesson)
    assert StripeEvent.objects.get().outcome in {
        "amount or currency differ",
        "the session is for another payment",
    }


def test_events_that_are_unknown_or_foreign_are_noted_and_answered_with_200(
    buy, deliver, stripe_sandbox
):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    event = events_of(stripe_sandbox)[0]
    unknown = copy.deepcopy(event) | {"id": "evt_1", "type": "invoice.paid"}
    foreign = copy.deepcopy(event) | {"id": "evt_2"}
    foreign["data"]["object"] |= {"id": "cs_test_foreign", "client_reference_id": None}
    live = copy.deepcopy(event) | {"id": "evt_3", "livemode": True}
    for sent in (unknown, foreign, live):
        assert deliver(sent).status_code == 200
    assert StripeEvent.objects.count() == 3
    assert the_payment().status == "pending"


def test_a_course_that_was_unpublished_meanwhile_is_open_to_who_paid(
    api, learner, lesson, buy, deliver, stripe_sandbox
):
    payment = buy().json()
    lesson.course.is_published = False
    lesson.course.save()
    stripe_sandbox.sandbox.pay(session_of(payment))
    deliver(events_of(stripe_sandbox)[0])
    assert can_learn(api, learner, lesson)


# --- Stripe in trouble ---


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
    api, learner, buy, stripe_sandbox, operation, kind, times
):
    stripe_sandbox.desk.faults.append(Fault(kind, operation, times=times, seconds=1.5))
    failed = buy()
    assert (failed.status_code, failed.json()["code"]) == (502, "payment_provider_error")
    assert api(learner).get("payments").json()["count"] == 0
    assert api(learner).get("users/me").json()["payments"] == []
    stripe_sandbox.desk.faults.clear()
    again = buy()
    if again.status_code == 502:  # the first failure was kept under the key, as Stripe does
        again = buy()
    assert again.status_code == 201, again.content
    sessions = stripe_sandbox.sandbox.all("checkout.session")
    assert session_of(again.json()) in {session["id"] for session in sessions}
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("operation", CREATIONS)
def test_an_answer_that_comes_too_late_leads_to_no_second_session(buy, stripe_sandbox, operation):
    stripe_sandbox.desk.faults.append(Fault("stall", operation, seconds=1.2))
    assert buy().status_code in {201, 502}
    payment = buy().json()
    sessions = stripe_sandbox.sandbox.all("checkout.session")
    assert [session["id"] for session in sessions] == [session_of(payment)]


def test_no_key_is_no_payment_and_503(api, learner, course, settings):
    settings.STRIPE_API_KEY = ""
    response = api(learner).post("payments", {"course_id": course.pk, "method": "stripe"})
    assert response.status_code == 503
    assert api(learner).get("payments").json()["count"] == 0


def test_half_made_payments_are_cleared_away(buy, stripe_sandbox):
    stripe_sandbox.desk.faults.append(Fault("unavailable", "create_session", times=3))
    buy()
    reconcile_payments(at=timezone.now() + timedelta(minutes=59))
    assert Payment.objects.count() == 1
    reconcile_payments(at=timezone.now() + timedelta(minutes=61))
    assert Payment.objects.count() == 0


# --- Prices that change, pages that close ---


def test_a_new_price_closes_the_old_page(buy, course, stripe_sandbox):
    old = buy().json()
    course.price = Decimal("990.00")
    course.save()
    new = buy()
    assert (new.status_code, new.json()["amount"]) == (201, "990.00")
    assert Payment.objects.get(pk=old["id"]).status == "expired"
    session = stripe_sandbox.sandbox.find("checkout.session", session_of(old))
    assert session["status"] == "expired"


def test_a_page_that_was_paid_while_the_price_changed_counts(buy, course, stripe_sandbox):
    old = buy().json()
    stripe_sandbox.sandbox.pay(session_of(old))
    course.price = Decimal("990.00")
    course.save()
    assert buy().json()["code"] == "already_paid"
    assert the_payment().status == "paid"


def test_a_page_that_has_run_out_is_replaced(buy, stripe_sandbox):
    old = buy().json()
    stripe_sandbox.sandbox.advance(25 * 3600)
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        new = buy()
    assert new.status_code == 201
    assert new.json()["id"] != old["id"]


@pytest.fixture
def pay_in_cash(learner, administrator, course, run_worker):
    """Confirm the learner's cash for the course, and do what is left to the worker."""

    def pay():
        cash = PaymentFactory.create(payer=learner, course=course)
        run_worker(lambda: confirm_payment(payment=cash, by=administrator, reason="Till"))

    return pay


@pytest.mark.parametrize("of", ["the course", "a lesson of it"])
def test_the_page_for_what_is_paid_in_cash_meanwhile_is_closed(
    course, buy, stripe_sandbox, pay_in_cash, of
):
    sold = LessonFactory.create(course=course, price=Decimal(10))
    page = buy() if of == "the course" else buy(course_id=None, lesson_id=sold.pk)
    pay_in_cash()
    session = stripe_sandbox.sandbox.find("checkout.session", session_of(page.json()))
    assert session["status"] == "expired"
    assert Payment.objects.get(pk=page.json()["id"]).status == "expired"


def test_a_page_that_could_not_be_closed_is_closed_once_stripe_answers(
    buy, stripe_sandbox, pay_in_cash
):
    page = Payment.objects.get(pk=buy().json()["id"])
    stripe_sandbox.desk.faults.append(Fault("unavailable", "expire_session", times=3))
    pay_in_cash()
    page.refresh_from_db()
    assert page.status == "pending"
    reconcile_payments()
    page.refresh_from_db()
    assert page.status == "expired"


def test_pages_for_other_things_and_of_others_stay_open_when_something_is_paid(
    learner, stranger, administrator, course, buy, run_worker
):
    open_page = buy().json()["id"]
    for other in (
        PaymentFactory.create(payer=learner, course__published=True),
        PaymentFactory.create(payer=stranger, course=course),
    ):
        paying = partial(confirm_payment, payment=other, by=administrator, reason="Till")
        run_worker(paying)
    reconcile_payments()
    assert Payment.objects.get(pk=open_page).status == "pending"


def test_a_repeat_with_the_same_key_gets_the_first_answer(api, learner, course, stripe_sandbox):
    def ask():
        body = {"course_id": course.pk, "method": "stripe"}
        return api(learner).post("payments", body, headers={"Idempotency-Key": "one"})

    first, second = ask(), ask()
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()


def test_a_key_given_after_a_failure_gets_its_first_answer_again(
    api, learner, course, buy, stripe_sandbox
):
    stripe_sandbox.desk.faults.append(Fault("rate_limit", "create_session", times=1))
    assert buy().status_code == 502
    stripe_sandbox.desk.faults.clear()
    body = {"course_id": course.pk, "method": "stripe"}
    key = {"Idempotency-Key": "one"}
    answers = [api(learner).post("payments", body, headers=key) for _ in range(3)]
    assert {answer.status_code for answer in answers[1:]} == {answers[0].status_code} == {201}


# --- Pages for buyers without the application ---


@pytest.mark.parametrize("page", ["success", "cancelled"])
def test_the_landing_pages_show_the_payment_and_grant_nothing(
    client, api, learner, lesson, buy, page
):
    buy()
    payment = the_payment()
    response = client.get(f"/payments/{page}/{payment.token}/?session_id={payment.session_id}")
    assert response.status_code == 200
    assert "Bread" in response.text
    assert not can_learn(api, learner, lesson)


def test_the_success_page_is_told_what_stripe_says(
    client, api, learner, lesson, buy, stripe_sandbox
):
    buy()
    payment = the_payment()
    path = f"/payments/success/{payment.token}/status"
    assert client.get(path).json() == {"status": "pending"}
    stripe_sandbox.sandbox.pay(payment.session_id)
    assert client.get(path).json() == {"status": "paid"}
    assert can_learn(api, learner, lesson)


def test_a_landing_page_of_no_payment_is_absent(client, db):
    path = "/payments/success/00000000-0000-4000-8000-000000000000/"
    assert client.get(path).status_code == 404
    assert client.get(f"{path}status").status_code == 404


def test_only_own_payments_have_a_status(api, stranger, moderator, buy):
    payment = buy().json()
    for person in (stranger, moderator):
        assert api(person).get(f"payments/{payment['id']}/status").status_code == 404
    assert Payment.objects.get().method == PaymentMethod.STRIPE
