"""A class is given access to a course from a list, in the admin."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from lms.models import Access, AccessSource, Course
from lms.tests.factories import CourseFactory, LessonFactory
from people.models import User
from people.tests.factories import UserFactory
from project.mail.models import Delivery

pytestmark = pytest.mark.django_db


@pytest.fixture
def course(author) -> Course:
    return CourseFactory.create(owner=author, title="Bread", published=True)


@pytest.fixture
def pupils() -> list[User]:
    return [UserFactory.create(email=f"{name}@school.example") for name in ("ada", "bo", "cy")]


class Page:
    """The page of a course, as one of the staff uses it."""

    def __init__(self, client: Any, course: Course) -> None:
        self.client, self.address = client, reverse("admin:people_user_enrol", args=[course.pk])

    def check(self, people: str = "", **fields: Any) -> Any:
        answer = self.client.post(self.address, {"people": people, "reason": "Class 5", **fields})
        assert answer.status_code == 200
        return answer

    def enrol(self, people: str = "", **fields: Any) -> Any:
        """Check, then press the button once more with all that the page says."""
        form = self.check(people, **fields).context["form"]
        values = {name: form[name].value() for name in form.fields if name != "file"}
        return self.client.post(
            self.address, {name: value for name, value in values.items() if value}, follow=True
        )


@pytest.fixture
def page(client_of, administrator, course) -> Page:
    return Page(client_of(administrator), course)


def outcomes(answer: Any) -> dict[str, str]:
    return {
        one.entry.address or one.entry.text: one.outcome.value
        for one, _person in answer.context["verdicts"]
    }


def mailed() -> list[str]:
    return sorted(
        f"{one.mailing.kind} {one.recipient.email}"
        for one in Delivery.objects.select_related("mailing", "recipient")
    )


def test_a_list_is_reported_before_anything_is_done(page, course, pupils):
    blocked = UserFactory.create(email="blocked@school.example", blocked=True)
    Access.objects.create(user=pupils[1], course=course, source=AccessSource.PAYMENT)
    text = (
        f"ada@school.example\nBo Berg <BO@school.example>\nAda@School.example\n{blocked.email}\n"
        f"nobody@school.example\njust a name\nwrong@@x\n{course.owner.email}"
    )
    answer = page.check(text)
    assert outcomes(answer) == {
        "ada@school.example": "enrolled",
        "BO@school.example": "has_access",
        "Ada@School.example": "duplicate",
        blocked.email: "blocked",
        "nobody@school.example": "unknown",
        "just a name": "wrong",
        "wrong@@x": "wrong",
        course.owner.email: "has_access",
    }
    # What is to be corrected stands first.
    lines = [one.entry.line for one, _person in answer.context["verdicts"]]
    assert lines == [4, 5, 6, 7, 1, 2, 3, 8]
    assert "Enrol 1 person" in answer.content.decode()
    assert Access.objects.count() == 1
    assert not mailed()


def test_good_lines_are_enrolled_and_wrong_ones_stay_to_be_corrected(page, course, pupils):
    answer = page.enrol("ada@school.example\nbo@school,example\nnobody\ncy@school.example")
    text = answer.content.decode()
    assert {access.user.email for access in course.accesses.all()} == {
        "ada@school.example",
        "cy@school.example",
    }
    assert "2 people were enrolled." in text
    assert "2 lines are left to be corrected." in text
    form = answer.context["form"]
    assert form["people"].value() == "bo@school,example\nnobody"
    assert form["reason"].value() == "Class 5"
    assert [one.entry.line for one, _person in answer.context["verdicts"]] == [1, 2]
    corrected = page.enrol("bo@school.example")
    assert corrected.redirect_chain[-1][0] == reverse(
        "admin:lms_course_participants", args=[course.pk]
    )
    assert course.accesses.count() == 3


def test_each_right_says_who_gave_it_and_why_and_is_logged(page, course, pupils, administrator):
    page.enrol("ada@school.example, bo@school.example")
    for access in course.accesses.all():
        assert (access.source, access.given_by) == (AccessSource.GRANT, administrator)
        assert (access.reason, access.is_reason_told) == ("Class 5", False)
    logged = LogEntry.objects.filter(user=administrator, content_type__model="access")
    assert {int(entry.object_id or 0) for entry in logged} == {
        *course.accesses.values_list("pk", flat=True)
    }


def test_people_are_told_once_however_often_the_list_is_sent(page, course, pupils):
    text = "ada@school.example\nbo@school.example"
    page.enrol(text, tell="on")
    again = page.check(text, tell="on")
    assert set(outcomes(again).values()) == {"has_access"}
    assert "Check the list" in again.content.decode()
    page.enrol(text + "\ncy@school.example", tell="on")
    assert mailed() == [f"access_given {person.email}" for person in pupils]
    assert {access.is_reason_told for access in course.accesses.all()} == {True}


def test_what_is_changed_after_the_report_is_reported_once_more(page, course, pupils):
    form = page.check("ada@school.example").context["form"]
    answer = page.check("bo@school.example", seen=form["seen"].value())
    assert outcomes(answer) == {"bo@school.example": "enrolled"}
    assert not course.accesses.exists()


def test_a_file_is_read_and_shown_to_be_corrected(page, course, pupils):
    table = "Имя;Почта\nАда;ada@school.example\nБо;bo@school,example\n".encode("cp1251")
    answer = page.enrol("", file=SimpleUploadedFile("class.csv", table))
    assert [access.user.email for access in course.accesses.all()] == ["ada@school.example"]
    assert answer.context["form"]["people"].value() == "Имя;Почта\nБо;bo@school,example"


def test_who_has_no_account_gets_one_and_an_invitation_if_wished(page, course, pupils):
    text = "ada@school.example\nNora Lind <nora@school.example>"
    page.enrol(text, makes_accounts="on")
    nora = User.objects.get(email="nora@school.example")
    assert (nora.first_name, nora.last_name, nora.is_awaited) == ("Nora", "Lind", True)
    assert not nora.has_usable_password()
    assert {access.user for access in course.accesses.all()} >= {nora, pupils[0]}
    assert "invitation nora@school.example" in mailed()


def test_a_name_that_is_none_makes_no_account(page, course):
    answer = page.check("n@school.example;www.evil.com", makes_accounts="on")
    [(verdict, _person)] = answer.context["verdicts"]
    assert verdict.outcome == "wrong"
    assert "www.evil.com" in verdict.reason


def test_accounts_are_made_only_by_who_may_add_people(client_of, course, pupils, support):
    support.groups.clear()
    rights = ("view_course", "change_course", "add_access")
    support.user_permissions.set(Permission.objects.filter(codename__in=rights))
    course.owner = support
    course.save()
    page = Page(client_of(support), course)
    answer = page.check("nora@school.example", makes_accounts="on")
    assert "makes_accounts" not in answer.context["form"].fields
    assert outcomes(answer) == {"nora@school.example": "unknown"}


def test_who_may_not_give_access_or_see_the_course_enrols_nobody(
    client_of, moderator, support, course
):
    for user, status in ((moderator, 403), (support, 404)):
        client = client_of(user)
        address = reverse("admin:people_user_enrol", args=[course.pk])
        assert client.get(address).status_code == status
        assert client.post(address, {"people": "a@x.org"}).status_code == status
    page = client_of(moderator).get(reverse("admin:lms_course_participants", args=[course.pk]))
    assert "Enrol people" not in page.content.decode()


def test_a_right_to_a_lesson_is_no_right_to_the_course(page, course, pupils):
    lesson = LessonFactory.create(course=course)
    Access.objects.create(user=pupils[0], lesson=lesson, source=AccessSource.PAYMENT)
    page.enrol("ada@school.example")
    assert course.accesses.get().user == pupils[0]


def test_a_list_of_more_than_a_thousand_is_refused(page, course):
    answer = page.check("\n".join(f"p{number}@school.example" for number in range(1001)))
    assert "1,000 people at most" in str(answer.context["form"].errors)


def test_a_hundred_accounts_are_made_at_a_time_and_the_others_stay(page, course):
    text = "\n".join(f"p{number}@school.example" for number in range(102))
    answer = page.enrol(text, makes_accounts="on")
    assert course.accesses.count() == 100
    assert answer.context["form"]["people"].value() == "p100@school.example\np101@school.example"
    assert answer.context["form"]["makes_accounts"].value() is True
    assert "100 accounts are made at a time" in answer.content.decode()


def test_nothing_typed_is_said_at_the_box(page):
    assert page.check("  ").context["form"].errors["people"]
    large = SimpleUploadedFile("class.csv", b"x" * 200_001)
    assert page.check("", file=large).context["form"].errors["file"]


def test_enrolling_twenty_takes_as_many_queries_as_two(page, course):
    """The report, the deed and the page of the participants afterwards."""
    page.enrol(UserFactory.create().email)  # what is asked for once
    counts = []
    for number in (2, 20):
        people = "\n".join(person.email for person in UserFactory.create_batch(number))
        with CaptureQueriesContext(connection) as queries:
            page.enrol(people)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert course.accesses.count() == 23


def test_a_forged_preview_is_none(page, course, pupils):
    page.check("ada@school.example", seen="forged")
    assert not course.accesses.exists()
