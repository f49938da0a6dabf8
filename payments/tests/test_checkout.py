"""Buying at Stripe, from the order to the access, against the sandbox over real HTTP."""

import copy
import itertools
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

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
from payments.services import checkout, reconciliation
from payments.tests.factories import PaymentFactory
from payments.tests.sandbox import Fault
from payments.tests.shop import can_learn, events_of, session_of, the_payment

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SAID = (
    "amount_total", "currency", "client_reference_id", "metadata", "customer_email", "locale",
    "success_url", "cancel_url",
)  # fmt: skip
CREATIONS = ["create_product", "create_price", "create_session"]


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
    token, page = str(payment.token), f"https://school.example/payments/{payment.pk}"
    (product,) = stripe_sandbox.sandbox.all("product")
    (price,) = stripe_sandbox.sandbox.all("price")
    (session,) = stripe_sandbox.sandbox.all("checkout.session")
    assert product["name"] == payment.title == payment.target.title
    assert product["metadata"] == {f"{what}_id": str(payment.target.pk)}
    assert (price["product"], price["unit_amount"]) == (product["id"], payment.amount * 100)
    assert {name: session[name] for name in SAID} == {
        "amount_total": payment.amount * 100,
        "currency": "rub",
        "client_reference_id": token,
        "metadata": {"payment_id": token},
        "customer_email": learner.email,
        "locale": learner.language,
        "success_url": page,
        "cancel_url": page,
    }
    # The keys name the payment and its price for ever: with them another try makes nothing new.
    wishes = [(call.operation, call.key) for call in stripe_sandbox.api.calls]
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


def test_the_total_is_the_price_though_the_account_adds_tax(buy, stripe_sandbox):
    stripe_sandbox.sandbox.tax_percent = 20
    assert (
        stripe_sandbox.sandbox.find("checkout.session", session_of(buy().json()))["amount_total"]
        == 199_000
    )


@pytest.mark.reported(
    "Adaptive Pricing made the total another currency, and the order was never paid."
)
def test_the_currency_is_the_price_s_though_the_account_adapts_prices(
    buy, api, learner, stripe_sandbox
):
    stripe_sandbox.sandbox.local_currency = "eur"
    session_id = session_of(buy().json())
    session = stripe_sandbox.sandbox.pay(session_id)
    assert (session["currency"], session["adaptive_pricing"]) == ("rub", {"enabled": False})
    api(learner).get(f"payments/{the_payment().pk}/status")
    assert the_payment().status == "paid"


def test_the_bank_of_the_buyer_hears_what_was_bought(buy, course, stripe_sandbox):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    [intent] = stripe_sandbox.sandbox.all("payment_intent")
    told = intent["description"], intent["statement_descriptor_suffix"]
    assert told == (course.title, "Bread")
    assert intent["metadata"] == {"payment_id": str(the_payment().token)}


def test_a_title_without_latin_letters_is_left_out_of_the_statement(buy, course, stripe_sandbox):
    Course.objects.update(title="Хлеб")
    assert buy().status_code == 201
    told = stripe_sandbox.api.calls[-1].form["payment_intent_data"]
    assert (told["description"], "statement_descriptor_suffix" in told) == ("Хлеб", False)


@pytest.mark.parametrize("receipts", ["off", "email", "invoice"])
def test_stripe_sends_what_the_setting_says(buy, learner, stripe_sandbox, settings, receipts):
    settings.STRIPE_RECEIPTS = receipts
    assert buy().status_code == 201
    form = stripe_sandbox.api.calls[-1].form
    email = form["payment_intent_data"].get("receipt_email")
    assert email == (learner.email if receipts == "email" else None)
    invoice = {"enabled": "true"} if receipts == "invoice" else None
    assert form.get("invoice_creation") == invoice


def test_a_page_closes_after_two_hours(buy):
    with time_machine.travel(NOW, tick=False):
        buy()
    assert the_payment().session_expires_at == NOW + timedelta(hours=2)


