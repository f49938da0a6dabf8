"""What a search for courses and lessons finds, on both databases."""

import json
import unicodedata
from functools import partial

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lms.models import Course, Lesson
from lms.services import authoring, searching
from lms.tests.factories import CourseFactory, LessonFactory
from people.models import User
from people.services.accounts import erase_account, update_profile
from people.tests.factories import UserFactory
from project.common.db.search import LONGEST_WORD, MOST_WORDS, contains, words_of
from project.common.db.searched import create_search_tables, normalised
from project.tests.races import at_once, meanwhile

pytestmark = pytest.mark.django_db

HOSTILE = [
    '"', "'", "%", "_", "*", "?", "[", "]", "(", "\\", "\\\\", ".*", "%%%", "___", '"""', "a*b", "a[b]c",
    "NEAR", "AND", "OR NOT", 'NEAR("a" "b")', "searched:x", "^abc", "{a b}", "a-b", "+++", "--", ";;;",
    "c++", "c#", "🍞🥖🥐", "\u0301", "�", "x" * 300,
]  # fmt: skip


def found(text):
    return set(Course.objects.matching(text).values_list("title", flat=True))


@pytest.fixture
def accounting():
    return CourseFactory.create(
        title="Учёт для всех", description="Дебет и кредит: à la carte, STRASSE, Ελλάδος, йога"
    ).title


@pytest.mark.parametrize(
    "text",
    [
        "учет", "УЧЁТ", "всех учет", "кредит всех", "чё", "a la", "À", "straße", "ΕΛΛΆΔΟΣ", "ελλαδοσ",
        "йога", unicodedata.normalize("NFD", "йога учёт"), "у\u0301чет",
        "ＳＴＲ", "дебет  \t кредит", "",
    ],
)  # fmt: skip
def test_a_search_finds_words_in_any_order_case_and_composition(accounting, text):
    assert found(text) == {accounting}


@pytest.mark.parametrize("text", ["учет сыр", "иога", "учётдля", "всехх"])
def test_a_search_finds_only_what_has_all_the_words(accounting, text):
    assert found(text) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ёж", "еж"), ("Йод", "йод"), ("Ў", "ў"), ("Її", "її"), ("Crème", "creme"), ("ﬁ", "fi"),
        ("İı", "iı"), ("Straße", "strasse"), ("が", "が"), ("हिन्दी", "हिन्दी"), ("한국", "한국"),
        (" a\0b \n c ", "a b c"),
    ],
)  # fmt: skip
def test_letters_are_folded_only_where_they_are_the_same(text, expected):
    for form in ("NFC", "NFD"):
        assert normalised(unicodedata.normalize(form, text)) == unicodedata.normalize(
            "NFC", expected
        )


@given(st.text())
def test_what_is_normalised_stays(text):
    once = normalised(text)
    assert normalised(once) == once
    assert normalised(text.upper()) == normalised(text.upper().lower())


LETTERS = st.sampled_from([*"abйиеё%_*?[]\"'\\ (-", "е\u0308", "И\u0306", "🍞"])
TEXTS = st.lists(LETTERS, max_size=12).map("".join)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(TEXTS, min_size=1, max_size=6), TEXTS)
def test_a_search_finds_what_python_finds(author, descriptions, text):
    Course.objects.all().delete()
    Course.objects.bulk_create(
        Course(owner=author, title=f"#{number}", description=description)
        for number, description in enumerate(descriptions)
    )
    wanted = {
        f"#{number}"
        for number, description in enumerate(descriptions)
        if all(
            normalised(word) in normalised(f"#{number}\n{description}\n{author.first_name}")
            for word in words_of(text)
        )
    }
    assert found(text) == wanted


@pytest.mark.parametrize("text", HOSTILE)
def test_no_character_of_a_search_means_anything(api, client_of, author, moderator, text):
    CourseFactory.create(owner=author, title="Bread", published=True)
    wanted = CourseFactory.create(owner=author, title="Other", description=f"a {text} b")
    LessonFactory.create(course=wanted, title="Other", description=f"a {text} b")
    everything = not normalised(text)
    assert found(text) == ({"Bread", "Other"} if everything else {"Other"})
    for path in ("courses", "catalog/courses"):
        answer = api(author).get(path, data={"search": text[:200]})
        assert answer.status_code == 200
    assert len(api(author).get("courses", data={"search": text[:200]}).json()["items"]) == len(
        found(text[:200])
    )
    for model in ("course", "lesson"):
        page = client_of(moderator).get(reverse(f"admin:lms_{model}_changelist"), {"q": text})
        assert "Other" in page.content.decode()


def test_a_search_in_the_admin_survives_whatever_is_typed(client_of, moderator):
    for text in ("x" * 100_000, "слово " * 5_000):
        page = client_of(moderator).get(reverse("admin:lms_course_changelist"), {"q": text})
        assert page.status_code == 200


