"""A title is one line, whatever was pasted (docs/rules.md, 6.1)."""

import json
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from lms.history import changes_of_lesson
from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory
from lms.tests.test_doors import IN_ROWS, OF_COURSE, OF_LESSON, Doors

pytestmark = pytest.mark.django_db


@pytest.fixture
def doors(api, client_of, administrator):
    return Doors(api, client_of, LessonFactory.create(course__owner=administrator))


PASTED = {
    "Rye  and water": "Rye and water",
    "Rye and\u202fwater\u3000": "Rye and water",
    "\u202eRye": "Rye",
    "Rye\nand\r\nwater": "Rye and water",
    " Rye\tand  water\x0b ": "Rye and water",
    "Rye\u2028and\u2029water\x85": "Rye and water",
    "Rye\x0cand\xa0water": "Rye and water",
    "\u202aRye\u202c and\x07 water": "Rye and water",
    f"{'x' * 199} \n\ny"[:-1]: "x" * 199,
}
BREAKS = ["\n", "\r", "\t", "\x0b", "\x0c", "\x1c", "\x07", "\x7f", "\x85", "\u2028", "\u2029"]


@pytest.mark.any_database
@pytest.mark.parametrize("door", OF_COURSE + OF_LESSON + IN_ROWS)
@pytest.mark.parametrize(("pasted", "title"), PASTED.items())
def test_a_title_becomes_one_line_at_every_door(doors, door, pasted, title):
    getattr(doors, door)({"title": pasted})
    saved = (Course if door in OF_COURSE else Lesson).objects.latest("pk")
    assert saved.title == title


@pytest.mark.parametrize("door", ["api_course", "page_of_course", "api_lesson", "page_of_lesson"])
def test_a_title_with_other_spaces_is_no_change(doors, door):
    model = Course if door in OF_COURSE else Lesson
    model.objects.update(title="Rye bread", description="", price=0, is_published=True)
    changes = model.history.count()
    kept = {"video_url": doors.lesson.video_url, "price": "0.00", "is_published": True}
    kept["description"] = ""
    getattr(doors, door)({"title": "Rye\n bread"} | ({} if door.startswith("api") else kept))
    assert model.history.count() == changes


def test_a_title_of_which_nothing_is_left_is_refused(api, author):
    CourseFactory.create(owner=author)
    unseen = "\N{ZERO WIDTH SPACE} \N{SOFT HYPHEN}\N{HANGUL FILLER}"
    for title, code in (
        (" \n\u2028", "string_too_short"),
        ("\u202e\x07", "blank"),
        (unseen, "blank"),
    ):
        answer = api(author).post("courses", {"title": title})
        assert [one["code"] for one in answer.json()["errors"]] == [code]


def test_a_title_of_a_fixture_becomes_one_line(author, tmp_path):
    fixture = tmp_path / "courses.json"
    fields = {"owner": author.pk, "title": "Rye\n\tbread"}
    fixture.write_text(json.dumps([{"model": "lms.course", "fields": fields}]))
    call_command("loaddata", fixture, verbosity=0)
    assert Course.objects.get().title == "Rye bread"


@pytest.mark.parametrize("model", [Course, Lesson])
@pytest.mark.parametrize("mark", BREAKS, ids=ascii)
def test_the_database_takes_no_title_of_several_lines(model, mark):
    LessonFactory.create()
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.update(title=f"Rye{mark}bread")
    model.objects.update(title="Ржаной 🍞 «хлеб»\u200d\xa0\u2014 №1")


# --- What was saved before ------------------------------------------------------------------------


@pytest.fixture
def unchecked():
    """A database that takes any title, until the end of the test."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = on")
        else:
            for name in ("course", "lesson"):
                cursor.execute(f"ALTER TABLE lms_{name} DROP CONSTRAINT {name}_title_one_line")
        yield
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = off")


def migrate():
    migration = import_module("lms.migrations.0021_one_form_of_titles_and_videos")
    migration.bring_into_form(apps, SimpleNamespace(connection=connection))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("title", [title for title in PASTED if title != PASTED[title]])
def test_the_migration_leaves_no_title_that_the_next_save_would_change(title):
    course = CourseFactory.create()
    Course.objects.filter(pk=course.pk).update(title=title[:200])
    migrate()
    course.refresh_from_db()
    assert course.title == PASTED[title]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("batch", [1, 500])
def test_the_migration_makes_one_line_of_old_titles_and_tells_it_in_the_history(monkeypatch, batch):
    migration = import_module("lms.migrations.0021_one_form_of_titles_and_videos")
    monkeypatch.setattr(migration, "BATCH", batch)
    lessons = LessonFactory.create_batch(3)
    for model in (Course, Lesson):
        model.objects.update(title="Rye\r\n bread")
    invisible = CourseFactory.create()
    Course.objects.filter(pk=invisible.pk).update(title="\x07")
    untouched = CourseFactory.create()
    for _again in range(2):
        migrate()
    mended: list[Any] = [*lessons, *(one.course for one in lessons)]
    for subject in mended:
        before = subject.updated_at
        subject.refresh_from_db()
        assert (subject.title, subject.updated_at) == ("Rye bread", before)
        assert subject.history.count() == 2
        assert subject.history.latest("history_id").title == "Rye bread"
    invisible.refresh_from_db()
    assert invisible.title == "…"
    assert untouched.history.count() == 1


def test_the_migration_gives_old_videos_their_one_form():
    old = {
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=90&list=RDMM&ab_channel=x": (
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=90s"
        ),
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=RDMM": (
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
        ),
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=0s": (
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
        ),
        "https://m.youtube.com/shorts/dQw4w9WgXcQ": "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/playlist?list=PL1-_a&si=x": (
            "https://www.youtube.com/playlist?list=PL1-_a"
        ),
    }
    kept = [
        "",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/@school",
        "https://www.youtube.com/watch?v=short",
    ]
    lessons = {address: LessonFactory.create(video_url=address) for address in [*old, *kept]}
    for _again in range(2):
        migrate()
    for address, one in lessons.items():
        one.refresh_from_db()
        assert one.video_url == old.get(address, address)
        assert one.history.count() == (2 if address in old else 1)
        told = [field.name for field in changes_of_lesson(one)[:1][0].fields]
        assert (told == ["video_url"]) is (address in old)
