"""Descriptions are shown rendered and shortened, as they were when they were saved."""

import json
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from lms.history import changes_of_course, changes_of_lesson
from lms.markdown import render
from lms.models import Access, AccessSource, Course, Lesson
from lms.services.restoring import put_back
from lms.tests.factories import CourseFactory, LessonFactory
from project import demo

pytestmark = pytest.mark.django_db

TEXT = "From *sourdough* to `ciabatta`,\n<b>warm</b>.\n\n[See](https://youtu.be/dQw4w9WgXcQ)"
SUMMARY = "From sourdough to ciabatta, <b>warm</b>. See"
HTML = (
    "<p>From <em>sourdough</em> to <code>ciabatta</code>,\n&lt;b&gt;warm&lt;/b&gt;.</p>\n"
    '<p><a href="https://youtu.be/dQw4w9WgXcQ" rel="noopener noreferrer">See</a></p>\n'
)
FACTORIES = [CourseFactory, LessonFactory]


def assert_in_step(*rows):
    """What is kept of each description is what it gives now."""
    for row in rows or [*Course.objects.all(), *Lesson.objects.all()]:
        row.refresh_from_db()
        assert (row.summary, row.description_html) == render(row.description)


@pytest.mark.parametrize("path", ["courses", "lessons"])
def test_what_is_saved_is_shown_whole_in_details_and_short_in_lists(api, author, path):
    course = CourseFactory.create(owner=author, description="")
    body: dict[str, object] = {"title": "Bread", "description": TEXT}
    if path == "lessons":
        body["course_id"] = course.pk
    created = api(author).post(path, body).json()
    expected = {"summary": SUMMARY, "description": TEXT, "description_html": HTML}
    assert expected.items() <= created.items()
    assert expected.items() <= api(author).get(f"{path}/{created['id']}").json().items()
    shown = next(one for one in api(author).get(path).json()["items"] if one["id"] == created["id"])
    assert shown["summary"] == SUMMARY
    assert not {"description", "description_html"} & set(shown)
    changed = api(author).patch(f"{path}/{created['id']}", {"description": "> Rye"}).json()
    assert changed["summary"] == "Rye"
    assert changed["description_html"] == "<blockquote>\n<p>Rye</p>\n</blockquote>\n"
    emptied = api(author).patch(f"{path}/{created['id']}", {"description": ""}).json()
    assert (emptied["summary"], emptied["description_html"]) == ("", "")


def test_learners_get_the_text_where_they_learn_and_its_summary_in_lists(api, learner):
    lesson = LessonFactory.create(description=TEXT, course__description="*All*", price=5)
    Access.objects.create(user=learner, lesson=lesson, source=AccessSource.GRANT)
    read = api(learner).get(f"learning/lessons/{lesson.pk}").json()
    assert (read["description"], read["description_html"]) == (TEXT, HTML)
    (item,) = api(learner).get("learning/courses").json()["items"]
    assert item["summary"] == SUMMARY
    course = api(learner).get(f"learning/courses/{lesson.course_id}").json()
    assert course["summary"] == "All"
    assert "summary" not in course["lessons"][0]


def test_the_catalog_shows_the_text_of_a_course_and_its_summary_in_the_list(api, learner):
    course = CourseFactory.create(description=TEXT, published=True)
    read = api(learner).get(f"catalog/courses/{course.pk}").json()
    assert (read["summary"], read["description"], read["description_html"]) == (SUMMARY, TEXT, HTML)
    (item,) = api(learner).get("catalog/courses").json()["items"]
    assert item["summary"] == SUMMARY
    assert "description" not in item


@pytest.mark.parametrize("factory", FACTORIES)
def test_what_is_kept_follows_an_edit_and_what_puts_it_back(api, author, factory):
    row = factory.create(**owned_by(factory, author), description=TEXT)
    path = "courses" if factory is CourseFactory else "lessons"
    api(author).patch(f"{path}/{row.pk}", {"description": "Rye"})
    assert_in_step(row)
    changes = changes_of_course(row) if path == "courses" else changes_of_lesson(row)
    put_back(subject=row, change=changes[:1][0], by=author)
    assert_in_step(row)
    assert row.summary == SUMMARY


def owned_by(factory, author):
    return {"owner": author} if factory is CourseFactory else {"course__owner": author}


