"""The first day of a school, from `up --no-demo` to a sold course: by a browser, a terminal that is read, and
mails that arrive. No fixture does a step of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Response, expect

from people.tests.factories import PASSWORD
from project.mail.tests.sink import Sink
from project.tests.processes import environment, wait_until
from project.tests.test_up import School

pytestmark = pytest.mark.browser

# What the administrator opens, from the link on (docs/architecture.md).
PAGES = 12


class Visitor:
    """Somebody with a browser of their own. `pages` counts those that were shown."""

    def __init__(self, browser: Browser, base_url: str) -> None:
        context = browser.new_context(
            base_url=base_url, locale="en-GB", viewport={"width": 1440, "height": 900}
        )
        self.page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.pages, self.faults = 0, list[str]()
        self.page.on("response", self._note_page)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def _note_page(self, answer: Response) -> None:
        """Not by its `load`, which does not come where the next page is opened before it."""
        self.pages += answer.request.is_navigation_request() and answer.ok

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def sees(self, text: str) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()


@pytest.fixture
def school(prepared: Path, sink: Sink) -> Iterator[School]:
    mails = {"EMAIL_URL": f"smtp://127.0.0.1:{sink.port}"}
    variables = environment(prepared, **mails)
    school = School(prepared, "up", "--port", "0", "--no-demo", variables=variables)
    yield school
    school.end()


def test_from_an_empty_school_to_a_sold_course(
    school: School, sink: Sink, browser: Browser, record_property: Any
) -> None:
    school.wait_until(lambda: "first-account" in school.text and "Booting" in school.text)
    head = Visitor(browser, school.url)
    make_the_account(head, school)
    say_what_the_school_is(head)
    try_the_mail(head, sink)
    sell_a_course(head)

    learner = Visitor(browser, school.url)
    register(learner, sink)
    buy(learner)

    head.page.goto("/admin/")
    head.sees("7 of 7 done")
    head.sees("Everything is set up")
    head.follow("Payments")
    expect(head.page.get_by_role("link", name="Bread")).to_be_visible()
    assert head.pages == PAGES
    assert head.faults == learner.faults == []
    record_property("First day", f"{head.pages} pages")


def make_the_account(head: Visitor, school: School) -> None:
    head.page.goto("/")
    head.sees("open the link that the terminal shows")
    link = re.search(r"http://\S+/first-account/\S+", school.text)
    assert link is not None
    head.pages = 0
    head.page.goto(link[0])
    head.page.get_by_label("Email").fill("ada@oak.example")
    head.page.get_by_label("First name").fill("Ada")
    head.page.get_by_label("New password", exact=False).first.fill(PASSWORD)
    head.page.get_by_label("New password again").fill(PASSWORD)
    head.press("Make the account")
    head.sees("0 of 7 done")


def say_what_the_school_is(head: Visitor) -> None:
    head.follow("Say what the school is")
    head.page.get_by_label("School name").fill("Oak School")
    head.page.get_by_label("Choose a colour").fill("#7c3aed")
    head.page.locator(".field-time_zone .select2-selection").click()
    head.page.get_by_role("searchbox").fill("Moscow")
    head.page.get_by_role("option", name="Europe/Moscow").click()
    head.press("Save")
    head.sees("was changed successfully")
    head.follow("Dashboard")
    head.sees("2 of 7 done")


def try_the_mail(head: Visitor, sink: Sink) -> None:
    head.follow("Send a test email")
    head.press("Send a test email")
    head.sees("The mail server took the email")
    assert sink.messages("ada@oak.example")
    head.follow("Dashboard")
    head.sees("3 of 7 done")


def sell_a_course(head: Visitor) -> None:
    head.follow("Add a course")
    head.page.get_by_label("Title").first.fill("Bread")
    head.page.get_by_label("Price").first.fill("1990")
    head.page.get_by_label("Published").first.check()
    head.follow("Add a lesson")
    head.page.locator("#id_new-1-title").fill("Flour")
    head.page.locator("#id_new-1-is_published").check()
    head.press("Save")
    head.sees("was added successfully")


def register(learner: Visitor, sink: Sink) -> None:
    """By the link of the mail, in the front."""
    learner.page.goto("/register")
    learner.page.get_by_label("First name").fill("Nora")
    learner.page.get_by_label("Email", exact=True).fill("nora@oak.example")
    learner.page.get_by_label("Password", exact=True).fill(PASSWORD)
    learner.press("Register")
    wait_until(lambda: sink.messages("nora@oak.example"))
    (letter,) = sink.messages("nora@oak.example")
    body = letter.get_body(("plain",))
    assert body is not None
    link = re.search(r"http://\S+/email/\S+", body.get_content())
    assert link is not None
    learner.page.goto(link[0])
    learner.press("Yes, it is mine")
    learner.sees("Your email is confirmed.")


def buy(learner: Visitor) -> None:
    learner.page.goto("/")
    learner.follow("Bread")
    learner.press("Pay online")
    learner.press("Pay")
    learner.sees("Thank you! We have received your payment, and you now have access.")
    learner.follow("Start learning")
    learner.sees("Flour")