def test_of_very_many_words_the_longest_are_looked_for(accounting):
    assert len(words_of(" ".join("a" * n for n in range(1, 50)))) == MOST_WORDS
    assert words_of("x" * 1000) == ["x" * LONGEST_WORD]
    assert found("учет для всех дебет и кредит à la carte strasse йога") == {accounting}


@pytest.mark.parametrize("path", ["courses", "catalog/courses"])
def test_courses_are_found_by_the_name_of_their_author(api, moderator, path):
    author = UserFactory.create(first_name="Семён", last_name="Секретный")
    CourseFactory.create(title="Сыр", published=True)
    wanted = CourseFactory.create(owner=author, title="Хлеб", published=True)
    for text in ("семен", "Хлеб Семён", "ем"):
        items = api(moderator).get(path, data={"search": text}).json()["items"]
        assert [item["id"] for item in items] == [wanted.pk]
    answer = api(moderator).get(path, data={"search": "секретный"}).json()
    assert answer["items"] == []


def test_renaming_the_author_changes_what_finds_the_courses(run_worker, monkeypatch):
    monkeypatch.setattr(searching, "BATCH", 2)
    author = UserFactory.create(first_name="Семён")
    titles = {course.title for course in CourseFactory.create_batch(3, owner=author)}
    changes = Course.history.count()
    run_worker(lambda: update_profile(user=author, changes={"first_name": "Фёдор"}))
    assert (found("федор"), found("семен")) == (titles, set())
    run_worker(lambda: erase_account(user=author))
    assert (found("федор"), found("course")) == (set(), titles)
    assert Course.history.count() == changes


def test_an_edit_changes_what_finds_a_course_and_a_lesson(author):
    course = CourseFactory.create(owner=author, title="Хлеб", description="Мука")
    lesson = LessonFactory.create(course=course, title="Вода")
    authoring.update_course(course=course, changes={"title": "Сыр"}, by=author)
    authoring.update_lesson(lesson=lesson, changes={"description": "Соль"}, by=author)
    assert (found("сыр мука"), found("хлеб")) == ({"Сыр"}, set())
    assert Lesson.objects.filter(contains("соль вода", "searched")).get() == lesson
    assert not Lesson.objects.filter(contains("сыр", "searched"))
    authoring.delete_lesson(lesson=lesson, by=author)
    authoring.delete_course(course=course, by=author)
    assert (found(""), found("сыр")) == (set(), set())


def test_who_has_no_courses_leaves_nothing_to_the_worker(
    author, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks() as left:
        update_profile(user=author, changes={"first_name": "Фёдор"})
    assert left == []


@pytest.mark.parametrize(
    ("saved", "renews"), [(None, True), (["first_name"], True), (["phone", "last_name"], False)]
)
def test_the_worker_is_asked_where_the_name_may_be_another(
    author, django_capture_on_commit_callbacks, saved, renews
):
    CourseFactory.create(owner=author)
    with django_capture_on_commit_callbacks() as left:
        author.save(update_fields=saved)
    assert bool(left) is renews


def test_rows_of_a_fixture_are_found_whatever_their_order(tmp_path, run_worker):
    author = UserFactory.create(first_name="Семён")
    course = CourseFactory.create(owner=author, title="Хлеб")
    dumped = tmp_path / "school.json"
    call_command("dumpdata", "lms.course", "people.user", output=str(dumped))
    rows = json.loads(dumped.read_text())
    for row in rows:
        row["fields"].pop("searched", None)
    dumped.write_text(json.dumps(sorted(rows, key=lambda row: row["model"])))
    course.delete()
    author.delete()
    run_worker(lambda: call_command("loaddata", str(dumped), verbosity=0))
    assert found("семен хлеб") == {"Хлеб"}


@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_a_table_that_a_migration_made_anew_gets_its_index_again():
    CourseFactory.create(title="Хлеб")
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER lms_course_searched_insert")
    CourseFactory.create(title="Сыр")
    assert found("сыр") == found("сырр") == set()
    create_search_tables(apps.get_app_config("lms"), using="default", apps=apps)
    assert (found("сыр"), found("хлеб")) == ({"Сыр"}, {"Хлеб"})


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_course_that_is_created_during_a_renaming_is_found_by_the_new_name():
    author = UserFactory.create(first_name="Семён")
    _first, course, _waited = meanwhile(
        lambda: update_profile(user=author, changes={"first_name": "Фёдор"}),
        lambda: authoring.create_course(owner=author, fields={"title": "Хлеб"}),
    )
    searching.renew_searches(author.pk)
    assert found("федор хлеб") == {course.title}


def rename(author: User, name: str) -> None:
    update_profile(user=author, changes={"first_name": name})
    searching.renew_searches(author.pk)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_an_edit_and_a_renaming_at_once_are_both_found():
    author = UserFactory.create(first_name="Семён")
    course = CourseFactory.create(owner=author, title="Хлеб")
    for number in range(5):
        name, title = f"Фёдор{number}", f"Сыр{number}"
        at_once(
            partial(rename, author, name),
            partial(authoring.update_course, course=course, changes={"title": title}, by=author),
        )
        assert found(f"{name} {title}") == {title}
