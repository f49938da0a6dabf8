"""Pages at Stripe that are closed, and those that stay: prices change, days pass, cash comes."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
import time_machine
from django.utils import timezone

from lms.models import Access, Course, Lesson
from lms.tests.factories import LessonFactory
from payments.models import Payment, PaymentMove
from payments.services import reconciliation, staff
from payments.tests.factories import PaymentFactory
from payments.tests.sandbox import Fault
from payments.tests.shop import session_of, the_payment
from people.services import accounts, blocks

pytestmark = pytest.mark.django_db


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
    (key,) = [call.key for call in stripe_sandbox.api.calls if call.operation == "expire_session"]
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
    stripe_sandbox.api.faults.append(Fault("unavailable", "create_session", times=3))
    assert buy().status_code == 502
    Course.objects.update(price=5)
    assert buy().status_code == 201
    old, new = Payment.objects.order_by("pk")
    assert (old.status, new.status, new.amount) == ("expired", "pending", Decimal(5))


def test_a_page_that_can_not_be_closed_is_not_replaced(buy, stripe_sandbox):
    old = buy().json()
    Course.objects.update(price=5)
    stripe_sandbox.api.faults.append(Fault("unavailable", "expire_session", times=3))
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
        assert payment.session_expires_at
        at = payment.session_expires_at + timedelta(seconds=seconds)
        with time_machine.travel(at, tick=False):
            payment.refresh_from_db()
            assert bool(payment.payment_url) == is_open
            read = api(learner).get(f"payments/{payment.pk}").json()
            assert bool(read["payment_url"]) == is_open


def test_a_page_that_has_run_out_is_replaced(buy, stripe_sandbox):
    old = buy().json()
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        new = buy()
    assert new.status_code == 201
    assert new.json()["id"] != old["id"]


@pytest.fixture
def pay_in_cash(learner, administrator, course, run_worker):
    """Confirm the learner's cash for the course, and do what is left to the worker."""

    def pay():
        cash = PaymentFactory.create(payer=learner, course=course)
        run_worker(lambda: staff.confirm_payment(payment=cash, by=administrator, reason="Till"))

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
    stripe_sandbox.api.faults.append(Fault("unavailable", "expire_session", times=3))
    pay_in_cash()
    page.refresh_from_db()
    assert page.status == "pending"
    reconciliation.reconcile_payments()
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
        paying = partial(staff.confirm_payment, payment=other, by=administrator, reason="Till")
        run_worker(paying)
    reconciliation.reconcile_payments()
    assert Payment.objects.get(pk=open_page).status == "pending"


def _free(course, lesson):
    Course.objects.update(price=0)


def _unpublish(course, lesson):
    Course.objects.update(is_published=False)


def _keep_from_sale(course, lesson):
    Lesson.objects.update(price=None)


def _unpublish_lesson(course, lesson):
    Lesson.objects.update(is_published=False)


def _give_away(course, lesson):
    Lesson.objects.update(price=0)


def _open_to_all(course, lesson):
    Lesson.objects.update(is_preview=True)


@pytest.mark.parametrize(
    ("change", "of"),
    [
        (_free, "course"),
        (_unpublish, "course"),
        (_unpublish, "lesson"),
        (_unpublish_lesson, "lesson"),
        (_keep_from_sale, "lesson"),
        (_give_away, "lesson"),
        (_open_to_all, "lesson"),
    ],
)
def test_the_page_for_what_is_not_on_sale_any_more_is_closed(
    course, buy, stripe_sandbox, change, of
):
    lesson = LessonFactory.create(course=course, price=Decimal(10))
    page = (buy() if of == "course" else buy(course_id=None, lesson_id=lesson.pk)).json()
    reconciliation.reconcile_payments()
    assert the_payment().status == "pending"
    change(course, lesson)
    reconciliation.reconcile_payments()
    session = stripe_sandbox.sandbox.find("checkout.session", session_of(page))
    assert (session["status"], the_payment().status) == ("expired", "expired")


@pytest.mark.parametrize("source", ["grant", "enrollment"])
def test_the_page_for_what_is_had_by_another_right_is_closed(
    learner, course, buy, stripe_sandbox, source
):
    buy()
    Access.objects.create(user=learner, course=course, source=source, revoked_at=timezone.now())
    reconciliation.reconcile_payments()
    assert the_payment().status == "pending"
    Access.objects.create(user=learner, course=course, source=source)
    reconciliation.reconcile_payments()
    assert the_payment().status == "expired"


def test_the_page_is_closed_at_once_where_staff_give_the_access(
    administrator, buy, stripe_sandbox, run_worker
):
    buy()
    run_worker(lambda: staff.give_access(payment=the_payment(), by=administrator, reason="a guest"))
    assert the_payment().status == "expired"


def test_who_is_blocked_pays_no_more(administrator, learner, buy, stripe_sandbox, run_worker):
    page = buy().json()
    run_worker(lambda: blocks.block(user=learner, by=administrator))
    session = stripe_sandbox.sandbox.find("checkout.session", session_of(page))
    assert (session["status"], the_payment().status) == ("expired", "expired")


def test_who_leaves_pays_no_more_and_what_was_paid_meanwhile_counts(
    learner, course, buy, stripe_sandbox, run_worker
):
    other = LessonFactory.create(course=course, price=Decimal(10))
    paid, left = buy().json(), buy(course_id=None, lesson_id=other.pk).json()
    stripe_sandbox.sandbox.pay(session_of(paid))
    run_worker(lambda: accounts.erase_account(user=learner))
    assert Payment.objects.get(pk=paid["id"]).status == "paid"
    assert Payment.objects.get(pk=left["id"]).status == "expired"


@pytest.mark.parametrize("method", ["cash", "transfer"])
def test_what_waits_for_cash_ends_when_the_same_thing_is_paid_otherwise(
    api, learner, stranger, course, buy, stripe_sandbox, run_worker, method
):
    lesson = LessonFactory.create(course=course, price=Decimal(10))
    left = [
        PaymentFactory.create(payer=learner, course=course, method=method),
        PaymentFactory.create(payer=learner, course=None, lesson=lesson, method=method),
    ]
    stays = [
        PaymentFactory.create(payer=stranger, course=course, method=method),
        PaymentFactory.create(payer=learner, method=method),
    ]
    page = buy().json()
    stripe_sandbox.sandbox.pay(session_of(page))
    run_worker(lambda: api(learner).get(f"payments/{page['id']}/status"))
    assert {Payment.objects.get(pk=payment.pk).status for payment in left} == {"expired"}
    assert {Payment.objects.get(pk=payment.pk).status for payment in stays} == {"pending"}
    reasons = PaymentMove.objects.filter(payment__in=left).values_list("reason", flat=True)
    assert set(reasons) == {"paid otherwise"}


def test_cash_of_who_is_blocked_or_was_given_access_is_for_staff_to_decide(
    administrator, learner, course, run_worker
):
    payment = PaymentFactory.create(payer=learner, course=course)
    run_worker(lambda: staff.give_access(payment=payment, by=administrator, reason="a guest"))
    run_worker(lambda: blocks.block(user=learner, by=administrator))
    reconciliation.reconcile_payments()
    assert the_payment().status == "pending"
