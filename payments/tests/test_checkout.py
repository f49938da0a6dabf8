"""Buying at Stripe, from the order to the access, against the sandbox over real HTTP."""

import copy
import itertools
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
import time_machine
from django.utils import timezone

from lms.models import Access, Course
from lms.tests.factories import LessonFactory
from payments.models import (
    MoveSource,
    Payment,
    PaymentMethod,
    PaymentMove,
    StripeEvent,
    StripePrice,
)
from payments.provider import ProviderUnavailable
from payments.sandbox.desk import Fault
from payments.services import (
    Order,
    Pages,
    ask_stripe,
    confirm_payment,
    reconcile_payments,
    request_payment,
)
from payments.tests.factories import PaymentFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SAID = (
    "amount_total", "currency", "client_reference_id", "metadata", "customer_email", "locale",
    "success_url", "cancel_url",
)  # fmt: skip
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


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_stripe_is_told_who_pays_for_what_and_where_to_go_on(
    buy, course, learner, stripe_sandbox, what
):
    lesson = LessonFactory.create(course=course, price=Decimal("150.00"))
    place = {} if what == "course" else {"course_id": None, "lesson_id": lesson.pk}
    with time_machine.travel(NOW, tick=False):
        told = buy(**place).json()
    payment = the_payment()
    token, here = str(payment.token), "http://testserver/payments"
    (product,) = stripe_sandbox.sandbox.all("product")
    (price,) = stripe_sandbox.sandbox.all("price")
    (session,) = stripe_sandbox.sandbox.all("checkout.session")
    assert product["name"] == payment.title == payment.target.title
    ids = {"course_id": str(payment.course_id), "lesson_id": str(payment.lesson_id)}
    assert product["metadata"] == ids
    assert (price["product"], price["unit_amount"]) == (product["id"], payment.amount * 100)
    assert {name: session[name] for name in SAID} == {
        "amount_total": payment.amount * 100,
        "currency": "rub",
        "client_reference_id": token,
        "metadata": {"payment_id": token},
        "customer_email": learner.email,
        "locale": learner.language,
        "success_url": f"{here}/success/{token}/?session_id={{CHECKOUT_SESSION_ID}}",
        "cancel_url": f"{here}/cancelled/{token}/",
    }
    # The keys name the payment and its price for ever: with them another try makes nothing new.
    wishes = [(call.operation, call.key) for call in stripe_sandbox.desk.calls]
    key = f"parta:{token}:{payment.amount}RUB"
    assert wishes == [(name, f"{key}:{name.removeprefix('create_')}:1") for name in CREATIONS]
    # What is kept of it.
    assert (payment.session_id, payment.session_url) == (session["id"], session["url"])
    assert told["payment_url"] == session["url"]
    assert payment.session_expires_at.timestamp() == session["expires_at"]
    assert (payment.checked_at, payment.created_at) == (NOW, NOW)
    kept = StripePrice.objects.get()
    assert (kept.price_id, kept.product_id) == (price["id"], product["id"])
    assert (kept.course_id, kept.lesson_id) == (payment.course_id, payment.lesson_id)
    assert (kept.title, kept.amount, kept.currency) == (payment.title, payment.amount, "RUB")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "one"}], ids=["no key", "key"])
