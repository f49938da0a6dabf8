"""A moderator's week, in a browser: what authors changed is read, looked at as a learner sees it, corrected
and undone. Authors work through the API; nothing of it is done by a fixture."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from people.models import User
from people.tests.factories import PASSWORD, UserFactory
from project.tests.test_admin_walk import log_in

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

# As docs/architecture.md has it: with the log-in, and the page after each answer.
PAGES = 11


def publish(author: Any, title: str, lesson: str) -> tuple[int, int]:
    """A new course with a lesson, both published; returns their keys."""
    course = author.post("courses", {"title": title, "is_published": True}).json()["id"]
    body = {"course_id": course, "title": lesson, "description": "Mix and wait."}
    answer = author.post("lessons", body)
    assert answer.status_code == 201, answer.text
    return course, answer.json()["id"]


@pytest.fixture
def pages(page: Page) -> list[str]:
    """The addresses of what was loaded."""
    seen: list[str] = []
    page.on("domcontentloaded", lambda loaded: seen.append(loaded.url))
    return seen


def test_a_moderator_s_week(
    page: Page,
    pages: list[str],
    api: Any,
    author: User,
    moderator: User,
    pictures: Any,
    settings: Any,
    live_server: Any,
) -> None:
    settings.FRONTEND_URL = live_server.url
    course, _lesson = publish(api(author), "Bred at home", "Flour")
    other = api(UserFactory.create(first_name="Otto"))
    _cheese, milk = publish(other, "Cheese", "Milk")
    answer = other.patch(f"lessons/{milk}", {"description": "Buy my book!"})
    assert answer.status_code == 200, answer.text

    log_in(page, moderator)
    pictures(page, "dashboard")
    news = page.get_by_role("region", name="New in the last seven days")
    expect(news.get_by_role("heading")).to_have_text(
        ["New in the last seven days", "Cheese new", "Bred at home new"]
    )

    # What an author changed is read, and looked at as learners see it.
    news.get_by_role("link", name=re.compile("What changed.*Cheese")).click()
    expect(page.locator("ins", has_text="book!")).to_be_visible()
    pictures(page, "history")
    page.go_back()
    news.get_by_role("link", name=re.compile("As learners see it.*Bred")).click()
    # Who learns there has to be known there, too.
    page.get_by_label("Email").fill(moderator.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Bred at home")).to_be_visible()
    page.goto("/admin/")

    # A slip in the title is corrected.
    news.get_by_role("link", name="Bred at home", exact=True).click()
    page.get_by_label("Title").first.fill("Bread at home")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert api(author).get(f"courses/{course}").json()["title"] == "Bread at home"

    # What does not belong there is undone, straight from the dashboard.
    page.get_by_role("link", name="Dashboard", exact=True).click()
    news.get_by_role("link", name=re.compile("Put back.*Cheese")).click()
    pictures(page, "put-back")
    page.get_by_role("button", name="Put back").click()
    expect(page.get_by_text("The change was undone.")).to_be_visible()
    assert other.get(f"lessons/{milk}").json()["description"] == "Mix and wait."
    assert len(pages) == PAGES, pages
