"""Amounts typed in the forms of the admin: as either language writes them, in both. Filters have a file of
their own."""

import re
from decimal import Decimal
from html import unescape

import pytest
from django.urls import reverse

from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory
from lms.tests.test_admin import course_form, row_of
from payments.models import Payment, Refund
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

NBSP = "\N{NO-BREAK SPACE}"
AMOUNT = {"en": "4,900.50", "ru": f"4{NBSP}900,50"}
NO_AMOUNT = {
    "en": "Enter an amount like 4,900.50.",
    "ru": f"Введите сумму, например: 4{NBSP}900,50.",
}
BOTH = pytest.mark.parametrize("language", ["en", "ru"])


@pytest.fixture
def office(client_of, administrator, language):
    client = client_of(administrator)
    client.post(reverse("set_language"), {"language": language})
    return client


def price_of_course(office, amount):
    course = CourseFactory.create()
    address = reverse("admin:lms_course_change", args=[course.pk])
    page = office.post(address, course_form(course, price=amount))
    return page, Course.objects.get().price, address


def price_of_row(office, amount):
    lesson = LessonFactory.create()
    address = reverse("admin:lms_course_change", args=[lesson.course_id])
    form = course_form(lesson.course, (lesson,)) | row_of(lesson, price=amount)
    return office.post(address, form), Lesson.objects.get().price, ""


def price_of_lesson(office, amount):
    lesson = LessonFactory.create()
    address = reverse("admin:lms_lesson_change", args=[lesson.pk])
    form = {"title": "Flour", "description": "", "price": amount, "course": lesson.course_id}
    return office.post(address, form), Lesson.objects.get().price, address


def recorded(office, amount):
    course = CourseFactory.create()
    form = {
        "payer": UserFactory.create().pk, "course": course.pk, "amount": amount, "method": "cash",
        "reason": "Seen", "key": "7f1c3a52-0d0c-4b8c-8d0e-2f3b7f0a9a11",
    }  # fmt: skip
    page = office.post(reverse("admin:payments_payment_add"), form)
    payment = Payment.objects.first()
    return page, payment and payment.amount, ""


def refunded(office, amount):
    payment = PaymentFactory.create(paid=True, amount=9000, method="cash")
    address = reverse("admin:payments_payment_refund", args=[payment.pk])
    form = {"reason": "Asked", "amount": amount, "confirmed": "yes", "seen": seen(office, address)}
    page = office.post(address, form)
    refund = Refund.objects.first()
    return page, refund and refund.amount, ""


def seen(office, address):
    found = re.search(r'name="seen" value="([^"]*)"', office.get(address).text)
    return unescape(found[1]) if found else ""


DOORS = [price_of_course, price_of_row, price_of_lesson, recorded, refunded]


@BOTH
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("of", ["en", "ru"])
def test_an_amount_is_read_as_either_language_writes_it(office, language, door, of):
    page, amount, address = door(office, AMOUNT[of])
    assert (page.status_code, amount) == (302, Decimal("4900.50"))
    if address:
        text = office.get(address).text
        assert f'value="{AMOUNT[language]}"' in text
        beside = {
            "en": r'₽\s*</span>\s*<input[^>]*name="price"',
            "ru": r'name="price"[^>]*>\s*<span[^>]*>\s*₽',
        }
        assert re.search(beside[language], text)


@BOTH
@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_amount_is_said_at_the_field(office, language, door):
    page, amount, _address = door(office, "much")
    assert page.status_code == 200
    assert amount != Decimal("4900.50")
    assert NO_AMOUNT[language] in unescape(page.text)
