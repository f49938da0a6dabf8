"""No link of the admin leads to a refusal: each role follows all that its pages show."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
from django.test import Client
from django.urls import resolve

from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory
from people.models import Role, User
from people.tests.factories import UserFactory
from project.tests.test_admin_russian import world  # noqa: F401 - something in every list

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

PALETTE = "/admin/search/?s="
ROLES = ("administrator", "moderators", "support", "accountants", "content editors", "no role")


class Links(HTMLParser):
    """What the page offers: links, and what its selects ask for rows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in known:
            self.found.append(known["href"])
        if tag == "form" and known.get("method", "get").lower() == "get":
            self.found.append(known.get("action", ""))
        if address := known.get("data-ajax--url"):
            names = {
                "app_label": "app-label",
                "model_name": "model-name",
                "field_name": "field-name",
            }
            asked = {key: known.get(f"data-{name}", "") for key, name in names.items()}
            self.found.append(f"{address}?{urlencode(asked)}")


def links_of(page: str, html: str) -> Iterator[str]:
    parser = Links()
    parser.feed(html)
    for found in parser.found:
        address = urljoin(page, found.partition("#")[0])
        if urlsplit(address).path.startswith("/admin/") and "/logout/" not in address:
            yield address


def kind_of(address: str) -> tuple[str, tuple[str, ...]]:
    """Lists can be ordered and filtered in endless ways: each name of a parameter once. A page may
    remember how its list was. Each month leads to the next: January and one more of each year."""
    parts = urlsplit(address)
    names = {name for name, _value in parse_qsl(parts.query)} - {"_changelist_filters"}
    path = re.sub(r"/(\d{4})-(?!1/)\d+/", r"/\1/", parts.path)
    return path, tuple(sorted(names))


def walk(client: Client) -> tuple[dict[str, str], dict[str, tuple[int, str]]]:
    """Follow every link from the dashboard and the palette on. Returns what was seen, and for each
    that was refused the status and where it stood."""
    words = ("хлеб", "мука", "лев", "ада", "соль", "school", "course", "мёд")
    waiting = [("/admin/", "the log-in"), *((f"{PALETTE}{word}", "the palette") for word in words)]
    known = {kind_of(address) for address, _where in waiting[:1]}
    seen: dict[str, str] = {}
    refused: dict[str, tuple[int, str]] = {}
    while waiting:
        address, where = waiting.pop()
        response = client.get(address, follow=True)
        content = response.getvalue()  # a table that is not read to its end stays open
        seen[address] = content.decode() if "html" in response["Content-Type"] else ""
        if response.status_code != 200 or "/login/" in response.request["PATH_INFO"]:
            refused[address] = (response.status_code, where)
            continue
        for found in links_of(address, seen[address]):
            if kind_of(found) not in known:
                known.add(kind_of(found))
                waiting.append((found, address))
    return seen, refused


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
    seen, refused = walk(client_of(in_role(role)))
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
    assert "Ask an administrator" not in client_of(in_role("content editors")).get("/admin/").text


def test_the_walk_finds_a_link_that_is_refused(in_role, client_of):
    user = in_role("no role")
    links = (
        '<a href="/admin/people/user/">x</a><a href="https://a.example/">y</a><a href="#z">z</a>'
    )
    assert list(links_of("/admin/", links)) == ["/admin/people/user/", "/admin/"]
    assert client_of(user).get("/admin/people/user/").status_code == 403
    assert re.match(r"/admin/", PALETTE)
