"""What people do in the front again and again in tests, and what of the API they call by it."""

import re
from io import BytesIO
from typing import Any

from django.utils.module_loading import import_string
from django_q.models import OrmQ
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from people.tests.factories import PASSWORD
from project.common.api.openapi import operations_of
from project.tests.test_openapi import DOCUMENT


class Operations:
    """Which of the API's were called, by whomever, since the beginning of the test."""

    def __init__(self) -> None:
        # `users/me` is no person whose number is `me`.
        found = sorted(operations_of(DOCUMENT), key=lambda one: one[0].count("{"))
        self._patterns = [
            (
                method.upper(),
                re.compile(re.sub(r"\{\w+\}", "[^/]+", path)),
                operation["operationId"],
            )
            for path, method, operation in found
        ]
        self.called: set[str] = set()

    def note(self, environ: dict[str, Any], **_of_signal: Any) -> None:
        asked, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        for method, pattern, name in self._patterns:
            if method == asked and pattern.fullmatch(path):
                self.called.add(name)
                return


def work() -> None:
    """Do what was left to a worker."""
    while queued := OrmQ.objects.order_by("pk").first():
        task = queued.task
        queued.delete()
        import_string(task["func"])(*task["args"])


def picture(colour: str) -> FilePayload:
    content = BytesIO()
    Image.new("RGB", (640, 360), colour).save(content, "JPEG")
    return {"name": f"{colour}.jpg", "mimeType": "image/jpeg", "buffer": content.getvalue()}


def press(place: Page | Locator, name: str) -> None:
    place.get_by_role("button", name=name, exact=True).click()


def save(page: Page) -> None:
    """What is edited: the screen may be left once the button is back."""
    with page.expect_response(lambda answer: answer.request.method in {"PATCH", "POST"}):
        press(page, "Save")
    button = page.get_by_role("button", name="Save", exact=True)
    expect(button).to_have_attribute("aria-busy", "false")


def follow(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()


def answer_yes(page: Page, name: str) -> None:
    """To the question that is asked before something can't be undone."""
    page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()


def title_is(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def told(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible()


def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("Email", exact=True).fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    press(page.locator("form"), "Log in")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def log_out(page: Page) -> None:
    press(page, "Log out")
    expect(page.locator("header").get_by_role("link", name="Log in")).to_be_visible()
