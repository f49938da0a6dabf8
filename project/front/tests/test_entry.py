"""The ways in: log-in, registration, the links of mails."""

import json
import re
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from people.models import User
from people.one_time_links import email_link, password_reset_link, reactivation_link
from people.tests.factories import PASSWORD, UserFactory
from project.front.tests.conftest import Front

pytestmark = [pytest.mark.browser, pytest.mark.any_database]

NEW_PASSWORD = "another horse battery"


def fill(page: Page, **texts: str) -> None:
    for label, text in texts.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(text)


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def enter(front: Front, user: User, password: str = PASSWORD) -> None:
    """By the form of the log-in that is there."""
    fill(front.page, Email=user.email, Password=password)
    press(front.page, "Log in")


def test_who_logs_in_gets_to_what_they_asked_for(front, learner):
    page = front.page
    front.open("/learn?page=1")
    expect(page).to_have_url(f"/login?next={quote('/learn?page=1', safe='')}")
    front.check()
    enter(front, learner, "wrong horse battery")
    expect(page.get_by_role("alert")).to_have_text("The email or password is incorrect.")

    fill(page, Password=f" {PASSWORD}")
    page.get_by_role("button", name="Show the password").press("Enter")
    shown = page.get_by_label("Password", exact=True)
    expect(shown).to_have_attribute("type", "text")
    shown.press("Home")
    shown.press("Delete")
    shown.press("Enter")
    expect(page.get_by_role("heading", name="My learning")).to_be_focused()
    expect(page).to_have_url("/learn?page=1")


def test_a_log_in_among_many_comes_again_by_itself_and_later_says_when(front, learner):
    page = front.page
    waits = ["1", "5400"]

    def refuse(route: Route) -> None:
        if not waits:
            return route.fallback()
        body = {
            "type": "about:blank",
            "title": "",
            "status": 429,
            "code": "throttled",
            "detail": "",
        }
        headers = {"Content-Type": "application/problem+json", "Retry-After": waits.pop(0)}
        return route.fulfill(status=429, headers=headers, body=json.dumps(body))

    page.route("**/auth/token", refuse)
    front.open("/login?next=%2Flearn")
    enter(front, learner)
    expect(page.get_by_role("alert")).to_have_text(
        "Too many attempts. Please try again in 90 minutes."
    )
    assert front.requests == ["POST auth/token"] * 2
    press(page, "Log in")
    expect(page.get_by_role("heading", name="My learning")).to_be_focused()


def test_the_way_after_a_log_in_stays_on_this_site(front, learner):
    front.log_in(learner)
    host = urlsplit(front.page.url).netloc
    for way in (
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "https://evil.example/",
        "people",
        "/login",
    ):
        front.open(f"/login?next={quote(way, safe='')}")
        expect(front.page.get_by_role("heading", level=1)).to_be_visible()
        expect(front.page.get_by_label("Email")).to_have_count(0)
        assert urlsplit(front.page.url).netloc == host, way


def test_the_page_speaks_the_language_of_who_logs_in(front):
    page = front.page
    front.open("/login?next=%2Flearn")
    enter(front, UserFactory.create(language="ru"))
    expect(page.get_by_role("heading", name="Моё обучение")).to_be_visible()
    page.get_by_role("button", name="Выйти").click()
    expect(page.get_by_role("heading", name="Войти")).to_be_visible()


def test_an_account_that_was_not_used_is_opened_by_a_link(front):
    sleeper = UserFactory.create(inactive=True)
    page = front.page
    front.open("/login")
    enter(front, sleeper)
    front.follow("Open it again")
    expect(page.get_by_label("Email")).to_have_value(sleeper.email)
    front.check()
    press(page, "Send the link")
    expect(page.get_by_role("status").first).to_contain_text(sleeper.email)

    front.open(reactivation_link(sleeper))
    assert front.requests == []
    front.check()
    press(page, "Open it again")
    expect(page.get_by_text("Your account is open again.")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Log in").click()
    enter(front, sleeper)
    page.get_by_role("button", name="Log out").click()
    # Whoever comes next is not told who was here.
    expect(page.get_by_label("Email")).to_have_value("")

    front.open(reactivation_link(sleeper))
    press(page, "Open it again")
    expect(page.get_by_role("alert").get_by_role("link")).to_have_attribute("href", "/reactivation")


def test_whom_staff_blocked_learns_whom_to_ask(front):
    front.open("/login")
    enter(front, UserFactory.create(blocked=True))
    told = front.page.get_by_role("alert")
    expect(told).to_contain_text("Ask the school")
    expect(told.get_by_role("link", name="Open it again")).to_have_count(0)


def test_newcomer_registers_and_confirms_their_email(front, learner):
    page = front.page
    front.open("/register?next=%2Flearn")
    page.get_by_role("button", name="Русский").click()
    expect(page.get_by_role("heading", name="Регистрация")).to_be_visible()
    front.check()
    press(page, "Зарегистрироваться")
    expect(page.get_by_label("Электронная почта")).to_be_focused()
    expect(page.get_by_text("Заполните это поле.")).to_be_visible()
    fill(page, Имя="Зоя", Электронная_почта=learner.email, Пароль=PASSWORD)
    press(page, "Зарегистрироваться")
    told = page.get_by_role("alert")
    expect(told.get_by_role("link", name="Войти")).to_have_attribute("href", "/login?next=%2Flearn")
    fill(page, Электронная_почта="zoe@school.example")
    press(page, "Зарегистрироваться")
    expect(page.get_by_role("heading", name="Моё обучение")).to_be_visible()
    newcomer = User.objects.get(email="zoe@school.example")
    assert newcomer.language == "ru"

    front.open(email_link(newcomer))
    newcomer.refresh_from_db()
    assert not newcomer.is_email_confirmed
    press(page, "Да, это мой адрес")
    expect(page.get_by_text("Почта подтверждена.")).to_be_visible()
    newcomer.refresh_from_db()
    assert newcomer.is_email_confirmed


def test_where_registration_is_closed_it_says_so(front, settings):
    settings.REGISTRATION = False
    front.open("/register")
    expect(front.page.get_by_role("heading", name="Registration is closed")).to_be_visible()
    expect(front.page.get_by_label("Password")).to_have_count(0)


def test_a_forgotten_password_is_replaced_by_a_link_that_works_once(front, learner):
    page = front.page
    front.open("/login")
    fill(page, Email=learner.email)
    front.follow("Forgot your password?")
    press(page, "Send the link")
    expect(page.get_by_text("a link is on its way")).to_contain_text(learner.email)

    link = password_reset_link(learner)
    front.open(link)
    front.check()
    fill(page, New_password="12345678")
    press(page, "Set the password")
    field = page.get_by_label("New password")
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(re.compile("too common"))
    fill(page, New_password=NEW_PASSWORD)
    press(page, "Set the password")
    page.get_by_text("The new password is set.").get_by_role("link").click()
    enter(front, learner, NEW_PASSWORD)
    expect(page.get_by_role("button", name="Log out")).to_be_visible()

    front.open(link)
    fill(page, New_password=NEW_PASSWORD)
    press(page, "Set the password")
    page.get_by_role("link", name="Ask for a new link").click()
    expect(page.get_by_role("heading", name="Forgotten password")).to_be_focused()
