"""Who changed what in a course: kept with every change, told to its author and to moderators."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import models

from lms.history import change_of, changes_of_course, changes_of_lesson, told_fields
from lms.models import Course, Lesson
from lms.models.fields import TitleField, VideoField
from lms.models.materials import DERIVED_FIELDS
from lms.services import authoring
from lms.services.restoring import put_back
from lms.tests.factories import CourseFactory, LessonFactory


def test_author_sees_what_a_moderator_changed(api, author, moderator):
    course = CourseFactory.create(owner=author, title="Bread")
    api(moderator).patch(f"courses/{course.pk}", {"title": "Better bread", "price": "990.00"})

    page = api(author).get(f"courses/{course.pk}/history").json()

    change = page["items"][0]
    assert change["by"] == {"id": moderator.pk, "first_name": "Mira"}
    assert (change["kind"], change["lesson_id"]) == ("changed", None)
    assert change["fields"] == [
        {"name": "title", "before": "Bread", "after": "Better bread"},
        {"name": "price", "before": "0.00", "after": "990.00"},
    ]
    assert page["count"] == 2
    assert page["items"][1]["kind"] == "created"


def test_a_lesson_s_whole_life_is_in_the_history_of_its_course(api, author):
    course = CourseFactory.create(owner=author)
    client = api(author)
    lesson = client.post("lessons", {"course_id": course.pk, "title": "Flour"}).json()
    client.patch(f"lessons/{lesson['id']}", {"is_preview": True})
    client.delete(f"lessons/{lesson['id']}")

    changes = client.get(f"courses/{course.pk}/history").json()["items"]

    kinds = [(change["kind"], change["lesson_id"]) for change in changes]
    assert kinds == [
        ("deleted", lesson["id"]),
        ("changed", lesson["id"]),
        ("created", lesson["id"]),
        ("created", None),
    ]
    assert changes[1]["fields"] == [{"name": "is_preview", "before": False, "after": True}]
    assert {"name": "title", "before": "Flour", "after": None} in changes[0]["fields"]
    assert all(change["by"]["id"] == author.pk for change in changes[:3])


def test_a_change_that_changes_nothing_is_not_kept(api, author):
    course = CourseFactory.create(owner=author, title="Bread")
    lesson = LessonFactory.create(course=course)
    api(author).patch(f"courses/{course.pk}", {"title": "Bread"})
    api(author).patch(f"lessons/{lesson.pk}", {"title": "Water"})
    # The course got a new time by the change of its lesson, which is no change of the course.
    assert Course.history.filter(id=course.pk).count() == 1


@pytest.mark.parametrize(("who", "status"), [("stranger", 404), ("administrator", 200)])
def test_history_is_seen_by_those_who_may_change_the_course(api, author, who, status, request):
    course = CourseFactory.create(owner=author, published=True)
    user = request.getfixturevalue(who)
    assert api(user).get(f"courses/{course.pk}/history").status_code == status
    assert api(None).get(f"courses/{course.pk}/history").status_code == 401


def test_rows_of_a_fixture_have_a_first_state(author, api, tmp_path, db):
    course = CourseFactory.create(owner=author, title="Bread")
    file = tmp_path / "courses.json"
    call_command("dumpdata", "lms.course", output=str(file), verbosity=0)
    Course.history.all().delete()
    call_command("loaddata", str(file), verbosity=0)
    authoring.update_course(course=course, changes={"title": "Rye"}, by=author)
    change = api(author).get(f"courses/{course.pk}/history").json()["items"][0]
    assert change["fields"] == [{"name": "title", "before": "Bread", "after": "Rye"}]
    assert change["by"]["id"] == author.pk


def test_pages_of_changes_follow_each_other(api, author):
    course = CourseFactory.create(owner=author)
    for number in range(4):
        authoring.update_course(course=course, changes={"title": f"Bread {number}"}, by=author)
    second = api(author).get(f"courses/{course.pk}/history?page=2&page_size=2").json()
    assert (second["count"], second["pages"]) == (5, 3)
    assert [change["fields"][0]["after"] for change in second["items"]] == ["Bread 1", "Bread 0"]


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_a_page_of_changes_do_not_grow(
    api, author, moderator, number, django_assert_num_queries
):
    course = CourseFactory.create(owner=author)
    lessons = LessonFactory.create_batch(2, course=course)
    for turn in range(number):
        authoring.update_course(course=course, changes={"title": f"Bread {turn}"}, by=author)
        for lesson in lessons:
            authoring.update_lesson(lesson=lesson, changes={"title": f"Flour {turn}"}, by=author)
    Lesson.history.update(history_user=moderator)
    # 1 caller, 2 course, 3 count, 4 keys of the page, 5 states of the course, 6 states before them,
    # 7 and 8 the same of lessons.
    size = 3 + 3 * number
    with django_assert_num_queries(8):
        page = api(author).get(f"courses/{course.pk}/history?page_size={size}").json()
    assert len(page["items"]) == size


def test_a_change_outside_of_requests_is_signed_too(author, moderator):
    course = authoring.create_course(owner=author, fields={"title": "Bread"})
    authoring.update_course(course=course, changes={"title": "Buns"}, by=moderator)
    lesson = authoring.create_lesson(course=course, fields={"title": "Flour"}, by=author)
    authoring.update_lesson(lesson=lesson, changes={"title": "Rye"}, by=moderator)
    authoring.delete_lesson(lesson=lesson, by=author)
    authoring.delete_course(course=course, by=author)
    signed = [
        list(model.history.order_by("history_id").values_list("history_user", flat=True))
        for model in (Course, Lesson)
    ]
    assert signed == [[author.pk, moderator.pk, author.pk]] * 2


NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def lives(author, moderator):
    """Two courses and a lesson of each, changed by turns; the lessons change places at the end."""
    subjects: dict[str, Any] = {}
    with time_machine.travel(NOW, tick=False) as clock:
        for name in ("a", "b"):
            subjects[name] = CourseFactory.create(owner=author, title=name)
            subjects[name.upper()] = LessonFactory.create(course=subjects[name], title=name)
        for by in (author, moderator):
            clock.shift(timedelta(hours=1))
            for name in ("a", "b"):
                title = {"title": f"{name} by {by.first_name}"}
                authoring.update_course(course=subjects[name], changes=title, by=by)
                authoring.update_lesson(lesson=subjects[name.upper()], changes=title, by=by)
        clock.shift(timedelta(hours=1))
        for lesson, course in (("A", "b"), ("B", "a")):
            changes = {"course": subjects[course]}
            authoring.update_lesson(lesson=subjects[lesson], changes=changes, by=moderator)
    return subjects


def told(changes):
    return [
        (
            (change.at - NOW) // timedelta(hours=1),
            "lesson" if change.lesson_id else "course",
            change.title,
            change.by.first_name if change.by else None,
            [(field.name, field.before, field.after) for field in change.fields]
            if change.kind == "changed"
            else change.kind,
        )
        for change in changes
    ]


def test_history_of_a_course_is_its_own_with_that_of_lessons_while_in_it(lives):
    changes = changes_of_course(lives["a"])
    ids = {name: subject.pk for name, subject in lives.items()}
    by_anna, by_mira = "a by Anna", "a by Mira"
    assert told(changes[0:10]) == [
        (3, "lesson", "b by Mira", "Mira", [("course_id", ids["b"], ids["a"])]),
        (2, "course", by_mira, "Mira", [("title", by_anna, by_mira)]),
        (2, "lesson", by_mira, "Mira", [("title", by_anna, by_mira)]),
        (1, "course", by_anna, "Anna", [("title", "a", by_anna)]),
        (1, "lesson", by_anna, "Anna", [("title", "a", by_anna)]),
        (0, "course", "a", None, "created"),
        (0, "lesson", "a", None, "created"),
    ]
    assert changes.count() == 7
    assert told(changes[1:3]) == told(changes[0:10])[1:3]


def test_history_of_a_lesson_is_its_own_wherever_it_was(lives):
    changes = changes_of_lesson(lives["A"])
    assert [(at, title) for at, _what, title, _by, _fields in told(changes[0:10])] == [
        (3, "a by Mira"),
        (2, "a by Mira"),
        (1, "a by Anna"),
        (0, "a"),
    ]
    assert {change.lesson_id for change in changes[0:10]} == {lives["A"].pk}
    assert changes.count() == 4


def test_of_changes_at_one_moment_the_last_comes_first(lives, author):
    with time_machine.travel(NOW, tick=False):
        for title in ("1", "2", "3"):
            for name in ("a", "b"):
                authoring.update_course(course=lives[name], changes={"title": title}, by=author)
                lesson = {"lesson": lives[name.upper()], "changes": {"title": title}}
                authoring.update_lesson(**lesson, by=author)
    Course.history.update(history_date=NOW)
    Lesson.history.update(history_date=NOW)
    of_course = [change.title for change in changes_of_course(lives["a"])[0:4]]
    assert of_course == ["3", "2", "1", "a by Mira"]
    of_lesson = [change.title for change in changes_of_lesson(lives["A"])[0:4]]
    assert of_lesson == ["3", "2", "1", "a by Mira"]


def test_a_change_is_found_with_its_own_course_or_lesson_only(lives):
    for name, subject in lives.items():
        change_id = subject.history.latest("history_id").history_id
        found = change_of(subject, change_id)
        assert found is not None
        assert (found.id, found.title) == (change_id, f"{name.lower()} by Mira")
        other = lives[{"a": "b", "b": "a", "A": "B", "B": "A"}[name]]
        assert change_of(other, change_id) is None
        assert change_of(subject, 10**6) is None


FIELDS = {
    Course: {"title": "x", "description": "y", "price": 5, "is_published": True, "preview": "p"},
    Lesson: {
        "title": "x", "description": "y", "video_url": "", "price": 5, "is_preview": True,
        "is_published": False, "preview": "p",
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", [Course, Lesson])
def test_each_field_of_the_materials_is_told_before_and_after(author, kind):
    lesson = LessonFactory.create(course__owner=author)
    subject: Any = lesson if kind is Lesson else lesson.course
    before = {name: getattr(subject, name) for name in FIELDS[kind]}
    for name, value in FIELDS[kind].items():
        setattr(subject, name, value)
    subject.save()
    changes = changes_of_lesson(subject) if kind is Lesson else changes_of_course(subject)
    change, created = [one for one in changes[0:9] if (one.lesson_id is None) is (kind is Course)]
    told_of = {field.name: (field.before, field.after) for field in change.fields}
    assert told_of == {name: (before[name], value) for name, value in FIELDS[kind].items()}
    made = {field.name: (field.before, field.after) for field in created.fields}
    something = {name: value for name, value in before.items() if value is not None}
    place = {"course_id": lesson.course_id} if kind is Lesson else {}
    assert made == {name: (None, value) for name, value in (something | place).items()}
    subject.delete()
    deleted = kind.history.latest("history_id")
    last = change_of(kind(pk=deleted.id), deleted.history_id)
    assert last is not None
    gone = {field.name: (field.before, field.after) for field in last.fields}
    assert last.kind == "deleted"
    assert gone == {name: (value, None) for name, value in (FIELDS[kind] | place).items()}


# Each kind of field, with a value that no row of these tests has.
OTHERS: dict[type[Any], Any] = {
    TitleField: "Other words",
    models.TextField: "Other words",
    VideoField: "https://www.youtube.com/watch?v=M7lc1UVf-VE",
    models.DecimalField: Decimal(777),
}
# Neither told nor put back, and told but not put back.
UNTOLD = {"id", "position", "created_at", "updated_at", "materials_updated_at"}
UNTOLD |= {*DERIVED_FIELDS}
NEVER_PUT_BACK = {"course_id", "owner_id", "preview"}


@pytest.mark.parametrize("kind", [Course, Lesson])
def test_each_field_of_the_model_is_told_and_put_back_but_for_those_named(author, kind):
    lesson = LessonFactory.create(course__owner=author)
    subject: Any = lesson if kind is Lesson else lesson.course
    update: Any = authoring.update_lesson if kind is Lesson else authoring.update_course
    fields = {field.attname: field for field in kind._meta.concrete_fields}
    assert set(told_fields(kind)) == fields.keys() - UNTOLD
    for name in fields.keys() - UNTOLD - NEVER_PUT_BACK:
        before = getattr(subject, name)
        other = not before if isinstance(before, bool) else OTHERS[type(fields[name])]
        changed = update(**{kind.__name__.lower(): subject}, changes={name: other}, by=author)
        change = change_of(subject, changed.history.latest("history_id").history_id)
        assert change is not None
        assert [(one.name, one.before, one.after) for one in change.fields] == [
            (name, before, other)
        ]
        restored = put_back(subject=subject, change=change, by=author)
        assert getattr(restored, name) == before


@pytest.mark.parametrize("kind", [Course, Lesson])
def test_a_field_that_the_model_gets_is_told(kind, monkeypatch):
    new = models.PositiveIntegerField(null=True)
    new.set_attributes_from_name("not_a_field_yet")
    history: Any = kind.history.model
    monkeypatch.setattr(history, "tracked_fields", [*history.tracked_fields, new])
    assert "not_a_field_yet" in told_fields(kind)


def test_of_a_change_without_a_state_before_it_nothing_is_said(author):
    course = CourseFactory.create(owner=author)
    authoring.update_course(course=course, changes={"title": "New"}, by=author)
    course.history.earliest("history_id").delete()
    [change] = changes_of_course(course)[0:9]
    assert (change.kind, change.title, change.fields) == ("changed", "New", [])


def test_a_save_of_nothing_but_times_is_no_change(author):
    course = CourseFactory.create(owner=author)
    course.save(update_fields=["updated_at", "materials_updated_at"])
    assert course.history.count() == 1
    course.save(update_fields=["updated_at", "title"])
    assert course.history.count() == 2
    course.save()
    assert course.history.count() == 3
