"""Asking to pay for a course or lesson, in cash or by transfer."""

import itertools
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lms.models import Access, Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import IdempotencyKey, Payment, PaymentStatus
from payments.tasks import forget_old_keys
from payments.tests.factories import PaymentFactory
from payments.tests.failures import everything, failing_at
from project.tests.races import at_once, statuses

pytestmark = pytest.mark.django_db

KEY = {"Idempotency-Key": "0b6c2f0a-3a52-4d4f-9d4e-0a6f5d5b8c11"}


@pytest.fixture
def course(author):
    return CourseFactory.create(owner=author, published=True, price=Decimal("1990.00"))


@pytest.fixture
def lesson(course):
    """One of several that cost the same, here and elsewhere."""
    price = Decimal("250.50")
    LessonFactory.create(course__published=True, price=price)
    LessonFactory.create(course=course, price=price)
    return LessonFactory.create(course=course, price=price)


def ask(client, headers=None, method="cash", **target):
    return client.post("payments", target | {"method": method}, headers=headers or {})


def test_a_learner_asks_to_pay_for_a_course(api, learner, course):
    response = ask(api(learner), course_id=course.pk)
    assert response.status_code == 201
    payment = Payment.objects.get()
    assert response.json() == api(learner).get(f"payments/{payment.pk}").json()
    assert (payment.payer, payment.course, payment.lesson) == (learner, course, None)
    assert (payment.title, payment.amount, payment.currency) == (
        course.title, Decimal("1990.00"), "RUB",
    )  # fmt: skip
    assert (payment.method, payment.status, payment.paid_at) == ("cash", "pending", None)


