"""No link of the admin leads to a refusal: each role follows all that its pages show."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import resolve

from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory
from people.models import Role, User
from people.tests.factories import UserFactory
from project.tests.admin_walk import links_of, walk
from project.tests.test_admin_russian import (  # noqa: F401 - something in every list
    _written_in_russian,
    world,
)

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

WORDS = ("хлеб", "мука", "лев", "ада", "соль", "school", "course", "мёд")
ROLES = ("administrator", "moderators", "support", "accountants", "content editors", "no role")


@pytest.fixture
def in_role(world: Any, administrator: User) -> Callable[[str], User]:  # noqa: F811
    def make(name: str) -> User:
        if name == "administrator":
            return administrator
        user = UserFactory.create(is_staff=True, first_name="Sonja")
        own = CourseFactory.create(owner=user, title="Хлеб Сони", published=True)
        lesson = LessonFactory.create(course=own, title="Соль Сони")
        authoring.update_lesson(lesson=lesson, changes={"title": "Мука Сони"}, by=user)
        if name != "no role":
            user.groups.add(Role.objects.get(name=name).pk)
        return user

    return make


@pytest.mark.parametrize("role", ROLES)
def test_no_link_leads_to_a_refusal(role, in_role, client_of):
    seen, refused = walk(client_of(in_role(role)), WORDS)
    assert refused == {}
    # The walk went where the role works.
    names = {resolve(urlsplit(address).path).url_name for address in seen}
    assert (
        names
        >= {"index", "password_change"}
        | {
            "administrator": {"people_role_change", "mail_delivery_change", "people_user_erase"},
            "moderators": {"lms_course_change", "lms_lesson_put_back"},
            "support": {"people_user_block", "people_user_add", "lms_access_revoke"},
            "accountants": {"payments_payment_refund", "payments_payment_import_payments"},
            "content editors": {"lms_course_add", "lms_course_delete", "lms_lesson_change"},
            "no role": set(),
        }[role]
    )


def test_who_may_do_nothing_reads_whom_to_ask(in_role, client_of, administrator):
    blocked = UserFactory.create(is_superuser=True, blocked=True)
    text = client_of(in_role("no role")).get("/admin/").text
    assert "Ask an administrator to give you a role" in text
    assert administrator.email in text
    assert blocked.email not in text
    refused = client_of(in_role("content editors")).get("/admin/people/user/")
    assert refused.status_code == 403
    assert administrator.email in refused.text
    assert blocked.email not in refused.text
    assert "Ask an administrator" not in client_of(in_role("content editors")).get("/admin/").text


def test_the_walk_finds_a_link_that_is_refused(in_role, client_of):
    user = in_role("no role")
    links = (
        '<a href="/admin/people/user/">x</a><a href="https://a.example/">y</a><a href="#z">z</a>'
    )
    assert list(links_of("/admin/", links)) == ["/admin/people/user/", "/admin/"]
    assert client_of(user).get("/admin/people/user/").status_code == 403
