"""Administrators give a course to another author."""

from typing import Any

import pytest
from django.urls import reverse

from lms.models import AccessSource, CourseChange
from lms.services import accesses
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from lms.tests.test_admin import page
from people.tests.factories import UserFactory
from project.mail.models import Mailing

pytestmark = pytest.mark.django_db


@pytest.fixture
def course(author):
    course = CourseFactory.create(owner=author, title="Bread", published=True)
    LessonFactory.create(course=course)
    return course


def give(client: Any, course: Any, owner: Any) -> Any:
    return client.post(page("course_change_owner", course.pk), {"owner": owner.pk}, follow=True)


def test_the_new_author_may_what_the_former_one_might(
    api, client_of, administrator, author, stranger, course, run_worker
):
    SubscriptionFactory.create(course=course)
    answer = run_worker(lambda: give(client_of(administrator), course, stranger))
    assert "Bread: the author was changed." in answer.content.decode()
    path = f"courses/{course.pk}"
    shown = api(stranger).get(path).json()
    assert shown["owner"] == {"id": stranger.pk, "first_name": "Stepan"}
    assert all(shown["abilities"].values())
    assert api(stranger).patch(path, {"title": "Rye"}).status_code == 200
    assert api(stranger).get(f"{path}/statistics").json()["payments"] is not None
    assert api(author).get(path).status_code == 404
    assert api(author).get("courses").json()["count"] == 0
    assert api(author).get(f"catalog/courses/{course.pk}").json()["has_access"] is False
    for name, number in (("Stepan", 1), ("Anna", 0)):
        assert api(author).get(f"catalog/courses?search={name}").json()["count"] == number


def test_a_right_that_the_former_author_has_otherwise_stays(
    api, client_of, administrator, author, stranger, course
):
    accesses.grant_access(user=author, target=course, source=AccessSource.GRANT)
    give(client_of(administrator), course, stranger)
    assert api(author).get(f"catalog/courses/{course.pk}").json()["has_access"] is True


def test_nobody_is_told_and_the_quiet_period_stays(
    client_of, administrator, stranger, course, run_worker
):
    SubscriptionFactory.create(course=course)
    before = course.materials_updated_at
    run_worker(lambda: give(client_of(administrator), course, stranger))
    course.refresh_from_db()
    assert course.materials_updated_at == before
    assert not CourseChange.objects.exists()
    assert not Mailing.objects.exists()


def test_the_history_tells_it_as_its_reader_may_know_people_and_does_not_put_it_back(
    api, client_of, administrator, moderator, author, course
):
    new = UserFactory.create(first_name="Nora", last_name="Secret")
    give(client_of(administrator), course, new)
    (change, *_older) = api(new).get(f"courses/{course.pk}/history").json()["items"]
    assert change["by"]["id"] == administrator.pk
    assert change["fields"] == [{"name": "owner_id", "before": author.pk, "after": new.pk}]
    path = f"courses/{course.pk}/history/{change['id']}/revert"
    assert api(new).post(path).json()["code"] == "nothing_to_put_back"
    history = client_of(moderator).get(page("course_history", course.pk)).content.decode()
    assert f"<del>Anna · {author.pk}</del> <ins>Nora · {new.pk}</ins>" in history
    assert "Secret" not in history
    assert "Secret" in client_of(administrator).get(page("course_history", course.pk)).text


def test_a_blocked_person_gets_no_course(client_of, administrator, author, course):
    answer = give(client_of(administrator), course, UserFactory.create(blocked=True))
    assert "This account is blocked." in answer.content.decode()
    course.refresh_from_db()
    assert course.owner == author


def test_neither_moderators_nor_authors_change_the_author(
    client_of, moderator, author, stranger, course, moderators
):
    author.is_staff = True
    author.save(update_fields=["is_staff"])
    author.user_permissions.set(moderator.groups.get().permissions.all())
    for person in (moderator, author):
        client = client_of(person)
        assert give(client, course, stranger).status_code == 403
        assert "change-owner" not in client.get(page("course_change", course.pk)).text
    course.refresh_from_db()
    assert course.owner == author


def test_many_courses_are_given_away_at_once(client_of, administrator, author, stranger, course):
    other = CourseFactory.create(owner=author)
    form = {
        "action": "change_owner_many", "_selected_action": [course.pk, other.pk],
        "confirm": "1", "owner": stranger.pk,
    }  # fmt: skip
    client_of(administrator).post(reverse("admin:lms_course_changelist"), form)
    assert set(stranger.courses.all()) == {course, other}