@pytest.mark.parametrize(("minutes", "is_same"), [(84, True), (86, False)])
def test_another_try_asks_for_the_same_page_while_it_would_stay_open_for_a_while(
    buy, stripe_sandbox, minutes, is_same
):
    stripe_sandbox.api.faults.append(Fault("garbage", "create_session"))
    with time_machine.travel(NOW, tick=False):
        assert buy().status_code == 502
    with time_machine.travel(NOW + timedelta(minutes=minutes), tick=False):
        assert buy().status_code == 201
    sessions = stripe_sandbox.sandbox.all("checkout.session")
    assert len(sessions) == (1 if is_same else 2)
    kept = the_payment()
    assert kept.session_id == sessions[-1]["id"]
    until = NOW + timedelta(hours=2) + (timedelta(0) if is_same else timedelta(minutes=minutes))
    assert (kept.session_expires_at, kept.attempt) == (until, 1 if is_same else 2)


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
    asked = [call.operation for call in stripe_sandbox.api.calls]
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
    latest = StripePrice.objects.latest("pk")
    assert (latest.title, latest.amount) == (answer["title"], Decimal(answer["amount"]))
    assert latest.currency == answer["currency"]
    line = stripe_sandbox.api.calls[-1].form["line_items"][0]
    assert line["price"] == latest.price_id


def test_of_two_prices_that_were_made_at_once_the_older_one_is_used(
    api, buy, course, stranger, stripe_sandbox
):
    buy()
    older = StripePrice.objects.get()
    form = {"product": older.product_id, "currency": "rub", "unit_amount": "199000"}
    twin = stripe_sandbox.sandbox.create_price(form)["id"]
    StripePrice.objects.create(
        course=course, title=older.title, amount=older.amount, currency="RUB",
        product_id=older.product_id, price_id=twin,
    )  # fmt: skip
    api(stranger).post("payments", {"course_id": course.pk, "method": "stripe"})
    line = stripe_sandbox.api.calls[-1].form["line_items"][0]
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
    path = f"payments/{payment['id']}/status"
    # Who comes back without having paid gets nothing by it.
    assert api(learner).get(path).json()["status"] == "pending"
    assert not can_learn(api, learner, lesson)
    stripe_sandbox.sandbox.pay(session_of(payment))
    stripe_sandbox.api.faults.append(Fault("unavailable", "retrieve_session", times=3))
    assert api(learner).get(path).status_code == 502
    read = api(learner).get(path)
    assert (read.status_code, read.json()["status"]) == (200, "paid")
    assert can_learn(api, learner, lesson)
    assert PaymentMove.objects.get().source == "status"


def test_who_asks_for_the_status_without_end_has_stripe_left_alone(
    api, learner, buy, asked, settings
):
    settings.THROTTLE_STATUS = "3/min"
    path = f"payments/{buy().json()['id']}/status"
    asked.clear()
    # The order counts, too.
    assert [api(learner).get(path).status_code for _time in range(3)] == [200, 200, 429]
    assert len(asked) == 2


@pytest.mark.parametrize("page", ["success", "cancelled"])
def test_a_page_at_stripe_of_the_version_before_leads_to_the_payment(client, buy, page):
    buy()
    payment = the_payment()
    answer = client.get(f"/payments/{page}/{payment.token}/?session_id={payment.session_id}")
    assert answer.status_code == 302
    assert answer["Location"] == f"https://school.example/payments/{payment.pk}"
    assert "no-store" in answer["Cache-Control"]
    half_made = PaymentFactory.create(method="stripe")
    for token in ("00000000-0000-4000-8000-000000000000", half_made.token):
        assert client.get(f"/payments/{page}/{token}/").status_code == 404


def test_a_settled_payment_is_not_asked_about(api, learner, buy, deliver, stripe_sandbox):
    payment = buy().json()
    stripe_sandbox.sandbox.pay(session_of(payment))
    deliver(events_of(stripe_sandbox)[0])
    asked = len(stripe_sandbox.api.calls)
    api(learner).get(f"payments/{payment['id']}/status")
    assert len(stripe_sandbox.api.calls) == asked


