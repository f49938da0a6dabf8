"""The admin refuses a save over somebody else's: both texts are shown, what was typed is kept."""

import re
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from lms.models import Course, Lesson
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory
from lms.tests.test_admin import course_form, row_of
from people.models import User
from project.tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lesson(author):
    return LessonFactory.create(course__owner=author, title="Flour", position=0)


def opened(client: Any, kind: str, lesson: Lesson) -> tuple[str, dict[str, Any]]:
    """The address of a page, and what its form would send."""
    subject: Any = lesson if kind == "lesson" else lesson.course
    address = reverse(f"admin:lms_{kind}_change", args=[subject.pk])
    (seen,) = re.findall(r'name="seen_version" value="(\w+)"', client.get(address).content.decode())
    if kind == "course":
        form = course_form(lesson.course, (lesson,), seen_version=seen)
        return address, form | row_of(lesson, seen_version=lesson.version)
    form = {
        "course": lesson.course_id, "title": lesson.title, "description": lesson.description,
        "video_url": lesson.video_url, "price": "", "seen_version": seen,
    }  # fmt: skip
    return address, form


def text_of(response: Any) -> str:
    return unescape(re.sub(r"<[^>]*>", "", response.content.decode()))


@pytest.mark.parametrize("kind", ["course", "lesson"])
@pytest.mark.parametrize("other_way", ["API", "admin"])
def test_a_save_over_somebody_else_s_shows_both_texts_and_keeps_what_was_typed(
    api, client_of, moderator, author, administrator, lesson, kind, other_way
):
    client = client_of(moderator)
    address, form = opened(client, kind, lesson)
    if other_way == "API":
        path = f"lessons/{lesson.pk}" if kind == "lesson" else f"courses/{lesson.course_id}"
        api(author).patch(path, {"description": "Theirs & <good>"})
    else:
        theirs = form | {"description": "Theirs & <good>"}
        assert client_of(administrator).post(address, theirs).status_code == 302
    refused = client.post(address, form | {"description": "Mine"})
    assert refused.status_code == 200
    assert "Somebody has changed this since you opened the page" in text_of(refused)
    assert "Saved now: Theirs & <good>" in text_of(refused)
    assert refused.context["adminform"].form["description"].value() == "Mine"
    subject: Any = lesson if kind == "lesson" else lesson.course
    subject.refresh_from_db()
    assert subject.description == "Theirs & <good>"
    (seen,) = re.findall(r'name="seen_version" value="(\w+)"', refused.content.decode())
    again = client.post(address, form | {"description": "Mine", "seen_version": seen})
    assert again.status_code == 302
    subject.refresh_from_db()
    assert subject.description == "Mine"


def test_a_row_of_the_page_of_a_course_shows_what_is_saved(
    api, client_of, moderator, author, lesson
):
    client = client_of(moderator)
    address, form = opened(client, "course", lesson)
    api(author).patch(f"lessons/{lesson.pk}", {"title": "Theirs"})
    refused = client.post(address, form | row_of(lesson, title="Mine"))
    assert "Saved now: Theirs" in text_of(refused)
    [row] = refused.context["adminform"].form.rows.shown
    assert row.form["title"].value() == "Mine"
    lesson.refresh_from_db()
    assert lesson.title == "Theirs"


def move_away(lesson: Lesson, author: User) -> None:
    course = CourseFactory.create(owner=author)
    authoring.update_lesson(lesson=lesson, changes={"course": course}, by=author)


def delete_lesson(lesson: Lesson, author: User) -> None:
    authoring.delete_lesson(lesson=lesson, by=author)


def delete_course(lesson: Lesson, author: User) -> None:
    authoring.delete_course(course=lesson.course, by=author)


@pytest.mark.parametrize("take_away", [delete_lesson, move_away])
def test_what_was_entered_for_a_lesson_that_is_gone_from_the_course_is_shown(
    client_of, moderator, author, lesson, take_away
):
    """The row itself can't stay: there is nothing that it would change."""
    other = LessonFactory.create(course=lesson.course, title="Salt", position=1)
    client = client_of(moderator)
    address, form = opened(client, "course", lesson)
    rows = course_form(lesson.course, (lesson, other)) | {"seen_version": form["seen_version"]}
    rows |= row_of(lesson, title="<Rye>", price="100") | row_of(other, title="Sea salt")
    take_away(lesson, author)
    refused = client.post(address, rows)
    *_changed, shown = refused.context["adminform"].form.non_field_errors()
    assert "“Flour” is no longer in this course" in shown
    assert "Title: <Rye>; Price: 100" in shown
    assert "Video" not in shown
    assert shown in text_of(refused)
    assert Lesson.objects.get(pk=other.pk).title == "Salt"
    (seen,) = re.findall(r'name="seen_version" value="(\w+)"', refused.content.decode())
    again = course_form(lesson.course, (other,)) | row_of(other, title="Sea salt")
    assert client.post(address, again | {"seen_version": seen}).status_code == 302
    assert Lesson.objects.get(pk=other.pk).title == "Sea salt"


