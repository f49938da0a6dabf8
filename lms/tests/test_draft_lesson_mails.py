"""For subscribers a lesson begins when it is published, and ends when it is unpublished."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from lms.models import CourseChange, Lesson
from lms.services import authoring, forecasts
from lms.tasks import tell_collected_updates
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from lms.tests.test_admin import course_form, page, row_of
from lms.tests.test_forecast import NOTHING, ONE_NOW, lesson_form, said
from project.mail.models import Mailing
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
NEW, GONE = {"is_published": True}, {"is_published": False}


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def course(clock, author):
    course = CourseFactory.create(
        owner=author, published=True, title="Bread", materials_updated_at=LONG_AGO
    )
    SubscriptionFactory.create(course=course)
    return course


@pytest.fixture
def lesson(course):
    return LessonFactory.create(course=course, title="Knots", position=0)


@pytest.fixture
def draft(lesson):
    Lesson.objects.update(is_published=False)
    return Lesson.objects.get()


def edit(lesson: Lesson, **changes: Any) -> None:
    authoring.update_lesson(lesson=lesson, changes=changes, by=lesson.course.owner)


def kinds() -> list[str]:
    return list(CourseChange.objects.order_by("pk").values_list("kind", flat=True))


def mailed(mailoutbox: Any) -> list[list[str]]:
    """What changed, of each mail."""
    deliver_mail()
    return [
        [line[2:] for line in mail.body.splitlines() if line.startswith("- ")]
        for mail in mailoutbox
    ]


def test_a_new_draft_is_told_to_nobody(api, author, course):
    body = {"course_id": course.pk, "title": "Knots", "is_published": False}
    api(author).post("lessons", body)
    course.refresh_from_db()
    assert (kinds(), course.materials_updated_at) == ([], LONG_AGO)


def test_edits_of_a_draft_are_told_to_nobody_and_disturb_no_quiet(course, draft):
    edit(draft, title="Bends", description="Anew", video_url="", price=90)
    course.refresh_from_db()
    assert (kinds(), course.materials_updated_at) == ([], LONG_AGO)
    assert course.updated_at >= NOW


def test_publishing_a_lesson_is_told_as_a_new_one(draft, mailoutbox):
    edit(draft, title="Bends", **NEW)
    assert mailed(mailoutbox) == [["Lesson added: Bends"]]


def test_unpublishing_a_lesson_is_told_as_its_end_under_the_name_that_was_known(lesson, mailoutbox):
    edit(lesson, title="Secret", **GONE)
    assert kinds() == ["lesson_removed"]
    assert mailed(mailoutbox) == [["Lesson removed: Knots"]]


def test_a_minor_edit_publishes_silently(draft, author):
    authoring.update_lesson(lesson=draft, changes=NEW, by=author, notify=False)
    assert kinds() == []


def test_a_draft_is_deleted_silently(draft, author):
    authoring.delete_lesson(lesson=draft, by=author)
    assert kinds() == []


@pytest.mark.parametrize(
    ("was", "becomes", "here", "there"),
    [
        (True, True, "lesson_removed", "lesson_added"),
        (True, False, "lesson_removed", None),
        (False, True, None, "lesson_added"),
        (False, False, None, None),
    ],
)
def test_a_lesson_that_moves_is_told_where_it_was_and_is_published(
    author, course, lesson, was, becomes, here, there
):
    Lesson.objects.update(is_published=was)
    other = CourseFactory.create(owner=author, published=True)
    edit(lesson, course=other, title="Bends", is_published=becomes)
    told = CourseChange.objects.values_list("course", "kind", "lesson_title")
    expected = {(course.pk, here, "Knots"), (other.pk, there, "Bends")}
    assert set(told) == {one for one in expected if one[1]}


# --- Within one quiet period ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "edits", "lines"),
    [
        (True, [GONE, NEW], []),
        (False, [NEW, GONE], []),
        (False, [NEW, GONE, NEW], ["Lesson added: Knots"]),
        (True, [GONE, NEW, GONE], ["Lesson removed: Knots"]),
        (True, [{"video_url": ""}, GONE, NEW], ["Video replaced: Knots"]),
        (True, [{"video_url": ""}, GONE], ["Lesson removed: Knots"]),
        (True, [GONE, {"title": "Secret"}], ["Lesson removed: Knots"]),
        (False, [NEW, {"title": "Bends"}], ["Lesson added: Bends"]),
    ],
)
def test_what_is_left_at_the_end_is_told(clock, course, lesson, mailoutbox, before, edits, lines):
    Lesson.objects.update(is_published=before)
    authoring.update_course(course=course, changes={"title": "Rolls"}, by=course.owner)
    for changes in edits:
        edit(Lesson.objects.get(), **changes)
    clock.shift(timedelta(hours=5))
    [waiting] = forecasts.of_collected([course])
    assert len(waiting.lines) == len(lines)
    tell_collected_updates()
    assert not CourseChange.objects.collected().exists()
    assert mailed(mailoutbox)[1:] == ([lines] if lines else [])


def test_what_waits_of_a_lesson_that_is_unpublished_silently_is_not_named(
    clock, course, lesson, author, mailoutbox
):
    edit(lesson, title="Bends")
    deliver_mail()
    edit(lesson, video_url="")
    authoring.update_lesson(lesson=lesson, changes=GONE, by=author, notify=False)
    clock.shift(timedelta(hours=5))
    tell_collected_updates()
    assert mailed(mailoutbox) == [["Lesson renamed: Knots → Bends"]]
    assert not CourseChange.objects.collected().exists()


def test_a_mail_that_is_not_written_yet_names_no_draft(course, lesson, author, mailoutbox):
    edit(lesson, title="Bends")
    assert Mailing.objects.count() == 1
    edit(lesson, **GONE)
    assert mailed(mailoutbox) == []


# --- What staff read before -----------------------------------------------------------------------


def test_the_page_of_a_lesson_says_what_publication_will_tell(
    client_of, administrator, course, lesson, draft
):
    client, address = client_of(administrator), page("lesson_forecast", lesson.pk)
    unchanged = {"initial-is_published": "False"}
    form = lesson_form(draft, title="Bends", **unchanged)
    assert said(client, address, form) == [NOTHING]
    published = form | {"is_published": "on"}
    assert said(client, address, published) == [ONE_NOW, "Lesson added: Bends"]
    Lesson.objects.update(is_published=True)
    gone = lesson_form(lesson, title="Secret", **{"initial-is_published": "True"})
    assert said(client, address, gone) == [ONE_NOW, "Lesson removed: Knots"]


def test_the_page_of_a_course_says_it_of_its_rows(client_of, administrator, course, lesson):
    client, address = client_of(administrator), page("course_forecast", course.pk)
    form = course_form(course, (lesson,), is_published="on")
    gone = form | {f"initial-lesson-{lesson.pk}-is_published": "True"}
    assert said(client, address, gone) == [ONE_NOW, "Lesson removed: Knots"]
    edit(lesson, video_url="")  # collected: what is deleted is told as removed only
    deleted = form | row_of(lesson, DELETE="on")
    assert said(client, address, deleted)[1:] == ["Lesson removed: Knots"]
