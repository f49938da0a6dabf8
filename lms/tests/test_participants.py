"""The page of a course that shows who learns and follows it, in the admin, and its tables."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from lms.models import Access, AccessSource, Completion, Course
from lms.tests.factories import SubscriptionFactory, course_with_lessons
from people.models import User
from people.tests.factories import UserFactory
from project.school.tests.factories import SchoolFactory
from project.tests.spreadsheets import lines_of, sheet_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def course(author) -> Course:
    return course_with_lessons(["Flour", "Water"], owner=author, published=True, title="Bread")


@pytest.fixture
def editor(course) -> User:
    """Of the staff, with a course of their own and no right to look at people."""
    editor = UserFactory.create(is_staff=True)
    rights = Permission.objects.filter(codename__in=["view_course", "change_course"])
    editor.user_permissions.set(rights)
    course.owner = editor
    course.save(update_fields=["owner"])
    return editor


def give(course: Course, person: User, source: str = "grant", **fields: Any) -> Access:
    place = {} if "lesson" in fields else {"course": course}
    return Access.objects.create(user=person, source=source, **place, **fields)


@pytest.fixture
def learners(course) -> list[User]:
    """Olga has the course and has completed a lesson of two; Ivan has both lessons, for a day longer."""
    olga = UserFactory.create(first_name="Olga", last_name="Berg", email="olga@school.example")
    ivan = UserFactory.create(first_name="Ivan", last_name="Adler", last_login=timezone.now())
    give(course, olga)
    give(course, olga, AccessSource.ENROLLMENT)
    flour, water = course.lessons.all()
    yesterday = timezone.now() - timedelta(days=1)
    for lesson in (flour, water):
        give(course, ivan, AccessSource.PAYMENT, lesson=lesson, created_at=yesterday)
    Completion.objects.create(user=olga, lesson=flour)
    # Nobody of these: one who is blocked, one who had it, one of another course.
    give(course, UserFactory.create(blocked=True))
    give(course, UserFactory.create(), revoked_at=timezone.now())
    give(course_with_lessons(["Sugar"]), UserFactory.create())
    return [olga, ivan]


def address_of(course: Course, query: str = "") -> str:
    return reverse("admin:lms_course_participants", args=[course.pk]) + query


def shown(client: Any, course: Course, query: str = "") -> list[list[str]]:
    answer = client.get(address_of(course, query))
    assert answer.status_code == 200
    return [[str(value) for value in row] for row in answer.context["rows"]]


def table_of(client: Any, course: Course, query: str = "") -> list[list[str]]:
    return lines_of(client.post(address_of(course, query), {"format": "csv"}))


def test_an_administrator_sees_how_they_got_access_and_how_far_they_are(
    client_of, administrator, course, learners
):
    olga, ivan = learners
    first, second = shown(client_of(administrator), course)
    link = reverse("admin:people_user_change", args=[olga.pk])
    assert first[0] == f'<a class="text-link" href="{link}">Olga Berg</a>'
    assert first[1] == "olga@school.example"
    assert first[2] == "free enrolment, granted by staff · whole course"
    assert first[4] == "1/2 · 50 %"
    assert first[5] == "—"  # never here
    assert second[1:3] == [ivan.email, "payment · 2 lessons"]
    assert second[4] == "0/2 · 0 %"
    assert second[5] != "—"


def test_an_author_of_the_staff_knows_first_names_only(client_of, editor, course, learners):
    answer = client_of(editor).get(address_of(course))
    text = answer.content.decode()
    assert [row[0] for row in answer.context["rows"]] == [
        f"{person.first_name} · {person.pk}" for person in learners
    ]
    for secret in ("Berg", "Adler", "olga@school.example", "/people/user/"):
        assert secret not in text
    # Nor by searching, nor by the order.
    assert shown(client_of(editor), course, "?q=berg") == []
    assert shown(client_of(editor), course, "?o=name") == shown(client_of(editor), course)
    assert len(shown(client_of(editor), course, "?q=olga")) == 1


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("name", "Adler Berg"),
        ("-name", "Berg Adler"),
        ("since", "Adler Berg"),
        ("-since", "Berg Adler"),
        ("progress", "Adler Berg"),
        ("-progress", "Berg Adler"),
        ("seen", "Berg Adler"),
        ("nonsense", "Berg Adler"),
    ],
)
def test_they_are_put_in_order(client_of, administrator, course, learners, order, names):
    User.objects.filter(pk=learners[0].pk).update(date_joined=timezone.now() - timedelta(days=9))
    rows = shown(client_of(administrator), course, f"?o={order}")
    assert [row[0].split("<")[1].split()[-1] for row in rows] == names.split()


def test_they_are_found_by_name_and_address(client_of, administrator, course, learners):
    for text in ("berg", "olga@school.example", "olga berg"):
        [row] = shown(client_of(administrator), course, f"?q={text}")
        assert "Olga Berg" in row[0]
    page = client_of(administrator).get(address_of(course, "?q=nobody")).content.decode()
    assert "Nobody was found." in page


def test_subscribers_are_another_list(client_of, administrator, course, learners):
    follower = SubscriptionFactory.create(course=course, user=learners[0])
    SubscriptionFactory.create(course=course, user__blocked=True)
    SubscriptionFactory.create()
    client = client_of(administrator)
    [row] = shown(client, course, "?list=subscribers")
    assert row[1] == follower.user.email
    text = client.get(address_of(course)).content.decode()
    assert "Learners · 2" in text
    assert "Subscribers · 1" in text


def test_pages_have_fifty(client_of, administrator, course):
    for person in UserFactory.create_batch(51):
        give(course, person)
    assert len(shown(client_of(administrator), course)) == 50
    assert len(shown(client_of(administrator), course, "?page=2")) == 1
    assert len(shown(client_of(administrator), course, "?page=9")) == 1


@pytest.mark.parametrize("query", ["", "?list=subscribers"])
def test_a_page_of_twenty_takes_as_many_queries_as_one_of_two(
    client_of, administrator, course, query
):
    client, counts = client_of(administrator), []
    for number in (2, 20):
        for person in UserFactory.create_batch(number):
            give(course, person)
            SubscriptionFactory.create(course=course, user=person)
        with CaptureQueriesContext(connection) as queries:
            client.get(address_of(course, query))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_an_export_has_all_that_the_page_knows(client_of, administrator, course, learners):
    SchoolFactory.create(time_zone="Europe/Moscow")
    answer = client_of(administrator).post(address_of(course), {"format": "xlsx"})
    sheet = sheet_of(answer)
    assert sheet.title == "Learners"
    header, olga, ivan = sheet.values
    assert header == ("Name", "Email", "Access", "Since", "Progress, %", "Last seen")
    assert olga[:2] == ("Olga Berg", "olga@school.example")
    since = Access.objects.earliest("pk").created_at.astimezone(ZoneInfo("Europe/Moscow"))
    assert olga[3] == since.replace(tzinfo=None, microsecond=0)
    assert (olga[4], olga[5]) == (50, None)
    assert ivan[:2] == ("Ivan Adler", learners[1].email)
    assert f"learners-{course.pk}.xlsx" in answer["Content-Disposition"]
    [entry] = LogEntry.objects.filter(user=administrator)
    assert (entry.object_id, entry.get_change_message()) == (
        str(course.pk),
        "Exported the learners",
    )


def test_an_export_is_of_what_was_searched_for(client_of, administrator, course, learners):
    _header, *rows = table_of(client_of(administrator), course, "?q=adler")
    assert [row[0] for row in rows] == ["Ivan Adler"]


def test_an_export_of_subscribers(client_of, editor, course):
    person = SubscriptionFactory.create(course=course, user__first_name="Olga").user
    header, row = table_of(client_of(editor), course, "?list=subscribers")
    assert header == ["Name", "Since"]
    assert row[0] == f"Olga · {person.pk}"


def test_a_name_is_no_formula_in_an_export(client_of, administrator, course):
    give(course, UserFactory.create(first_name="=1+1", last_name="Berg"))
    assert table_of(client_of(administrator), course)[1][0] == "'=1+1 Berg"


def test_who_may_not_change_the_course_sees_no_participants(
    client_of, support, moderator, editor, course, learners
):
    other = course_with_lessons(["Sugar"], title="Cake")
    for user, of, statuses in (
        (support, course, {403, 404}),
        (editor, other, {404}),
        (moderator, course, {200}),
    ):
        client = client_of(user)
        assert client.get(address_of(of)).status_code in statuses
        assert client.post(address_of(of)).status_code in statuses
    button = reverse("admin:lms_course_participants", args=[course.pk])
    page = client_of(moderator).get(reverse("admin:lms_course_change", args=[course.pk]))
    assert button in page.content.decode()


def test_a_course_without_lessons_is_learned_from_the_beginning(client_of, administrator, author):
    empty = course_with_lessons([], owner=author)
    give(empty, author)
    [row] = shown(client_of(administrator), empty)
    assert row[4] == "0/0 · 0 %"


def test_a_course_without_people_says_so(client_of, administrator, course):
    client = client_of(administrator)
    assert "Nobody learns this course yet." in client.get(address_of(course)).content.decode()
    page = client.get(address_of(course, "?list=subscribers")).content.decode()
    assert "Nobody has subscribed to this course yet." in page
