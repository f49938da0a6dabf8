"""Two tabs, two webhooks, two workers at once: on the database, with real threads."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from lms.models import Access, Course
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import Payment, PaymentMove, StripeEvent
from payments.provider import ProviderUnavailable
from payments.sandbox.webhooks import signed
from payments.services import AlreadyPaid, IllegalMove, confirm_payment, refund_payment
from payments.tests.factories import PaymentFactory

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(number: int, act: Callable[[int], Any]) -> list[Any]:
    """Run `act(0)`, `act(1)`, … at the same time; return what they returned or raised."""
    outcomes: list[Any] = [None] * number
    start = threading.Barrier(number)

    def run(index: int) -> None:
        start.wait()
        try:
            outcomes[index] = act(index)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            outcomes[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.fixture
def course():
    return CourseFactory.create(published=True, price=100)


def test_twenty_orders_at_once_open_one_page(api, learner, course, stripe_sandbox):
    body = {"course_id": course.pk, "method": "stripe"}
    answers = at_once(20, lambda _index: api(learner).post("payments", body))
    codes = Counter(answer.status_code for answer in answers)
    assert codes == {201: 1, 200: 19}
    assert len({answer.json()["payment_url"] for answer in answers}) == 1
    assert len(stripe_sandbox.sandbox.all("checkout.session")) == 1
    assert Payment.objects.count() == 1


def test_ten_orders_at_once_with_one_key_get_one_answer(api, learner, course, stripe_sandbox):
    body = {"course_id": course.pk, "method": "stripe"}
    key = {"Idempotency-Key": "one"}
    answers = at_once(10, lambda _index: api(learner).post("payments", body, headers=key))
    assert Counter(answer.status_code for answer in answers) == {201: 10}
    assert len({answer.content for answer in answers}) == 1


def test_two_buyers_at_once_pay_for_themselves(api, learner, stranger, course, stripe_sandbox):
    people = [learner, stranger]
    body = {"course_id": course.pk, "method": "stripe"}
    answers = at_once(2, lambda index: api(people[index]).post("payments", body))
    assert {answer.status_code for answer in answers} == {201}
    assert {payment.payer for payment in Payment.objects.all()} == {learner, stranger}


def test_ten_deliveries_of_one_event_at_once_are_applied_once(api, learner, course, stripe_sandbox):
    api(learner).post("payments", {"course_id": course.pk, "method": "stripe"})
    stripe_sandbox.sandbox.pay(Payment.objects.get().session_id)
    event = next(
        event for event in stripe_sandbox.courier.held if event["type"].startswith("checkout")
    )
    body, signature = signed(event, "whsec_sandbox")

    def deliver(_index):
        return api(None).client.post(
            "/api/v1/payments/stripe/webhook",
            body,
            content_type="application/json",
            headers={"Stripe-Signature": signature},
        )

    answers = at_once(10, deliver)
    assert {answer.status_code for answer in answers} == {200}
    assert StripeEvent.objects.count() == 1
    assert PaymentMove.objects.count() == 1
    assert Access.objects.count() == 1


def test_webhook_and_status_request_at_once_give_one_access(api, learner, course, stripe_sandbox):
    payment = api(learner).post("payments", {"course_id": course.pk, "method": "stripe"}).json()
    stripe_sandbox.sandbox.pay(Payment.objects.get().session_id)
    answers = at_once(8, lambda _index: api(learner).get(f"payments/{payment['id']}/status"))
    assert {answer.json()["status"] for answer in answers} == {"paid"}
    assert PaymentMove.objects.count() == 1
    assert Access.objects.count() == 1


def test_two_payments_for_the_same_thing_are_not_both_confirmed(administrator, course):
    first = PaymentFactory.create(course=course)
    second = PaymentFactory.create(course=course, payer=first.payer)
    payments = [first, second] * 3
    outcomes = at_once(
        6,
        lambda index: confirm_payment(payment=payments[index], by=administrator, reason="came"),
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, AlreadyPaid)]
    assert len(refused) == 3
    assert Payment.objects.filter(status="paid").count() == 1


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_what_is_deleted_while_it_is_bought_is_not_there_or_stays(api, author, learner, what):
    for _round in range(5):
        lesson = LessonFactory.create(course__owner=author, course__published=True, price=100)
        course = lesson.course
        Course.objects.filter(pk=course.pk).update(price=100)
        doomed = f"courses/{course.pk}" if what == "course" else f"lessons/{lesson.pk}"
        order = {f"{what}_id": course.pk if what == "course" else lesson.pk, "method": "cash"}

        def act(index):
            if index == 0:
                return api(author).delete(doomed)  # noqa: B023
            return api(learner).post("payments", order)  # noqa: B023

        deleted, *bought = [answer.status_code for answer in at_once(4, act)]
        if deleted == 204:
            assert set(bought) == {404}
        else:
            assert (deleted, sorted(bought)) == (409, [200, 200, 201])


def test_two_who_refund_at_once_give_the_money_back_once(
    api, learner, administrator, course, stripe_sandbox
):
    api(learner).post("payments", {"course_id": course.pk, "method": "stripe"})
    payment = Payment.objects.get()
    stripe_sandbox.sandbox.pay(payment.session_id)
    api(learner).get(f"payments/{payment.pk}/status")

    def refund(_index):
        mine = Payment.objects.get(pk=payment.pk)
        return refund_payment(payment=mine, by=administrator, reason="asked to")

    outcomes = at_once(4, refund)
    # Stripe itself refuses to work twice at once on what has the same key.
    assert {type(outcome) for outcome in outcomes} <= {Payment, IllegalMove, ProviderUnavailable}
    assert any(isinstance(outcome, Payment) for outcome in outcomes)
    assert len(stripe_sandbox.sandbox.all("refund")) == 1
    assert Payment.objects.get().status == "refunded"
    assert PaymentMove.objects.filter(to_status="refunded").count() == 1
    assert not Access.objects.active().exists()
