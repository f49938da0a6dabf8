"""Each ready role does all day what its description says, and is refused nothing of it."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse

from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import ClosedMonth, Payment
from payments.tests.factories import FindingFactory, LedgerEntryFactory, PaymentFactory
from people.models import Role, User
from people.tests.factories import UserFactory
from people.tests.test_admin import person_form

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

REASON = {"reason": "As agreed"}


@pytest.fixture
def at_work(moderators, client_of):
    """Posts forms as somebody of this role; each has to be taken."""

    def of(name: str) -> Any:
        user = UserFactory.create(is_staff=True)
        user.groups.add(Role.objects.get(name=name).pk)
        client = client_of(user)

        def post(page: str, *args: int, **form: Any) -> User:
            response = client.post(reverse(f"admin:{page}", args=args), form)
            errors = response.context and response.context.get("errors")
            assert response.status_code == 302, (page, response.status_code, errors)
            return user

        return post

    return of


def test_support(at_work, learner):
    does, course = at_work("support"), CourseFactory.create(published=True)
    does("people_user_add", email="nina@school.example", first_name="Nina", language="en")
    new = User.objects.get(email="nina@school.example")
    does("people_user_invite_again", new.pk)
    does("people_user_change", learner.pk, **person_form(learner, city="Riga"))
    does("people_user_block", learner.pk, **REASON)
    does("people_user_unblock", learner.pk, **REASON)
    does("people_user_password_reset", learner.pk)
    does("lms_access_add", user=learner.pk, course=course.pk, lesson="", **REASON)
    access = learner.accesses.get()
    does("lms_access_revoke", access.pk, **REASON)
    access.refresh_from_db()
    learner.refresh_from_db()
    assert (learner.city, learner.is_active) == ("Riga", True)
    assert access.revoked_at is not None
    payment = PaymentFactory.create(payer=learner)
    does("payments_payment_grant_access", payment.pk, **REASON)


def test_accountants(at_work, learner):
    does = at_work("accountants")
    coming, not_coming = PaymentFactory.create_batch(2)
    does("payments_payment_confirm", coming.pk, **REASON)
    does("payments_payment_reject", not_coming.pk, **REASON)
    does("payments_payment_undo_confirmation", coming.pk, **REASON)
    does("payments_payment_confirm", coming.pk, **REASON)
    does("payments_payment_refund", coming.pk, **REASON)
    money = {"amount": "500.00", "method": "cash", "key": uuid4(), **REASON}
    does("payments_payment_add", payer=learner.pk, course=coming.course_id, **money)
    chosen = PaymentFactory.create_batch(2)
    many = {"action": "confirm_many", "confirm": "1", **REASON}
    boxes = {f"take-{order.pk}": "on" for order in chosen}
    keys = [order.pk for order in chosen]
    does("payments_payment_changelist", **many, **boxes, _selected_action=keys)
    assert Payment.objects.filter(status="paid").count() == 3
    finding = FindingFactory.create(kind="paid_without_access", reference="payment:1")
    does("payments_finding_settle", finding.pk, **REASON)
    LedgerEntryFactory.create(day=date(2020, 2, 1))
    does("payments_closedmonth_close", 2020, 2, typed="2020-02")
    assert ClosedMonth.objects.get().month == date(2020, 2, 1)
    for row in (coming, not_coming, finding):
        row.refresh_from_db()
    states = (coming.status, not_coming.status, finding.status)
    assert states == ("refunded", "failed", "settled")


def test_content_editors(at_work):
    does = at_work("content editors")
    user = does("lms_course_add", title="Bread", price="0")
    course = Course.objects.get(owner=user)
    does("lms_lesson_add", course=course.pk, title="Flour")
    lesson = Lesson.objects.get()
    does("lms_course_change", course.pk, title="Bread", price="0", is_published="on")
    does("lms_lesson_change", lesson.pk, course=course.pk, title="Rye")
    change = lesson.history.first()
    does("lms_lesson_put_back", lesson.pk, change.history_id)
    course.refresh_from_db()
    lesson.refresh_from_db()
    assert (course.is_published, lesson.title) == (True, "Flour")
    does("lms_lesson_delete", lesson.pk, post="yes")
    does("lms_course_delete", course.pk, post="yes", typed=course.title)
    assert not Course.objects.exists()


def test_moderators(at_work):
    does, lesson = at_work("moderators"), LessonFactory.create(title="Flour")
    does("lms_lesson_change", lesson.pk, course=lesson.course_id, title="Rye")
    lesson.refresh_from_db()
    assert lesson.title == "Rye"