def test_a_second_order_gets_the_same_open_page(api, learner, course, stripe_sandbox, headers):
    body = {"course_id": course.pk, "method": "stripe"}
    first, second = (api(learner).post("payments", body, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201 if headers else 200)
    assert first.json() == second.json()
    assert len(stripe_sandbox.sandbox.all("checkout.session")) == 1


def test_the_pages_of_others_and_for_other_things_are_not_given_to_a_buyer(
    api, learner, stranger, course, stripe_sandbox
):
    lesson, sibling = LessonFactory.create_batch(2, course=course, price=course.price)
    other = LessonFactory.create(course__published=True, course__price=course.price).course
    targets = [{"course_id": course.pk}, {"course_id": other.pk}]
    targets += [{"lesson_id": lesson.pk}, {"lesson_id": sibling.pk}]
    pages = []
    for person, target in itertools.product((learner, stranger), targets):
        answer = api(person).post("payments", target | {"method": "stripe"})
        payment = Payment.objects.get(pk=answer.json()["id"])
        assert (answer.status_code, payment.payer) == (201, person)
        assert target in ({"course_id": payment.course_id}, {"lesson_id": payment.lesson_id})
        pages.append(answer.json()["payment_url"])
    assert len(set(pages)) == len(pages) == 8
    # Each thing has a price of its own at Stripe, though all cost the same.
    assert StripePrice.objects.count() == len(targets)


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


@pytest.mark.parametrize(
    ("change", "is_new"),
    [
        ({}, False),
        ({"description": "Renewed"}, False),
        ({"title": "Rye bread"}, True),
        ({"price": Decimal("1990.01")}, True),
        ({"currency": "USD"}, True),
    ],
)
def test_a_price_at_stripe_is_used_again_while_title_amount_and_currency_match(
    api, buy, course, stranger, stripe_sandbox, settings, change, is_new
):
    buy()
    settings.CURRENCY = change.pop("currency", "RUB")
    Course.objects.update(**(change or {"description": course.description}))
    answer = api(stranger).post("payments", {"course_id": course.pk, "method": "stripe"}).json()
    assert StripePrice.objects.count() == 1 + is_new
    latest = StripePrice.objects.first()
    assert (latest.title, latest.amount) == (answer["title"], Decimal(answer["amount"]))
    assert latest.currency == answer["currency"]
    line = stripe_sandbox.desk.calls[-1].form["line_items"][0]
    assert line["price"] == latest.price_id


def test_of_two_prices_that_were_made_at_once_the_older_one_is_used(
    api, buy, course, stranger, stripe_sandbox
):
    buy()
    older = StripePrice.objects.get()
    form = {"product": older.product_id, "currency": "rub", "unit_amount": "199000"}
    twin = stripe_sandbox.sandbox.create_price(form, None)["id"]
    StripePrice.objects.create(
        course=course, title=older.title, amount=older.amount, currency="RUB",
        product_id=older.product_id, price_id=twin,
    )  # fmt: skip
    api(stranger).post("payments", {"course_id": course.pk, "method": "stripe"})
    line = stripe_sandbox.desk.calls[-1].form["line_items"][0]
    assert line["price"] == older.price_id


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
    # Too late to ask for another price.
    Course.objects.update(price=5)
    again = buy()
    assert (again.status_code, again.json()["status"]) == (200, "processing")
    assert again.json()["id"] == payment["id"]
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
    assert PaymentMove.objects.get().source == "status"


def test_a_settled_payment_is_not_asked_about(api, learner, buy, deliver, stripe_sandbox):
    payment = buy().json()
    stripe_sandbox.sandbox.pay(session_of(payment))
    deliver(events_of(stripe_sandbox)[0])
    asked = len(stripe_sandbox.desk.calls)
    api(learner).get(f"payments/{payment['id']}/status")
    assert len(stripe_sandbox.desk.calls) == asked


@pytest.mark.parametrize(
    "fields",
    [{"method": "cash", "session_id": "cs_1"}, {"status": "failed", "session_id": "cs_1"}, {}],
    ids=["not at Stripe", "settled", "half made"],
)
def test_what_stripe_knows_nothing_new_of_is_not_asked_about(learner, stripe_sandbox, fields):
    payment = PaymentFactory.create(**{"payer": learner, "method": "stripe"} | fields)
    assert ask_stripe(payment, source=MoveSource.STATUS) == payment
    assert stripe_sandbox.desk.calls == []


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
    api, learner, administrator, buy, stripe_sandbox, operation, kind, times
):
    stripe_sandbox.desk.faults.append(Fault(kind, operation, times=times, seconds=1.5))
    beside = PaymentFactory.create(method="stripe", payer=learner)
    failed = buy()
    assert (failed.status_code, failed.json()["code"]) == (502, "payment_provider_error")
    for reader in (learner, administrator):
        assert api(reader).get("payments").json()["count"] == 0
    assert api(learner).get("users/me").json()["payments"] == []
    # New keys only where Stripe kept the failure under the old ones, and would say it again.
    half_made = Payment.objects.exclude(pk=beside.pk).get()
    assert half_made.attempt == (2 if kind == "error" else 1)
    stripe_sandbox.desk.faults.clear()
    again = buy()
    assert again.status_code == 201, again.content
    assert again.json()["id"] == half_made.pk
    sessions = stripe_sandbox.sandbox.all("checkout.session")
    assert [session["id"] for session in sessions] == [session_of(again.json())]
    beside.refresh_from_db()
    assert (beside.attempt, beside.session_id) == (1, "")


@pytest.mark.parametrize("operation", CREATIONS)
def test_an_answer_that_comes_too_late_leads_to_no_second_session(buy, stripe_sandbox, operation):
    stripe_sandbox.desk.faults.append(Fault("stall", operation, seconds=1.2))
    assert buy().status_code in {201, 502}
    payment = buy().json()
    sessions = stripe_sandbox.sandbox.all("checkout.session")
    assert [session["id"] for session in sessions] == [session_of(payment)]


def test_a_buyer_who_changes_their_address_between_two_tries_gets_a_page(
    learner, buy, stripe_sandbox
):
    """Stripe refuses one key for two orders: the next try has another."""
    stripe_sandbox.desk.faults.append(Fault("garbage", "create_session", times=1))
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
def order(learner, course):
    """The learner's order through the service; `meanwhile` is done while Stripe is on its way."""

    def place(meanwhile=None):
        def pages(payment):
            if meanwhile is not None:
                meanwhile()
            return Pages(success_url="https://school.example", cancel_url="https://school.example")

        wanted = Order(course_id=course.pk, lesson_id=None, method=PaymentMethod.STRIPE)
        return request_payment(buyer=learner, order=wanted, pages=pages)

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
        closed, "checkout", "the page was never made",
    )  # fmt: skip
    assert opened.payment_url in {
        session["url"] for session in stripe_sandbox.sandbox.all("checkout.session")
    }


