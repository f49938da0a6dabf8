"""What one saved form or one request changes is one update: one mail, or collected as a whole."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from lms.history import changes_of_course
from lms.models import ChangeKind, Course, CourseChange, CourseUpdate
from lms.services import authoring
from lms.tasks import tell_collected_updates
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from lms.tests.test_admin import course_form, messages_of, new_row, page, row_of
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory
from project.mail.models import Mailing
from project.mail.tasks import deliver_mail
from project.tests.processes import wait_until
from project.tests.races import Runner, at_once

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
READER = "reader@school.example"


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def course(clock, author):
    course = quiet_course(author, "Bread")
    course.subscriptions.update(user=UserFactory.create(email=READER))
    return course


def quiet_course(owner, title):
    course = CourseFactory.create(
        owner=owner,
        published=True,
        title=title,
        materials_updated_at=timezone.now() - timedelta(days=30),
    )
    SubscriptionFactory.create(course=course)
    return course


@pytest.fixture
def lessons(course):
    return tuple(
        LessonFactory.create(course=course, title=title, position=place)
        for place, title in enumerate(["Flour", "Water"])
    )


@pytest.fixture
def form(course, lessons):
    """A new title of the course and of both lessons."""
    titles = row_of(lessons[0], title="Rye flour") | row_of(lessons[1], title="Warm water")
    return course_form(course, lessons, title="Rolls", is_published="on") | titles


def text_of(message):
    return message.get_body(["plain"]).get_content()


def kinds_of_mails():
    return [
        sorted(change.kind for change in update.changes.all())
        for update in CourseUpdate.objects.order_by("id")
    ]


def test_a_saved_form_that_changes_a_course_and_two_lessons_sends_one_mail(
    client_of, administrator, course, lessons, form, sink
):
    saved = client_of(administrator).post(page("course_change", course.pk), form, follow=True)
    assert kinds_of_mails() == [["course_renamed", "lesson_renamed", "lesson_renamed"]]
    assert "1 subscriber will be notified of the change by email now." in messages_of(saved)
    assert not CourseChange.objects.filter(update=None).exists()
    deliver_mail()
    [message] = sink.messages(READER)
    for title in ("Rolls", "Rye flour", "Warm water"):
        assert title in text_of(message)
    assert Mailing.objects.get().title == "Rolls"


def test_a_second_form_is_collected_as_a_whole_and_the_page_says_when_it_goes_out(
    client_of, administrator, course, lessons, form, clock
):
    client = client_of(administrator)
    client.post(page("course_change", course.pk), form)
    clock.shift(timedelta(hours=1))
    again = form | {"title": "Buns"} | row_of(lessons[0], title="Oats")
    again |= row_of(lessons[1], DELETE="on")
    saved = client.post(page("course_change", course.pk), again, follow=True)
    assert "On Nov. 23, 2026, 17:00, 1 subscriber will be notified" in messages_of(saved)
    clock.shift(timedelta(hours=4, microseconds=1))
    assert tell_collected_updates() == {"courses_told": 1}
    assert kinds_of_mails()[1:] == [["course_renamed", "lesson_removed", "lesson_renamed"]]


def test_lessons_that_a_form_adds_and_deletes_are_in_the_same_mail(
    client_of, administrator, course, lessons
):
    rows = course_form(course, lessons, is_published="on") | row_of(lessons[0], DELETE="on")
    rows |= new_row(title="Salt")
    client_of(administrator).post(page("course_change", course.pk), rows)
    assert kinds_of_mails() == [["lesson_added", "lesson_removed"]]


def test_lessons_that_are_deleted_together_are_one_update_of_each_course(
    client_of, administrator, course, lessons, author
):
    other = quiet_course(author, "Cheese")
    milk = LessonFactory.create(course=other, title="Milk")
    chosen = [lesson.pk for lesson in (*lessons, milk)]
    request = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    saved = client_of(administrator).post(page("lesson_changelist"), request, follow=True)
    assert sorted(kinds_of_mails()) == [["lesson_removed"], ["lesson_removed", "lesson_removed"]]
    assert Mailing.objects.count() == messages_of(saved).count("1 subscriber will be notified") == 2


def test_who_deletes_one_lesson_hears_who_is_mailed(client_of, administrator, lessons):
    delete = page("lesson_delete", lessons[0].pk)
    saved = client_of(administrator).post(delete, {"post": "yes"}, follow=True)
    assert "1 subscriber will be notified of the change by email now." in messages_of(saved)


def test_a_lesson_that_a_form_moves_is_one_update_of_each_course(
    client_of, administrator, course, lessons, author
):
    other = quiet_course(author, "Cheese")
    moved: dict[str, Any] = {"course": other.pk, "title": "Rennet", "description": "", "price": ""}
    saved = client_of(administrator).post(
        page("lesson_change", lessons[0].pk), moved | {"video_url": ""}, follow=True
    )
    assert kinds_of_mails() == [["lesson_removed"], ["lesson_added"]]
    assert messages_of(saved).count("1 subscriber will be notified") == 2


def test_what_is_put_back_is_one_update(client_of, administrator, author, course):
    changes = {"title": "Rolls", "description": "Anew"}
    authoring.update_course(course=course, changes=changes, by=author, notify=False)
    [change] = changes_of_course(course)[:1]
    saved = client_of(administrator).post(
        page("course_put_back", course.pk, change.id), follow=True
    )
    assert kinds_of_mails() == [["course_renamed", "course_text"]]
    assert "1 subscriber will be notified of the change by email now." in messages_of(saved)


def test_what_one_request_changes_is_one_update(api, author, course, lessons, clock):
    body = {"title": "Rolls", "description": "Anew"}
    api(author).patch(f"courses/{course.pk}", body)
    assert kinds_of_mails() == [["course_renamed", "course_text"]]
    clock.shift(timedelta(hours=4, microseconds=1))
    body |= {"title": "Oats", "video_url": ""}
    api(author).patch(f"lessons/{lessons[0].pk}", body)
    assert kinds_of_mails()[1:] == [["lesson_renamed", "lesson_text", "video_replaced"]]


def test_a_minor_edit_of_a_whole_form_tells_nobody(client_of, administrator, course, form):
    address = page("course_change", course.pk)
    saved = client_of(administrator).post(address, form | {"minor_edit": "on"}, follow=True)
    assert "will be notified" not in messages_of(saved)
    assert not CourseChange.objects.exists()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_text_whose_lines_a_browser_ends_otherwise_has_not_changed(
    client_of, administrator, course, lessons, end
):
    """As one that came through the API, or from the admin of an earlier release."""
    text = f"Flour{end}Water"
    Course.objects.update(description=text)
    form = course_form(course, lessons, is_published="on", title="Rolls")
    form["description"] = "Flour\r\nWater"
    client_of(administrator).post(page("course_change", course.pk), form)
    assert kinds_of_mails() == [["course_renamed"]]
    assert Course.objects.get().description == text


def test_a_form_that_fails_in_the_middle_changes_and_tells_nothing(
    client_of, administrator, course, lessons, form
):
    """The last of its rows is paid for, which only the service finds."""
    PaymentFactory.create(course=None, lesson=lessons[1], title="Water")
    address = page("course_change", course.pk)
    client_of(administrator).post(address, form | row_of(lessons[1], DELETE="on"), follow=True)
    course.refresh_from_db()
    assert (course.title, course.materials_updated_at) == ("Bread", NOW - timedelta(days=30))
    assert [lesson.title for lesson in course.lessons.all()] == ["Flour", "Water"]
    assert not CourseChange.objects.exists()
    assert not Mailing.objects.exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_forms_at_once_give_one_mail(client_of, administrator, author):
    course = quiet_course(author, "Bread")
    rows = LessonFactory.create_batch(2, course=course)
    forms = [
        course_form(course, tuple(rows), is_published="on", title=f"Title {number}")
        | {f"lesson-{row.pk}-title": f"{number} of {place}" for place, row in enumerate(rows)}
        for number in (1, 2)
    ]
    clients = [client_of(administrator) for _form in forms]
    address = page("course_change", course.pk)
    answers = at_once(
        *[partial(client.post, address, form) for client, form in zip(clients, forms, strict=True)],
        before_writing=Course,
    )
    assert [answer.status_code for answer in answers] == [302, 302]
    assert CourseUpdate.objects.count() == Mailing.objects.count() == 1
    assert CourseChange.objects.filter(kind=ChangeKind.COURSE_RENAMED).count() == 2
    update = CourseUpdate.objects.get()
    assert [CourseChange.objects.filter(update=it).count() for it in (update, None)] == [3, 3]
    titles = set(course.lessons.values_list("title", flat=True))
    assert titles in ({"1 of 0", "1 of 1"}, {"2 of 0", "2 of 1"})


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_form_that_is_cut_off_in_the_middle_changes_and_tells_nothing(
    client_of, administrator, author
):
    """Its connection is ended when the course is written and its lessons are not."""
    course = quiet_course(author, "Bread")
    lessons = tuple(LessonFactory.create_batch(2, course=course, title="Flour"))
    form = course_form(course, lessons, is_published="on", title="Rolls")
    for lesson in lessons:
        form |= row_of(lesson, title="Oats")
    saving = Runner(partial(client_of(administrator).post, page("course_change", course.pk), form))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE lms_lesson IN SHARE MODE")
        saving.start()
        wait_until(partial(saving.stands_still, cursor))
        cursor.execute("SELECT pg_terminate_backend(%s)", [saving.backend])
        saving.join(60)
    assert isinstance(saving.outcome, OperationalError)
    assert Course.objects.get().title == "Bread"
    assert {lesson.title for lesson in course.lessons.all()} == {"Flour"}
    assert not CourseChange.objects.exists()
    assert not Mailing.objects.exists()