def test_a_learner_asks_to_pay_for_a_lesson(api, learner, lesson):
    response = ask(api(learner), lesson_id=lesson.pk, course_id=None, method="transfer")
    assert response.status_code == 201
    read = response.json()
    assert (read["lesson_id"], read["course_id"]) == (lesson.pk, None)
    assert (read["title"], read["amount"], read["method"]) == (
        lesson.title, "250.50", "transfer",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "location", "code"),
    [
        ({"method": "cash"}, ["body"], "not_one_target"),
        ({"method": "cash", "course_id": None}, ["body"], "not_one_target"),
        ({"method": "cash", "course_id": 1, "lesson_id": 1}, ["body"], "not_one_target"),
        ({"course_id": 1}, ["body", "method"], "missing"),
        ({"course_id": 1, "method": "gold"}, ["body", "method"], "enum"),
        ({"course_id": 1, "method": None}, ["body", "method"], "enum"),
        ({"course_id": 1, "method": ["cash"]}, ["body", "method"], "enum"),
        ({"course_id": "x", "method": "cash"}, ["body", "course_id"], "int_type"),
        ({"course_id": 0, "method": "cash"}, ["body", "course_id"], "greater_than_equal"),
        ({"lesson_id": 10**30, "method": "cash"}, ["body", "lesson_id"], "less_than_equal"),
        ({"course_id": 1, "method": "cash", "amount": "1.00"}, ["body", "amount"],
         "extra_forbidden"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_named(api, learner, body, location, code):
    response = api(learner).post("payments", body)
    assert response.status_code == 422, response.content
    errors = response.json()["errors"]
    assert [(error["loc"], error["code"]) for error in errors] == [(location, code)]
    assert not Payment.objects.exists()


def test_nobody_can_tell_a_draft_from_nothing(api, learner, moderator, author):
    draft = CourseFactory.create(owner=author, price=Decimal(5))
    lesson = LessonFactory.create(course=draft, price=Decimal(5))
    for person in (learner, moderator):
        nothing = ask(api(person), course_id=draft.pk + 1000)
        answers = [ask(api(person), course_id=draft.pk), ask(api(person), lesson_id=lesson.pk)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert {answer.content for answer in answers} == {nothing.content}
        assert nothing.json()["code"] == "not_found"
    assert not Payment.objects.exists()


def test_what_is_free_or_not_sold_on_its_own_is_not_paid_for(api, learner, course):
    free = CourseFactory.create(published=True, price=0)
    targets = [
        {"course_id": free.pk},
        {"lesson_id": LessonFactory.create(course=course, price=None).pk},
        {"lesson_id": LessonFactory.create(course=course, price=0).pk},
    ]
    for target in targets:
        response = ask(api(learner), **target)
        assert (response.status_code, response.json()["code"]) == (409, "nothing_to_pay")
    assert not Payment.objects.exists()
    # Also to who has it already.
    Access.objects.create(user=learner, course=free, source="enrollment")
    Access.objects.create(user=learner, course=course, source="grant")
    for target in targets:
        assert ask(api(learner), **target).json()["code"] == "nothing_to_pay"


def test_authors_do_not_buy_what_is_theirs(api, author, lesson):
    for target in ({"course_id": lesson.course_id}, {"lesson_id": lesson.pk}):
        response = ask(api(author), **target)
        assert (response.status_code, response.json()["code"]) == (409, "already_paid")
    draft = CourseFactory.create(owner=author, price=Decimal(5))
    assert ask(api(author), course_id=draft.pk).json()["code"] == "already_paid"


@pytest.mark.parametrize("source", ["enrollment", "grant"])
@pytest.mark.parametrize("of", ["course", "lesson"])
def test_who_has_access_by_another_right_is_not_charged(api, learner, lesson, source, of):
    """A course covers its lessons; a lesson does not cover its course."""
    right = Access.objects.create(user=learner, source=source, **{of: getattr(lesson, of, lesson)})
    targets = [{"lesson_id": lesson.pk}] + [{"course_id": lesson.course_id}] * (of == "course")
    for target in targets:
        response = ask(api(learner), **target)
        assert (response.status_code, response.json()["code"]) == (409, "already_paid")
    assert of == "course" or ask(api(learner), course_id=lesson.course_id).status_code == 201
    right.revoked_at = timezone.now()
    right.save()
    for target in targets:
        assert ask(api(learner), **target).status_code == 201


def test_moderators_and_administrators_who_see_everything_are_not_charged(
    api, moderator, administrator, lesson
):
    for person in (moderator, administrator):
        for target in ({"course_id": lesson.course_id}, {"lesson_id": lesson.pk}):
            assert ask(api(person), **target).json()["code"] == "already_paid"


def test_a_preview_that_is_open_to_everybody_is_not_paid_for(api, learner, lesson):
    Lesson.objects.filter(pk=lesson.pk).update(is_preview=True)
    assert ask(api(learner), lesson_id=lesson.pk).json()["code"] == "already_paid"
    assert ask(api(learner), course_id=lesson.course_id).status_code == 201


def test_a_paid_course_covers_its_lessons(api, learner, lesson):
    PaymentFactory.create(payer=learner, course=lesson.course, paid=True)
    for target in ({"course_id": lesson.course_id}, {"lesson_id": lesson.pk}):
        response = ask(api(learner), **target)
        assert (response.status_code, response.json()["code"]) == (409, "already_paid")


def test_a_paid_lesson_covers_only_itself(api, learner, lesson):
    PaymentFactory.create(payer=learner, lesson=lesson, course=None, paid=True)
    other = LessonFactory.create(course=lesson.course, price=Decimal(1))
    assert ask(api(learner), lesson_id=lesson.pk).json()["code"] == "already_paid"
    assert ask(api(learner), lesson_id=other.pk).status_code == 201
    assert ask(api(learner), course_id=lesson.course_id).status_code == 201


def test_payments_of_others_and_payments_that_came_to_nothing_pay_for_nothing(
    api, learner, stranger, course
):
    PaymentFactory.create(payer=stranger, course=course, paid=True)
    PaymentFactory.create(payer=learner, course=course, refunded=True)
    for status in (PaymentStatus.FAILED, PaymentStatus.EXPIRED):
        PaymentFactory.create(payer=learner, course=course, status=status)
    assert ask(api(learner), course_id=course.pk).status_code == 201


def test_asking_again_leads_to_the_payment_that_waits(api, learner, stranger, lesson, settings):
    """The same person's, for the same thing, of the same kind of money."""
    price = lesson.price
    Course.objects.update(price=price)
    sibling = lesson.course.lessons.exclude(pk=lesson.pk).get()
    elsewhere = Lesson.objects.exclude(course=lesson.course).get()
    targets = [
        {"course_id": lesson.course_id}, {"course_id": elsewhere.course_id},
        {"lesson_id": lesson.pk}, {"lesson_id": sibling.pk},
    ]  # fmt: skip
    orders = list(itertools.product((learner, stranger), ("cash", "transfer"), targets))
    answers = [ask(api(person), method=how, **target) for person, how, target in orders]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == len(orders) == 16
    assert {Decimal(answer.json()["amount"]) for answer in answers} == {price}
    for (person, how, target), first in zip(orders, answers, strict=True):
        again = ask(api(person), method=how, **target)
        assert (again.status_code, again.json()) == (200, first.json())
        payment = Payment.objects.get(pk=first.json()["id"])
        assert (payment.payer, payment.method) == (person, how)
        assert target in ({"course_id": payment.course_id}, {"lesson_id": payment.lesson_id})
    settings.CURRENCY = "USD"
    assert ask(api(learner), **targets[0]).status_code == 201


def test_a_changed_price_is_a_new_offer(api, learner, course):
    old = ask(api(learner), course_id=course.pk).json()
    course.price = Decimal("990.00")
    course.save()
    new = ask(api(learner), course_id=course.pk)
    assert new.status_code == 201
    assert new.json()["amount"] == "990.00"
    assert Payment.objects.get(pk=old["id"]).amount == Decimal("1990.00")


def test_imported_twins_do_not_hinder(api, learner, course):
    _older, newer = PaymentFactory.create_batch(2, payer=learner, course=course)
    response = ask(api(learner), course_id=course.pk)
    assert (response.status_code, response.json()["id"]) == (200, newer.pk)


def test_a_repeat_with_its_key_gets_the_first_answer(api, learner, course):
    first = ask(api(learner), KEY, course_id=course.pk)
    assert first.status_code == 201
    course.is_published = False
    course.save()
    Payment.objects.update(status=PaymentStatus.FAILED)
    repeat = ask(api(learner), KEY, course_id=course.pk)
    assert repeat.status_code == 201
    assert repeat.json()["id"] == first.json()["id"]
    assert Payment.objects.count() == 1


def test_a_key_remembers_that_nothing_was_created(api, learner, course):
    PaymentFactory.create(payer=learner, course=course)
    answers = [ask(api(learner), KEY, course_id=course.pk) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_key_of_another_request_is_refused(api, learner, course, lesson):
    sibling = course.lessons.exclude(pk=lesson.pk).get()
    other = {"Idempotency-Key": "other"}
    ask(api(learner), other, lesson_id=lesson.pk)
    response = ask(api(learner), other, lesson_id=sibling.pk)
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_key_reused")
    ask(api(learner), KEY, course_id=course.pk)
    for response in (
        ask(api(learner), KEY, lesson_id=lesson.pk),
        ask(api(learner), KEY, course_id=course.pk, method="transfer"),
        ask(api(learner), KEY, course_id=lesson.pk + 1000),
    ):
        assert (response.status_code, response.json()["code"]) == (409, "idempotency_key_reused")
    assert Payment.objects.count() == 2


def test_keys_of_two_people_have_nothing_to_do_with_each_other(api, learner, stranger, course):
    """Nor have two keys of one person."""
    answers = [ask(api(person), KEY, course_id=course.pk) for person in (learner, stranger)]
    assert [answer.status_code for answer in answers] == [201, 201]
    payers = [Payment.objects.get(pk=answer.json()["id"]).payer for answer in answers]
    assert payers == [learner, stranger]
    assert [key.user for key in IdempotencyKey.objects.order_by("pk")] == [learner, stranger]
    other = ask(api(learner), {"Idempotency-Key": "k"}, course_id=course.pk, method="transfer")
    assert other.status_code == 201
    assert other.json()["id"] not in {answer.json()["id"] for answer in answers}


def test_a_refused_request_leaves_its_key_free(api, learner, course):
    course.price = 0
    course.save()
    assert ask(api(learner), KEY, course_id=course.pk).status_code == 409
    assert not IdempotencyKey.objects.exists()
    course.price = 5
    course.save()
    assert ask(api(learner), KEY, course_id=course.pk).status_code == 201


def test_a_key_is_known_for_thirty_days(api, learner, course, monkeypatch):
    monkeypatch.setattr("payments.services.purchase.KEYS_AT_ONCE", 2)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        first = ask(api(learner), KEY, course_id=course.pk)
        for number in range(4):
            ask(api(learner), {"Idempotency-Key": f"k{number}"}, course_id=course.pk)
        clock.shift(timedelta(days=30))
        assert forget_old_keys() == {"keys_forgotten": 0}
        again = ask(api(learner), KEY, course_id=course.pk)
        assert (again.status_code, again.json()) == (201, first.json())
        clock.shift(timedelta(seconds=1))
        with CaptureQueriesContext(connection) as captured:
            assert forget_old_keys() == {"keys_forgotten": 5}
        assert sum("DELETE" in query["sql"] for query in captured) == 3, "two at a time"
    assert Payment.objects.exists()


def test_whatever_the_database_refuses_nothing_of_an_order_is_half_done(api, learner, course):
    answers, before, failures = [], everything(), 0
    while failing_at(failures, lambda: answers.append(ask(api(learner), KEY, course_id=course.pk))):
        assert answers[-1].status_code >= 500
        assert everything() == before
        failures += 1
    # The payment and the key.
    assert (failures, answers[-1].status_code) == (2, 201)
    payment, key = Payment.objects.get(), IdempotencyKey.objects.get()
    assert (key.user, key.payment, key.created_payment) == (learner, payment, True)


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "кириллица"])
def test_a_key_that_is_none_is_refused(api, learner, course, key):
    response = ask(api(learner), {"Idempotency-Key": key}, course_id=course.pk)
    assert response.status_code == 422
    errors = response.json()["errors"]
    assert [error["loc"] for error in errors] == [["header", "Idempotency-Key"]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [{}, KEY], ids=["without key", "with key"])
def test_twenty_requests_at_once_make_one_payment(api, learner, course, headers):
    client = api(learner)
    answers = at_once(
        *[lambda: ask(api(learner), headers, course_id=course.pk)] * 20, before_writing=Payment
    )
    assert statuses(answers) == ({201: 20} if headers else {201: 1, 200: 19})
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert client.get("payments").json()["count"] == 1


def test_number_of_queries_of_a_request(api, learner, lesson, django_assert_num_queries):
    client = api(learner)
    # The account of the token; begin, lock, key, course held, lesson with its course, open already,
    # paid already, pending already, payment, key, commit.
    with django_assert_num_queries(12):
        assert ask(client, KEY, lesson_id=lesson.pk).status_code == 201