@pytest.mark.parametrize(
    ("kind", "take_away"),
    [("lesson", delete_lesson), ("lesson", delete_course), ("course", delete_course)],
)
def test_what_was_entered_on_the_page_of_what_is_deleted_meanwhile_is_shown(
    client_of, moderator, author, lesson, kind, take_away
):
    client = client_of(moderator)
    address, form = opened(client, kind, lesson)
    form |= {"description": "Mine & <long>\n\nof two paragraphs"}
    form |= row_of(lesson, title="Rye") if kind == "course" else {}
    take_away(lesson, author)
    refused = client.post(address, form)
    assert refused.status_code == 404
    assert "Somebody has deleted this since you opened the page" in text_of(refused)
    assert "Mine & <long>\n\nof two paragraphs" in text_of(refused)
    assert ("Rye" in text_of(refused)) is (kind == "course")
    assert client.get(address).status_code == 302


@pytest.mark.parametrize("kind", ["course", "lesson"])
def test_what_was_entered_is_shown_if_it_is_deleted_at_the_moment_of_the_save(
    api, client_of, moderator, author, lesson, kind
):
    address, form = opened(client_of(moderator), kind, lesson)
    path = f"lessons/{lesson.pk}" if kind == "lesson" else f"courses/{lesson.course_id}"
    deleted, saved = at_once(
        partial(api(author).delete, path),
        partial(client_of(moderator).post, address, form | {"description": "Mine"}),
        before_writing=Course,
    )
    assert deleted.status_code == 204
    assert saved.status_code == 302 or (saved.status_code == 404 and "Mine" in text_of(saved))


def test_an_edit_through_the_api_after_a_save_in_the_admin_is_refused(
    api, client_of, moderator, author, lesson
):
    seen = {"If-Match": api(author).get(f"lessons/{lesson.pk}")["ETag"]}
    address, form = opened(client_of(moderator), "lesson", lesson)
    client_of(moderator).post(address, form | {"title": "Theirs"})
    late = api(author).patch(f"lessons/{lesson.pk}", {"title": "Mine"}, headers=seen)
    assert late.status_code == 412


@pytest.mark.parametrize("kind", ["course", "lesson"])
@pytest.mark.parametrize("other_way", ["API", "admin"])
def test_of_saves_of_one_version_at_once_one_wins(
    api, client_of, moderator, administrator, author, lesson, kind, other_way
):
    address, form = opened(client_of(moderator), kind, lesson)
    path = f"lessons/{lesson.pk}" if kind == "lesson" else f"courses/{lesson.course_id}"
    seen = {"If-Match": api(author).get(path)["ETag"]}
    mine = partial(client_of(moderator).post, address, form | {"title": "Mine"})
    theirs = (
        partial(client_of(administrator).post, address, form | {"title": "Theirs"})
        if other_way == "admin"
        else partial(api(author).patch, path, {"title": "Theirs"}, headers=seen)
    )
    model = Lesson if kind == "lesson" else Course
    first, second = at_once(mine, theirs, before_writing=model)
    won = [answer for answer in (first, second) if answer.status_code == 302]
    won += [second] if other_way == "API" and second.status_code == 200 else []
    assert len(won) == 1
    if won == [second] and second is not first:
        assert first.context["adminform"].form["title"].value() == "Mine"
        assert "Saved now: Theirs" in text_of(first)
    subject = model.objects.get(pk=lesson.pk if kind == "lesson" else lesson.course_id)
    assert subject.title == ("Mine" if won == [first] else "Theirs")


def test_a_page_that_is_up_to_date_is_saved_after_others_were_pushed_aside(
    client_of, moderator, author, lesson
):
    """A lesson that another one pushed aside was not edited."""
    client = client_of(moderator)
    address, form = opened(client, "lesson", lesson)
    fields = {"title": "New", "position": 0}
    authoring.create_lesson(course=lesson.course, fields=fields, by=author)
    assert client.post(address, form | {"title": "Mine"}).status_code == 302
