"""Publishing and unpublishing lessons in the admin: on their pages, in the rows of their course, and
in the list."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from lms.models import CourseUpdate, Lesson
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from lms.tests.test_admin import course_form, messages_of, page
from lms.tests.test_forecast import lesson_form

pytestmark = pytest.mark.django_db


@pytest.fixture
def lesson(author):
    return LessonFactory.create(course__owner=author, course__published=True, title="Knots")


def is_published(lesson: Lesson) -> bool:
    return Lesson.objects.get(pk=lesson.pk).is_published


def chosen(action: str, *lessons: Lesson) -> dict[str, Any]:
    return {"action": action, "_selected_action": [lesson.pk for lesson in lessons]}


# The box was ticked when the page was opened.
TICKED = {"initial-is_published": "True"}


def test_a_lesson_is_unpublished_and_published_on_its_page(client_of, moderator, lesson):
    client, address = client_of(moderator), page("lesson_change", lesson.pk)
    assert client.post(address, lesson_form(lesson) | TICKED).status_code == 302
    assert not is_published(lesson)
    shown = client.get(address).text
    assert 'name="initial-is_published" value="False"' in shown
    ticked = {"initial-is_published": "False", "is_published": "on"}
    assert client.post(address, lesson_form(lesson) | ticked).status_code == 302
    assert is_published(lesson)


def test_and_in_the_rows_of_its_course(client_of, moderator, lesson):
    client, address = client_of(moderator), page("course_change", lesson.course_id)
    form = course_form(lesson.course, (lesson,), is_published="on")
    ticked = {f"initial-lesson-{lesson.pk}-is_published": "True"}
    assert client.post(address, form | ticked).status_code == 302
    assert not is_published(lesson)


def test_a_page_of_before_there_were_drafts_unpublishes_nothing(client_of, administrator, lesson):
    client = client_of(administrator)
    form = lesson_form(lesson, title="Splices")
    assert client.post(page("lesson_change", lesson.pk), form).status_code == 302
    found = dict(Lesson.objects.values_list("title", "is_published"))
    assert found == {"Splices": True}


def test_the_rows_of_a_page_from_before_an_update_are_not_lost_unseen(client_of, moderator, lesson):
    client, course = client_of(moderator), lesson.course
    rows = course_form(course, title="Ropes", is_published="on")
    rows |= {"lessons-TOTAL_FORMS": 1, "lessons-0-id": lesson.pk, "lessons-0-title": "Bends"}
    refused = client.post(page("course_change", course.pk), rows)
    assert "The site was updated after you opened this page" in refused.text
    course.refresh_from_db()
    assert course.title != "Ropes"


def test_many_are_published_and_unpublished_in_the_list(client_of, moderator, lesson):
    other = LessonFactory.create(is_published=False)
    client, address = client_of(moderator), page("lesson_changelist")
    said = client.post(address, chosen("publish", lesson, other), follow=True)
    assert "1 lesson was published." in messages_of(said)
    assert is_published(other)
    assert not lesson.history.filter(history_user=moderator).exists()
    said = client.post(address, chosen("unpublish", lesson, other), follow=True)
    assert "2 lessons were unpublished." in messages_of(said)
    assert not Lesson.objects.filter(is_published=True).exists()
    assert other.history.latest().history_user == moderator


def test_the_list_names_drafts_and_finds_them(client_of, moderator, lesson):
    LessonFactory.create(title="Bends", is_published=False)
    client, address = client_of(moderator), page("lesson_changelist")
    shown = client.get(address, {"is_published__exact": "0"})
    assert [one.title for one in shown.context["cl"].result_list] == ["Bends"]
    assert "draft" in shown.text


def test_what_is_chosen_at_once_is_one_update_of_each_course(client_of, moderator, author):
    long_ago = timezone.now() - timedelta(days=30)
    courses = CourseFactory.create_batch(2, published=True, materials_updated_at=long_ago)
    lessons = [LessonFactory.create(course=one) for one in courses for _number in range(2)]
    SubscriptionFactory.create(course=courses[0])
    said = client_of(moderator).post(
        page("lesson_changelist"), chosen("unpublish", *lessons), follow=True
    )
    told = {update.course: update.changes.count() for update in CourseUpdate.objects.all()}
    assert told == dict.fromkeys(courses, 2)
    assert f"{courses[0]}: 1 subscriber will be notified" in messages_of(said)
