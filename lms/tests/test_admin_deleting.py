"""Deleting courses and lessons in the admin: the rule of the API, and pages that stay small."""

import pytest
from django.urls import reverse

from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.tests.factories import PaymentFactory

pytestmark = pytest.mark.django_db


def page(name, *args):
    return reverse(f"admin:lms_{name}", args=args)


@pytest.fixture(params=["course", "lesson of the course", "lesson"])
def paid(request):
    """What can't be deleted, with the name of its pages."""
    lesson = LessonFactory.create(course__title="Bread", course__published=True, title="Flour")
    if request.param == "course":
        PaymentFactory.create(course=lesson.course)
    else:
        PaymentFactory.create(course=None, lesson=lesson, title="Flour")
    return ("lesson", lesson) if request.param == "lesson" else ("course", lesson.course)


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_paid_for_is_not_deleted_and_the_page_says_why(
    client_of, administrator, paid, method
):
    name, subject = paid
    client = client_of(administrator)
    address = page(f"{name}_delete", subject.pk)
    response = getattr(client, method)(address, {"post": "yes"}, follow=True)
    assert response.redirect_chain == [(page(f"{name}_change", subject.pk), 302)]
    [message] = response.context["messages"]
    assert "Someone has paid for this" in str(message)
    assert type(subject).objects.filter(pk=subject.pk).exists()


@pytest.mark.parametrize("confirmed", [{}, {"post": "yes"}])
def test_one_that_is_paid_for_keeps_all_and_is_named(client_of, administrator, paid, confirmed):
    name, subject = paid
    other = CourseFactory.create() if name == "course" else LessonFactory.create()
    form = {"action": "delete_selected", "_selected_action": [subject.pk, other.pk], **confirmed}
    response = client_of(administrator).post(page(f"{name}_changelist"), form, follow=True)
    [message] = response.context["messages"]
    assert str(message).startswith(f"{subject.title}: Someone has paid for this")
    assert type(subject).objects.filter(pk__in=[subject.pk, other.pk]).count() == 2


def test_lesson_that_is_paid_for_is_not_deleted_on_the_page_of_its_course(client_of, administrator):
    lesson = LessonFactory.create(course__published=True)
    PaymentFactory.create(course=None, lesson=lesson, title="Flour")
    course = lesson.course
    form = {
        "title": course.title,
        "price": "0.00",
        "lessons-TOTAL_FORMS": 1,
        "lessons-INITIAL_FORMS": 1,
        "lessons-0-id": lesson.pk,
        "lessons-0-course": course.pk,
        "lessons-0-title": lesson.title,
        "lessons-0-position": lesson.position,
        "lessons-0-DELETE": "on",
    }
    response = client_of(administrator).post(page("course_change", course.pk), form, follow=True)
    assert response.status_code == 200
    assert Lesson.objects.filter(pk=lesson.pk).exists()


@pytest.mark.parametrize("number", [2, 20])
def test_page_that_asks_counts_what_goes_along(
    client_of, administrator, number, django_assert_num_queries
):
    course = CourseFactory.create(title="Bread")
    LessonFactory.create_batch(number, course=course, title="Flour")
    SubscriptionFactory.create_batch(number, course=course)
    client = client_of(administrator)
    # 1 session, 2 person, 3 their log-in, 4 course, 5 its owner, 6 to 8 payments for the course and its lessons,
    # 9 to 11 the same for the page, 12 lessons, 13 subscriptions, 14 rights, 15 completed lessons.
    with django_assert_num_queries(15):
        response = client.get(page("course_delete", course.pk))
    text = response.text
    assert "Flour" not in text
    assert response.context["model_count"] == {
        ("courses", 1),
        ("lessons", number),
        ("subscriptions", number),
    }
    client.post(page("course_delete", course.pk), {"post": "yes"})
    assert not Course.objects.exists()
