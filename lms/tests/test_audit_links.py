"""`manage.py audit_links` names each stored link that the rule of today refuses (docs/rules.md, 7.6)."""

# ruff: noqa: SIM905

import json
import os
from io import StringIO

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lms.models import Course, Lesson
from lms.services import auditing
from lms.services.auditing import Text, may_be_refused
from lms.tests.factories import CourseFactory, LessonFactory
from lms.tests.link_cases import REFUSED
from lms.tests.video_cases import REFUSED as NO_VIDEOS
from lms.tests.video_cases import TAKEN
from lms.validators import validate_title
from people.models import User

pytestmark = pytest.mark.django_db


def audit(*options, **given):
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("audit_links", "--json", *options, stdout=out, **given)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def address(name, pk, page="change"):
    return f"{settings.SITE_URL}/admin/{name}/{pk}/{page}/"


def test_nothing_is_said_of_texts_without_foreign_links():
    LessonFactory.create(description="See https://youtu.be/dQw4w9WgXcQ, main.py and `evil.com`.")
    out = StringIO()
    call_command("audit_links", stdout=out)
    assert out.getvalue() == "No link is where it is not allowed.\n"
    out = StringIO()
    call_command("audit_links", "--json", stdout=out)
    assert out.getvalue() == ""


@pytest.mark.parametrize("page", [1, 2000])
def test_each_link_is_named_with_its_place(monkeypatch, page, learner):
    monkeypatch.setattr(auditing, "PAGE", page)
    clean, lesson = LessonFactory.create(), LessonFactory.create()
    Course.objects.filter(pk=lesson.course_id).update(title="Bread at evil.com")
    Lesson.objects.filter(pk=lesson.pk).update(
        title="t.me/bread",
        description="Flour\n\nSee [this](https://evil.example)\nand https://vk.com/bread",
        video_url="https://www.youtube.com/@bread",
    )
    User.objects.filter(pk=learner.pk).update(city="evil.com")
    found = audit("--without-history")
    assert found == [
        {
            "model": "lms.course", "pk": lesson.course_id, "field": "title", "history_id": None,
            "line": 1, "code": "foreign_link", "link": "evil.com",
            "admin_url": address("lms/course", lesson.course_id),
        },
        *(
            {
                "model": "lms.lesson", "pk": lesson.pk, "field": field, "history_id": None,
                "line": line, "code": code, "link": link,
                "admin_url": address("lms/lesson", lesson.pk),
            }
            for field, line, code, link in [
                ("title", 1, "foreign_link", "t.me/bread"),
                ("description", 3, "foreign_link", "https://evil.example"),
                ("description", 4, "foreign_link", "https://vk.com/bread"),
                ("video_url", 1, "no_video", "https://www.youtube.com/@bread"),
            ]
        ),
        {
            "model": "people.user", "pk": learner.pk, "field": "city", "history_id": None,
            "line": 1, "code": "contains_link", "link": "evil.com",
            "admin_url": address("people/user", learner.pk),
        },
    ]  # fmt: skip
    assert clean.history.count() == 1


def test_the_history_is_looked_through_too():
    kept, gone = LessonFactory.create(description="evil.com"), LessonFactory.create(title="t.me/x")
    Lesson.objects.filter(pk=kept.pk).update(description="")
    pk, course = gone.pk, gone.course_id
    gone.delete()
    found = audit()
    states = [(one["pk"], one["field"], one["history_id"], one["admin_url"]) for one in found]
    first = Lesson.history.filter(id=kept.pk).latest("history_id")
    told = list(
        Lesson.history.filter(id=pk).order_by("history_id").values_list("history_id", flat=True)
    )
    assert states == [
        (kept.pk, "description", first.history_id, address("lms/lesson", kept.pk, "history")),
        *((pk, "title", state, None) for state in told),
    ]
    assert len(told) == 2
    assert Course.objects.filter(pk=course).exists()
    call_command("audit_links", "--without-history", stdout=StringIO())


