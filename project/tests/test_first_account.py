"""The first administrator makes the account by the link that `up` prints: once, from this machine."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.test import Client

from people.models import User
from project.admin_site.first_account import VARIABLE
from project.tests.races import at_once

pytestmark = pytest.mark.django_db

PAGE = "/admin/first-account/"
TOKEN = "a-token-that-only-the-terminal-shows"
PASSWORD = "a password of my own"
FORM = {
    "email": "ada@school.example",
    "first_name": "Ada",
    "last_name": "",
    "language": "ru",
    "new_password": PASSWORD,
    "again": PASSWORD,
}


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)


def with_link(**of_connection: Any) -> Client:
    """Somebody who has opened the link."""
    client = Client(**of_connection)
    answer = client.get(f"{PAGE}{TOKEN}/")
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    return client


def test_the_link_makes_an_administrator_who_is_logged_in(printed: None) -> None:
    client = with_link()
    assert client.get(PAGE).status_code == 200
    answer = client.post(PAGE, FORM, follow=True)
    assert answer.redirect_chain == [("/admin/", 302)]
    assert answer.context["title"] == "Обзор"
    made = User.objects.get()
    assert (made.email, made.first_name, made.language) == ("ada@school.example", "Ada", "ru")
    assert made.is_superuser
    assert made.is_staff
    assert made.is_email_confirmed
    assert made.check_password(PASSWORD)


@pytest.mark.parametrize("door", ["/", "/admin/", "/admin/login/"])
def test_whoever_arrives_before_reads_what_to_do(printed: None, door: str) -> None:
    client = Client()
    answer = client.get(door, follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert answer.status_code == 403
    assert "open the link that the terminal shows" in answer.text


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}another-token/"])
def test_nobody_becomes_administrator_without_the_token(printed: None, path: str) -> None:
    client = Client()
    client.get(path)
    assert client.post(PAGE, FORM).status_code == 403
    assert not User.objects.exists()


def test_the_link_works_once(printed: None, administrator: User) -> None:
    client = with_link()
    for answer in (client.get(PAGE), client.post(PAGE, FORM)):
        assert answer.status_code == 410
        assert "There is an administrator already" in answer.text
    assert User.objects.get() == administrator
    assert client.get("/admin/login/").status_code == 200
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "connection", [{"REMOTE_ADDR": "192.0.2.7"}, {"headers": {"X-Forwarded-For": "127.0.0.1"}}]
)
def test_the_link_works_on_this_machine_only(printed: None, connection: dict[str, Any]) -> None:
    client = with_link(**connection)
    answer = client.post(PAGE, FORM)
    assert answer.status_code == 403
    assert "on the machine where the school runs" in answer.text
    assert not User.objects.exists()


def test_the_link_works_behind_no_proxy(printed: None, settings: Any) -> None:
    settings.PROXIES = 1
    assert with_link().post(PAGE, FORM).status_code == 403


def test_where_no_link_was_printed_there_is_no_such_page() -> None:
    client = Client()
    assert client.get(PAGE).status_code == 404
    assert client.get("/").status_code == 200
    assert client.get("/admin/login/").status_code == 200


def test_what_is_wrong_is_said_at_its_field(printed: None, learner: User) -> None:
    client = with_link()
    weak = client.post(PAGE, FORM | {"new_password": "12345678", "again": "12345678"})
    assert "new_password" in weak.context["form"].errors
    taken = client.post(PAGE, FORM | {"email": learner.email.upper()})
    assert "An account with this email already exists." in taken.text
    assert not User.objects.administrators().exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_administrator(printed: None) -> None:
    def make(number: int) -> Callable[[], int]:
        client = with_link()
        form = FORM | {"email": f"ada{number}@school.example"}
        return partial(lambda: client.post(PAGE, form).status_code)

    statuses = at_once(*(make(number) for number in range(2)), before_writing=User)
    assert 302 in statuses
    assert User.objects.count() == 1