def test_two_requests_that_hear_of_the_same_old_failure_change_the_keys_once(order, stripe_sandbox):
    stripe_sandbox.desk.faults.append(Fault("error", "create_product"))

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
    move = PaymentMove.objects.get()
    assert (move.payment_id, move.source) == (old["id"], "checkout")
    (key,) = [call.key for call in stripe_sandbox.desk.calls if call.operation == "expire_session"]
    assert key.endswith(":1990.00RUB:close:1")


@pytest.mark.parametrize("change", ["amount", "currency"])
def test_a_new_price_with_a_key_leads_to_a_new_page_and_the_key_to_that_one(
    api, buy, learner, course, stripe_sandbox, settings, change
):
    buy()
    if change == "amount":
        Course.objects.update(price=Decimal("990.00"))
    else:
        settings.CURRENCY = "USD"
    body, key = {"course_id": course.pk, "method": "stripe"}, {"Idempotency-Key": "one"}
    answers = [api(learner).post("payments", body, headers=key) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {201}
    old, new = Payment.objects.order_by("pk")
    assert {answer.json()["id"] for answer in answers} == {new.pk}
    assert (old.status, new.status) == ("expired", "pending")
    assert (new.amount == course.price, new.currency == "RUB") == (
        change == "currency", change == "amount",
    )  # fmt: skip


def test_a_half_made_payment_at_an_old_price_is_given_up(buy, stripe_sandbox):
    stripe_sandbox.desk.faults.append(Fault("unavailable", "create_session", times=3))
    assert buy().status_code == 502
    Course.objects.update(price=5)
    assert buy().status_code == 201
    old, new = Payment.objects.order_by("pk")
    assert (old.status, new.status, new.amount) == ("expired", "pending", 5)


def test_a_page_that_can_not_be_closed_is_not_replaced(buy, stripe_sandbox):
    old = buy().json()
    Course.objects.update(price=5)
    stripe_sandbox.desk.faults.append(Fault("unavailable", "expire_session", times=3))
    assert buy().status_code == 502
    payment = the_payment()
    assert (payment.pk, payment.status) == (old["id"], "pending")


def test_a_page_that_was_paid_while_the_price_changed_counts(buy, course, stripe_sandbox):
    old = buy().json()
    stripe_sandbox.sandbox.pay(session_of(old))
    course.price = Decimal("990.00")
    course.save()
    assert buy().json()["code"] == "already_paid"
    assert the_payment().status == "paid"
    assert PaymentMove.objects.get().source == "checkout"


def test_a_page_is_open_until_stripe_closes_it(api, learner, course, buy, stripe_sandbox):
    payment = Payment.objects.get(pk=buy().json()["id"])
    for seconds, is_open in ((-1, True), (0, False)):
        at = payment.session_expires_at + timedelta(seconds=seconds)
        with time_machine.travel(at, tick=False):
            payment.refresh_from_db()
            assert bool(payment.payment_url) == is_open
            read = api(learner).get(f"payments/{payment.pk}").json()
            assert bool(read["payment_url"]) == is_open
            assert payment.can_be_opened(at - timedelta(seconds=1))


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
    # While Stripe does not answer, what is known is the best that can be told.
    stripe_sandbox.desk.faults.append(Fault("unavailable", "retrieve_session", times=3))
    assert client.get(path).json() == {"status": "pending"}
    assert client.get(path).json() == {"status": "paid"}
    assert can_learn(api, learner, lesson)
    assert PaymentMove.objects.get().source == "status"


LANDING = ("success/{}/", "success/{}/status", "cancelled/{}/")


@pytest.mark.parametrize("page", LANDING)
def test_a_landing_page_of_no_payment_is_absent(client, learner, course, page):
    half_made = PaymentFactory.create(payer=learner, course=course, method="stripe")
    for token in ("00000000-0000-4000-8000-000000000000", half_made.token):
        assert client.get(f"/payments/{page.format(token)}").status_code == 404


@pytest.mark.parametrize("page", LANDING)
def test_a_landing_page_tells_of_its_own_payment_only_reads_and_is_never_kept(
    client, learner, page
):
    PaymentFactory.create(payer=learner, title="Another")
    payment = PaymentFactory.create(title="Mine", paid=True)
    path = f"/payments/{page.format(payment.token)}"
    response = client.get(path)
    assert response.status_code == 200
    assert "Another" not in response.text
    if page.endswith("status"):
        assert response.json() == {"status": "paid"}
    else:
        assert "Mine" in response.text
        assert 'href="https://school.example' in response.text
    assert "no-store" in response["Cache-Control"]
    assert client.post(path).status_code == 405


def test_only_own_payments_have_a_status(api, stranger, moderator, buy):
    payment = buy().json()
    for person in (stranger, moderator):
        assert api(person).get(f"payments/{payment['id']}/status").status_code == 404
    assert Payment.objects.get().method == PaymentMethod.STRIPE
