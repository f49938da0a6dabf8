"""Deleting courses and lessons in the admin: the rule of the API, and pages that stay small."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils.html import escape

from lms.models import Course
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from lms.tests.test_admin import course_form, row_of
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


REASONS = {
    "course": "Someone has paid for “{}” or a lesson of it, or is about to, so it can't be deleted. "
    "Unpublish it instead: whoever has access keeps it, nobody else sees it any more.",
    "lesson": "Someone has paid for “{}” or its course, or is about to, so it can't be deleted. "
    "Unpublish it instead: those who bought it on its own keep it, nobody else sees it any more.",
}


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
    assert str(message) == REASONS[name].format(subject.title)
    assert type(subject).objects.filter(pk=subject.pk).exists()


def test_the_api_says_the_same(api, administrator, paid):
    name, subject = paid
    answer = api(administrator).delete(f"{name}s/{subject.pk}").json()
    assert (answer["code"], answer["detail"]) == (
        "has_payments",
        REASONS[name].format(subject.title),
    )


@pytest.mark.parametrize("confirmed", [{}, {"post": "yes"}])
def test_one_that_is_paid_for_keeps_all_and_is_named(client_of, administrator, paid, confirmed):
    name, subject = paid
    other = CourseFactory.create() if name == "course" else LessonFactory.create()
    form = {"action": "delete_selected", "_selected_action": [subject.pk, other.pk], **confirmed}
    response = client_of(administrator).post(page(f"{name}_changelist"), form, follow=True)
    assert list(map(str, response.context["messages"])) == [
        "Nothing was deleted.",
        REASONS[name].format(subject.title),
    ]
    assert type(subject).objects.filter(pk__in=[subject.pk, other.pk]).count() == 2


def test_several_that_are_paid_for_are_named_together(client_of, administrator):
    lessons = [LessonFactory.create(title=title) for title in ("Flour", "Salt", "Water")]
    for lesson in lessons[:2]:
        PaymentFactory.create(course=lesson.course)
    form = {"action": "delete_selected", "_selected_action": [one.pk for one in lessons]}
    response = client_of(administrator).post(page("lesson_changelist"), form, follow=True)
    said = [*map(str, response.context["messages"])][-1]
    assert sorted(re.findall("“(.*?)”", said)) == ["Flour", "Salt"]
    assert "Unpublish them instead" in said


@pytest.mark.parametrize("is_paid", ["course", "lesson", ""])
def test_a_row_that_is_kept_says_why_and_nothing_of_the_form_is_saved(
    client_of, administrator, is_paid
):
    course = CourseFactory.create(title="Bread")
    lessons = tuple(LessonFactory.create(course=course, title=title) for title in ("Flour", "Salt"))
    if is_paid:
        of = {"course": course} if is_paid == "course" else {"course": None, "lesson": lessons[0]}
        PaymentFactory.create(**of, title="Paid")
    form = course_form(course, lessons, title="Rolls") | row_of(lessons[0], DELETE="on")
    form |= row_of(lessons[1], title="Sea salt")
    response = client_of(administrator).post(page("course_change", course.pk), form)
    course.refresh_from_db()
    titles = [lesson.title for lesson in course.lessons.order_by("pk")]
    if not is_paid:
        assert response.status_code == 302
        assert (course.title, titles) == ("Rolls", ["Sea salt"])
        return
    assert (course.title, titles) == ("Bread", ["Flour", "Salt"])
    assert response.context["adminform"].form["title"].value() == "Rolls"
    kept, other = response.context["adminform"].form.rows.shown
    assert kept.error == REASONS["lesson"].format("Flour")
    assert not kept.is_deleted
    assert escape(kept.error) in response.text
    assert other.form["title"].value() == "Sea salt"
    assert [fault.text for fault in response.context["errors"]] == [kept.error]


@pytest.mark.parametrize("number", [2, 20])
def test_page_that_asks_counts_what_goes_along(
    client_of, administrator, number, django_assert_num_queries
):
    course = CourseFactory.create(title="Bread")
    LessonFactory.create_batch(number, course=course, title="Flour")
    SubscriptionFactory.create_batch(number, course=course)
    client = client_of(administrator)
    # 1 session, 2 person, 3 their log-in, 4 course with its owner, 5 and 6 payments for it and its lessons, 7 to 9 the
    # same for the page, 10 lessons, 11 subscriptions, 12 rights, 13 completed lessons.
    with django_assert_num_queries(13):
        response = client.get(page("course_delete", course.pk))
    text = response.text
    assert "Flour" not in text
    assert response.context["model_count"] == {
        ("courses", 1),
        ("lessons", number),
        ("subscriptions", number),
    }
    client.post(page("course_delete", course.pk), {"post": "yes", "typed": "bread"})
    assert not Course.objects.exists()


@pytest.mark.parametrize(
    ("on_list", "number", "asked"), [(False, 1, "Bread"), (True, 1, "Bread"), (True, 2, "2")]
)
def test_courses_are_deleted_only_by_who_types_their_title_or_number(
    client_of, administrator, on_list, number, asked
):
    courses = CourseFactory.create_batch(number, title="Bread")
    LessonFactory.create(course=courses[0])
    client = client_of(administrator)
    address = page("course_changelist") if on_list else page("course_delete", courses[0].pk)
    form = {"action": "delete_selected", "_selected_action": [one.pk for one in courses]}
    question = client.post(address, form) if on_list else client.get(address)
    assert f"To confirm, type: {asked}" in question.text
    refused = client.post(address, form | {"post": "yes", "typed": "Rolls"})
    assert "This is not “" in refused.text
    assert Course.objects.count() == number
    client.post(address, form | {"post": "yes", "typed": asked.lower()})
    assert not Course.objects.exists()


@pytest.mark.parametrize("on_list", [False, True])
def test_a_course_that_has_changed_since_the_question_stays(client_of, administrator, on_list):
    course = CourseFactory.create(title="Bread")
    client = client_of(administrator)
    address = page("course_changelist") if on_list else page("course_delete", course.pk)
    form = {"action": "delete_selected", "_selected_action": [course.pk]}
    question = client.post(address, form) if on_list else client.get(address)
    authoring.create_lesson(course=course, fields={"title": "Flour"}, by=course.owner)
    answer = form | {"post": "yes", "typed": "Bread", **dict(question.context["seen"])}
    response = client.post(address, answer, follow=True)
    said = [str(message) for message in response.context["messages"]]
    assert "This has changed since you last loaded it." in said
    assert Course.objects.exists()
    assert not LogEntry.objects.exists()
