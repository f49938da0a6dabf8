"""What people read who meet an error outside the API: which page, in which language, and the way back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.template.backends.django import Template
from django.test import Client

from people.models import User

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.django_db,
    pytest.mark.urls("project.tests.failing_urls"),
]
# By status: what is asked for below /, and below /admin/.
ADDRESSES = {
    400: ("?search=%00", "?search=%00"),
    403: ("i18n/setlang/", "people/user/"),
    404: ("nowhere", "nowhere/"),
    405: ("front/texts/ru/1.js", "lms/course/markdown/"),
    413: ("unsubscribe/x/", "lms/course/markdown/"),
    429: ("often", "often"),
    500: ("fails", "fails"),
    503: ("away", "away"),
}
TITLES = {
    400: ("This could not be understood", "Запрос не удалось разобрать"),
    403: ("This is not open to you", "Сюда у вас нет доступа"),
    404: ("There is no such page", "Такой страницы нет"),
    405: ("This address is not opened like this", "Этот адрес так не открывают"),
    413: ("That was too much at once", "Слишком много за один раз"),
    429: ("Too many attempts", "Слишком много попыток"),
    500: ("Something went wrong on our side", "На нашей стороне что-то сломалось"),
    503: ("We will be back in a moment", "Скоро вернёмся"),
}
TOO_LONG_OPEN = ("This page was open for too long", "Страница была открыта слишком долго")


def ask(client: Client, address: str, status: int, language: str) -> Any:
    # What is sent to /i18n/ has no token, as where a browser keeps no cookie.
    client.handler.enforce_csrf_checks = status == 403
    client.raise_request_exception = False
    headers = {"accept-language": language, "host": "testserver"}
    if status == 413:
        headers["content-length"] = str(10**9)
    is_sent = status == 413 or address.startswith(("/i18n/", "/front/"))
    response = (client.post if is_sent else client.get)(address, headers=headers)
    assert response.status_code == status, address
    return response


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("area", ["public", "logged out", "logged in"])
def test_each_error_is_a_page_of_the_school_with_a_way_on(
    area: str,
    language: str,
    client_of: Callable[[User | None], Client],
    moderator: User,
    settings: Any,
) -> None:
    settings.SCHOOL_NAME = "Oak School"
    User.objects.update(language=language)
    for status, (public, of_admin) in ADDRESSES.items():
        client = client_of(moderator if area == "logged in" else None)
        if area == "logged out" and status in {403, 404, 405}:
            continue  # who is led to the log-in
        address = f"/{public}" if area == "public" else f"/admin/{of_admin}"
        response = ask(client, address, status, language)
        titles = TOO_LONG_OPEN if address.endswith("setlang/") else TITLES[status]
        assert f'<html lang="{language}"' in response.text, status
        assert titles[language == "ru"] in response.text, status
        assert "Oak School" in response.text
        assert "no-store" in response["Cache-Control"]
        way_on = 'href="/"' if area == "public" else 'href="/admin/"'
        assert way_on in response.text, status
        assert (response["X-Request-Id"] in response.text) is (status >= 500), status
        has_menu = area == "logged in" and status in {403, 404, 405}
        assert ('id="nav-sidebar"' in response.text) is has_menu, status


def test_the_way_back_leads_to_where_somebody_came_from_here(client: Client) -> None:
    def ways(address: str, came_from: str) -> str:
        return client.get(address, headers={"referer": came_from, "host": "testserver"}).text

    client.raise_request_exception = False
    assert 'href="/learn?x=1">Back<' in ways("/nowhere", "http://testserver/learn?x=1")
    assert "Back" not in ways("/nowhere", "http://testserver/nowhere")
    assert "elsewhere" not in ways("/nowhere", "http://elsewhere.example/learn")
    assert "evil" not in ways("/nowhere", "http://testserver//evil.example/")
    assert "Back" not in ways("/nowhere", "")
    assert 'href="/fails?x=1">Try again<' in ways("/fails?x=1", "")


def test_an_error_is_told_where_no_template_works(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(Template, "render", fail)
    client.raise_request_exception = False
    response = client.get("/fails", headers={"accept-language": "ru"})
    assert response.status_code == 500
    assert TITLES[500][1] in response.text
    assert response["X-Request-Id"] in response.text


def test_a_failure_tells_nothing_of_its_cause(client: Client) -> None:
    client.raise_request_exception = False
    for address in ("/fails", "/away"):
        text = client.get(address).text
        assert "ZeroDivision" not in text
        assert "Operational" not in text


def test_what_is_refused_by_the_api_stays_a_problem_document(client: Client) -> None:
    client.raise_request_exception = False
    for address in ("/api/fails", "/api/v1/nowhere"):
        assert client.get(address)["Content-Type"] == "application/problem+json"


def test_browsers_and_search_engines_find_what_they_ask_for_at_the_root(client: Client) -> None:
    kinds = {"favicon.ico": "image/x-icon", "apple-touch-icon.png": "image/png"}
    for name, kind in kinds.items():
        response = client.get(f"/{name}")
        assert (response.status_code, response["Content-Type"]) == (200, kind)
        response.close()
    response = client.get("/robots.txt")
    rules = b"".join(response).decode().splitlines()
    assert "Disallow: /admin/" in rules
    # What the catalog's page asks for has to be open to who shows it.
    assert not any(
        "/api/v1/catalog".startswith(rule.removeprefix("Disallow: ")) for rule in rules[3:]
    )