@pytest.mark.parametrize(
    "fields",
    [{"method": "cash", "session_id": "cs_1"}, {"status": "failed", "session_id": "cs_1"}, {}],
    ids=["not at Stripe", "settled", "half made"],
)
def test_what_stripe_knows_nothing_new_of_is_not_asked_about(learner, stripe_sandbox, fields):
    payment = PaymentFactory.create(**{"payer": learner, "method": "stripe"} | fields)
    assert checkout.ask_stripe(payment, source=MoveSource.STATUS) == payment
    assert stripe_sandbox.api.calls == []


def test_a_lost_webhook_is_made_good_by_reconciliation(api, learner, lesson, buy, stripe_sandbox):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    assert reconciliation.reconcile_payments() == 0, "a fresh payment is left alone"
    assert reconciliation.reconcile_payments(at=timezone.now() + timedelta(minutes=16)) == 1
    assert can_learn(api, learner, lesson)


def test_a_late_failure_is_found_by_reconciliation(buy, stripe_sandbox):
    stripe_sandbox.sandbox.pay_later(session_of(buy().json()), succeeds=False)
    stripe_sandbox.sandbox.advance(3 * 24 * 3600)
    reconciliation.reconcile_payments(at=timezone.now() + timedelta(minutes=16))
    assert the_payment().status == "failed"


def test_reconciliation_closes_what_nobody_paid(buy, stripe_sandbox):
    buy()
    stripe_sandbox.sandbox.advance(25 * 3600)
    reconciliation.reconcile_payments(at=timezone.now() + timedelta(hours=25))
    assert the_payment().status == "expired"


def test_reconciliation_goes_on_after_a_pause_of_stripe(buy, stripe_sandbox):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    stripe_sandbox.api.faults.append(Fault("unavailable", "retrieve_session", times=3))
    later = timezone.now() + timedelta(minutes=16)
    assert reconciliation.reconcile_payments(at=later) == 0
    assert the_payment().status == "pending"
    assert reconciliation.reconcile_payments(at=later) == 1
    assert the_payment().status == "paid"


def test_an_event_is_applied_once_however_often_it_comes(buy, deliver, stripe_sandbox):
    stripe_sandbox.sandbox.pay(session_of(buy().json()))
    (event,) = events_of(stripe_sandbox)
    assert {deliver(event).status_code for _time in range(10)} == {200}
    assert StripeEvent.objects.count() == 1
    assert PaymentMove.objects.count() == 1
    assert Access.objects.count() == 1


@pytest.mark.parametrize("seed", range(5))
def test_events_end_the_same_in_any_order(
    buy, deliver, run_worker, stripe_sandbox, api, learner, lesson, seed
):
    session_id = session_of(buy().json())
    stripe_sandbox.sandbox.pay_later(session_id, succeeds=True)
    stripe_sandbox.sandbox.advance(3 * 24 * 3600)
    intent = stripe_sandbox.sandbox.find("checkout.session", session_id)["payment_intent"]
    stripe_sandbox.sandbox.create_refund({"payment_intent": intent})
    events = [copy.deepcopy(event) for event in stripe_sandbox.events]
    random.Random(seed).shuffle(events)
    for event in events:
        assert run_worker(lambda event=event: deliver(event)).status_code == 200
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
    stripe_sandbox.sandbox.create_refund({"payment_intent": intent})
    for event in events_of(stripe_sandbox, "refund"):
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


def test_a_course_that_was_unpublished_meanwhile_is_open_to_who_paid(
    api, learner, lesson, buy, deliver, stripe_sandbox
):
    payment = buy().json()
    lesson.course.is_published = False
    lesson.course.save()
    stripe_sandbox.sandbox.pay(session_of(payment))
    deliver(events_of(stripe_sandbox)[0])
    assert can_learn(api, learner, lesson)


def test_only_own_payments_have_a_status(api, stranger, moderator, buy):
    payment = buy().json()
    for person in (stranger, moderator):
        assert api(person).get(f"payments/{payment['id']}/status").status_code == 404
    assert Payment.objects.get().method == PaymentMethod.STRIPE
