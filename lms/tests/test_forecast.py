"""What the page of a course or lesson says, before it is saved, of who would be mailed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils.html import strip_tags

from lms.models import Course, CourseChange, Lesson
from lms.services import authoring, subscriptions
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from lms.tests.test_admin import course_form, messages_of, new_row, page, row_of
from people.models import CourseMails
from people.tests.factories import UserFactory
from project.mail.models import Mailing

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ONE_NOW = "1 subscriber will be notified of the change by email now."
ONE_LATER = "On Nov. 23, 2026, {}, 1 subscriber will be notified of the change by email."
NOTHING = "Nobody will be notified: there is no change to tell of."


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def course(clock, author):
    course = CourseFactory.create(
        owner=author,
        published=True,
        title="Bread",
        materials_updated_at=NOW - timedelta(days=30),
    )
    SubscriptionFactory.create(course=course)
    return course


@pytest.fixture
def lessons(course):
    return tuple(
        LessonFactory.create(course=course, title=title, position=place, video_url="", price=None)
        for place, title in enumerate(["Flour", "Water"])
    )


@pytest.fixture
def told(client_of, administrator, course, lessons):
    """What the page of the course says, with this entered."""

    def ask(**entered: Any) -> list[str]:
        form = course_form(course, lessons, is_published="on") | entered
        return said(client_of(administrator), page("course_forecast", course.pk), form)

    return ask


def said(client: Any, address: str, form: dict[str, Any]) -> list[str]:
    response = client.post(address, form)
    assert response.status_code == 200
    lines = re.split("</p>|</li>", response.content.decode())
    return [text for line in lines if (text := " ".join(strip_tags(line).split()))]


def lesson_form(lesson: Lesson, **entered: Any) -> dict[str, Any]:
    form = {
        "course": lesson.course_id,
        "title": lesson.title,
        "description": lesson.description,
        "video_url": lesson.video_url,
        "price": "",
    }
    return form | entered


def test_a_form_in_which_nothing_was_changed_tells_nobody(told, lessons):
    assert told() == [NOTHING]
    order = ",".join(f"lesson-{lesson.pk}" for lesson in reversed(lessons))
    assert told(lesson_order=order) == [NOTHING]


def test_it_names_all_that_the_mail_would_and_saves_nothing(told, course, lessons, settings):
    settings.CURRENCY = "RUB"
    entered = {"title": "Rolls", "price": "5.00"}
    entered |= row_of(lessons[0], title="Rye flour") | new_row(title="Salt")
    assert told(**entered) == [
        ONE_NOW,
        "Course renamed: Bread → Rolls",
        "Price of the course changed: Free → ₽5",
        "Lesson renamed: Flour → Rye flour",
        "Lesson added: Salt",
    ]
    assert not CourseChange.objects.exists()
    assert Course.objects.get().title == "Bread"
    assert set(course.lessons.values_list("title", flat=True)) == {"Flour", "Water"}


def test_it_says_what_the_page_says_after_saving(client_of, administrator, course, lessons, clock):
    client = client_of(administrator)
    for title, when in (("Rolls", ONE_NOW), ("Buns", ONE_LATER.format("17:00"))):
        form = course_form(course, lessons, is_published="on", title=title)
        before = said(client, page("course_forecast", course.pk), form)
        after = client.post(page("course_change", course.pk), form, follow=True)
        assert before[0] == when
        assert when in messages_of(after)
        clock.shift(timedelta(hours=1))
        course.refresh_from_db()


def test_it_tells_what_was_collected_before_and_would_go_out_later(told, course, lessons, clock):
    for title in ("Rolls", "Buns"):
        authoring.update_course(course=course, changes={"title": title}, by=course.owner)
    clock.shift(timedelta(hours=1))
    course.refresh_from_db()
    assert told(title="Buns") == [ONE_LATER.format("16:00"), "Course renamed: Rolls → Buns"]
    collected = told(title="Buns", **row_of(lessons[0], title="Oats"))
    assert collected == [
        ONE_LATER.format("17:00"),
        "Course renamed: Rolls → Buns",
        "Lesson renamed: Flour → Oats",
    ]
    # What is changed back is not told.
    assert told(title="Rolls") == [NOTHING]


def test_a_minor_edit_tells_nobody_but_what_waits_still_waits(told, course):
    minor = "Minor edit: nobody will be notified of it."
    assert told(title="Rolls", minor_edit="on") == [minor]
    for title in ("Rolls", "Buns"):
        authoring.update_course(course=course, changes={"title": title}, by=course.owner)
    course.refresh_from_db()
    waiting = [ONE_LATER.format("16:00"), "Course renamed: Rolls → Buns"]
    assert told(title="Buns", description="Anew", minor_edit="on") == [
        f"{minor} What was changed before still waits.",
        *waiting,
    ]


def test_a_price_waits_for_another_change(told):
    assert told(price="5.00")[0].startswith("Nobody will be notified now. The next email")


@pytest.mark.parametrize("entered", [{"title": "Rolls"}, {}], ids=["renamed", "as it is"])
def test_a_course_that_is_or_becomes_a_draft_tells_nobody(told, entered):
    nobody = "Nobody will be notified: the course is not published."
    assert told(is_published="", **entered) == [nobody]


def test_of_a_draft_that_is_published_the_form_tells_what_is_new_and_not_what_was(told):
    Course.objects.update(is_published=False)
    assert told(title="Rolls", price="5.00") == [ONE_NOW, "Course renamed"]


def test_who_saves_is_not_counted(told, course, administrator):
    course.subscriptions.update(user=administrator)
    assert told(title="Rolls")[0].startswith("Nobody will be notified: the course has no subscr")


def test_who_chose_the_daily_mail_is_counted_apart_and_who_chose_none_is_not(told, course):
    for how, number in ((CourseMails.DAILY, 2), (CourseMails.NEVER, 3)):
        for _number in range(number):
            person = UserFactory.create(course_mails=how)
            subscriptions.subscribe(user=person, course=course)
    daily = "2 subscribers will read of it in their daily email."
    assert told(title="Rolls")[0] == f"{ONE_NOW} {daily}"
    course.subscriptions.filter(user__course_mails=CourseMails.AT_ONCE).delete()
    assert told(title="Rolls")[0] == daily


def test_deleted_rows_and_rows_with_faults_are_understood(
    client_of, administrator, course, lessons
):
    form = course_form(course, lessons, is_published="on", title="")
    form |= row_of(lessons[0], DELETE="on") | row_of(lessons[1], price="much")
    found = said(client_of(administrator), page("course_forecast", course.pk), form)
    assert "Lesson removed: Flour" in found


def test_the_page_of_a_lesson_tells_the_same(client_of, moderator, lessons, course):
    form = lesson_form(lessons[0], title="Oats", description="Anew")
    assert said(client_of(moderator), page("lesson_forecast", lessons[0].pk), form) == [
        ONE_NOW,
        "Lesson renamed: Flour → Oats",
        "Lesson description changed: Oats",
    ]


def test_of_a_lesson_that_moves_both_courses_are_told(client_of, administrator, lessons, course):
    other = CourseFactory.create(published=True, title="Cheese")
    form = lesson_form(lessons[0], course=other.pk, title="Rennet")
    assert said(client_of(administrator), page("lesson_forecast", lessons[0].pk), form) == [
        f"Bread: {ONE_NOW}",
        "Lesson removed: Flour",
        "Cheese: Nobody will be notified: the course has no subscribers whom email reaches.",
        "Lesson added: Rennet",
    ]


def test_a_new_lesson_tells_before_it_is_there(client_of, administrator, course):
    address = page("lesson_add_forecast")
    form = {"course": course.pk, "title": "Salt"}
    assert said(client_of(administrator), address, form) == [ONE_NOW, "Lesson added: Salt"]
    assert said(client_of(administrator), address, {"title": "Salt"}) == [NOTHING]
    assert not Lesson.objects.exists()


def test_a_new_course_tells_nobody(client_of, administrator):
    form = course_form(None, is_published="on")
    assert said(client_of(administrator), page("course_add_forecast"), form) == [NOTHING]


def test_only_who_may_save_the_form_may_ask(
    client_of, support, stranger, moderator, lessons, course
):
    forms = {
        page("course_forecast", course.pk): course_form(course, lessons, title="Rolls"),
        page("lesson_forecast", lessons[0].pk): lesson_form(lessons[0], title="Oats"),
    }
    for address, form in forms.items():
        assert client_of(support).post(address, form).status_code == 403
        assert client_of(stranger).post(address, form).status_code == 302
        assert client_of(moderator).post(address, form).status_code == 200
    for address in (page("course_add_forecast"), page("lesson_add_forecast")):
        assert client_of(moderator).post(address, {"title": "New"}).status_code == 403
    assert not Mailing.objects.exists()


def test_without_scripts_the_page_says_what_always_holds(client_of, moderator, course, lessons):
    for address in (page("course_change", course.pk), page("lesson_change", lessons[0].pk)):
        shown = client_of(moderator).get(address).content.decode()
        assert "Unless it is a minor edit, the subscribers" in shown