def test_a_person_reads_one_line_for_each_link():
    course = CourseFactory.create(title="evil.com")
    out = StringIO()
    with pytest.raises(CommandError, match=r"Links that are not allowed: 2\."):
        call_command("audit_links", stdout=out)
    line, _state = out.getvalue().splitlines()
    assert line == (
        f"lms.course {course.pk}, title, line 1: foreign_link 'evil.com' "
        f"{address('lms/course', course.pk)}"
    )


def test_its_line_is_found_in_a_long_text_without_judging_each(monkeypatch):
    judged = []

    def note(text):
        judged.append(text)
        validate_title(text)

    monkeypatch.setitem(auditing.RULES, "description", note)
    text = "\n".join(["Bread"] * 1000 + ["evil&#46;com", "Rye"])
    (found,) = auditing.judge([Text("lms.lesson", 1, "description", None, text)])
    assert (found.line, found.link) == (1001, "evil.com")
    assert len(judged) < 20


@pytest.mark.any_database
@pytest.mark.parametrize(("title", "code"), [("evil.com", 1), ("Bread", 0)])
def test_a_reader_may_have_seen_enough(title, code):
    CourseFactory.create(title=title)
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as out, pytest.raises(SystemExit) as ended:  # noqa: PTH123 - a descriptor
        call_command("audit_links", processes=1, stdout=out)
    assert ended.value.code == code


@pytest.mark.any_database
@pytest.mark.parametrize("number", ["0", "-1", "65", "many"])
def test_a_number_of_processes_that_is_none_is_refused(number):
    with pytest.raises(CommandError, match="--processes"):
        call_command("audit_links", "--processes", number)


def test_a_link_in_another_spelling_than_it_is_quoted_has_its_line():
    CourseFactory.create(description="Flour\n\nwater\n\nevil&period;com\n\nsalt")
    assert [(one["line"], one["link"]) for one in audit("--without-history")] == [(5, "evil.com")]


def test_many_texts_are_judged_by_several_processes(monkeypatch):
    monkeypatch.setattr(auditing, "BATCH", 1)
    courses = CourseFactory.create_batch(10, title="evil.com")
    found = audit("--without-history", processes=2)
    assert [one["pk"] for one in found] == [course.pk for course in courses]


# --- Which texts are judged at all ----------------------------------------------------------------


def refused(field, text):
    try:
        auditing.RULES[field](text)
    except ValidationError:
        return True
    return False


CASES = [text for group in REFUSED.values() for text in group]
PIECES = [
    *"""
    evil com youtube.com main.py www. .py http: https:// // . ․ ． 。 … : ： ; & # 46 period amp = ＝ [ ] ( ) < >
    " ` * _ ~ \\ / @ ! - % 2e ⒈ ㏂ ℀ ⩴ javascript mailto: href= src https://youtu.be/dQw4w9WgXcQ ?t=5 &si=x a A
    е 1 com. .com evil. | > # + 1.
    """.split(),
    *"\u200b\u00ad\u0301\u3000 \n\t", "\n\n", "\n    ",
]  # fmt: skip


@pytest.mark.any_database
@pytest.mark.parametrize("field", ["title", "description"])
def test_what_is_refused_is_judged(field):
    texts = [text for text in CASES if refused(field, text)]
    assert len(texts) > 300
    for text in texts:
        assert may_be_refused(Text("lms.course", 1, field, None, text)), text


@pytest.mark.any_database
def test_a_video_that_is_refused_is_judged_and_one_that_is_stored_is_not():
    for text in (text for texts in NO_VIDEOS.values() for text in texts):
        assert may_be_refused(Text("lms.lesson", 1, "video_url", None, text)), text
    for stored in ("", *TAKEN):
        assert not may_be_refused(Text("lms.lesson", 1, "video_url", None, stored)), stored


@pytest.mark.any_database
@hypothesis_settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from([*PIECES, *CASES]), min_size=1, max_size=8).map("".join))
def test_whatever_is_not_judged_has_no_link(text):
    for field in ("title", "description"):
        stored = Text("lms.course", 1, field, None, text)
        assert may_be_refused(stored) or not refused(field, text)