@pytest.mark.parametrize("factory", FACTORIES)
def test_what_is_kept_follows_the_admin(client_of, administrator, factory):
    row = factory.create(description=TEXT)
    kind = type(row).__name__.lower()
    address = f"/admin/lms/{kind}/{row.pk}/change/"
    client = client_of(administrator)
    page = client.get(address)
    form = page.context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    sent = {name: "" if value is None else value for name, value in values.items()}
    sent["description"] = "**Rye**"
    del sent["preview"]
    assert client.post(address, sent).status_code == 302
    assert_in_step(row)
    assert row.summary == "Rye"


def test_what_is_kept_follows_a_fixture_that_does_not_have_it(tmp_path):
    lesson = LessonFactory.create(description=TEXT, course__description="*All*")
    path = tmp_path / "school.json"
    call_command("dumpdata", "lms.course", "lms.lesson", output=path, verbosity=0)
    rows = json.loads(path.read_text())
    for row in rows:
        row["fields"]["description"] = "# Rye"
        del row["fields"]["summary"], row["fields"]["description_html"]
    path.write_text(json.dumps(rows))
    Course.objects.update(description="", summary="", description_html="")
    call_command("loaddata", path, verbosity=0)
    assert_in_step()
    lesson.refresh_from_db()
    assert lesson.description_html == "<h1>Rye</h1>\n"


def test_the_demo_school_is_in_step(moderators):
    demo.load()
    assert Lesson.objects.exclude(summary="").exists()
    assert_in_step()


def test_saving_something_else_leaves_what_is_kept_alone():
    course = CourseFactory.create(description=TEXT)
    course.description = "Not saved"
    course.price = 5
    course.save(update_fields=["price"])
    course.refresh_from_db()
    assert (course.description, course.summary) == (TEXT, SUMMARY)


@pytest.mark.parametrize("batch", [1, 2, 200])
def test_the_migration_renders_what_was_saved_before(monkeypatch, batch):
    migration = import_module("lms.migrations.0010_render_descriptions")
    monkeypatch.setattr(migration, "BATCH", batch)
    LessonFactory.create_batch(3, description=TEXT, course__description="[nothing]: /here\n")
    LessonFactory.create(description="", course__description="> Rye")
    for model in (Course, Lesson):
        model.objects.update(summary="", description_html="")
    for _again in range(2):
        migration.render_descriptions(apps, SimpleNamespace(connection=connection))
        assert_in_step()


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("a <img src=x onerror=alert(1)>", "<p>a &lt;img src=x onerror=alert(1)&gt;</p>\n"),
        ("[a](javascript:alert(1))", '<p><a rel="noopener noreferrer">a</a></p>\n'),
        ("[a](/courses/1)", '<p><a href="/courses/1" rel="noopener noreferrer">a</a></p>\n'),
        ("[a](https://evil.example)", '<p><a rel="noopener noreferrer">a</a></p>\n'),
        ("[a](//evil.example)", '<p><a rel="noopener noreferrer">a</a></p>\n'),
        ("<mailto:a@evil.com>", '<p><a rel="noopener noreferrer">mailto:a@evil.com</a></p>\n'),
        ("![a](https://evil.example/a.png)", '<p><img alt="a"></p>\n'),
        ("```python\nx < 1\n```", '<pre><code class="language-python">x &lt; 1\n</code></pre>\n'),
        ("1) a\n2) b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>\n"),
        ("7. a", '<ol start="7">\n<li>a</li>\n</ol>\n'),
        ("a\\\nb", "<p>a<br>\nb</p>\n"),
        ("\x00 &#0; &#xD800; &amp;lt;", "<p>\ufffd \ufffd \ufffd &amp;lt;</p>\n"),
    ],
)
def test_html_is_text_and_only_links_that_materials_may_have_lead_anywhere(text, html):
    assert render(text).description_html == html


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("", ""),
        ("# Bread\n\n- rye\n- *wheat*\n\n    code", "Bread rye wheat code"),
        ("![A *warm* loaf](loaf.png) here", "A warm loaf here"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("ab " * 100, "ab " * 65 + "ab…"),
        ("&lt;b&gt; \\*a\\* &nbsp; b", "<b> *a* b"),
    ],
)
def test_a_summary_is_the_beginning_of_the_text_without_marks(text, summary):
    assert render(text).summary == summary
    assert len(summary) <= 200


def test_the_command_renders_what_was_written_past_the_models(capsys):
    LessonFactory.create_batch(3, description=TEXT)
    Lesson.objects.update(description="# Rye")
    for number in (3, 0):
        call_command("render_descriptions")
        assert capsys.readouterr().out == f"Rendered anew: {number}.\n"
        assert_in_step()
