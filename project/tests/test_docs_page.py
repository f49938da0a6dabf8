"""The interactive documentation, as a front-end developer opens it."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect

from conftest import require_or_skip
from people.models import User
from people.tokens import issue_access_token

pytestmark = [pytest.mark.browser, pytest.mark.any_database]

AXE = Path(__file__).parent / "typescript" / "node_modules" / "axe-core" / "axe.min.js"
OWN_PROFILE = "get /api/v1/users/me"


@pytest.fixture
def page(page: Page) -> Page:
    """Swagger UI works for a second, and for many of them where tests share a processor."""
    page.set_default_timeout(60_000)
    return page


def open_documentation(page: Page) -> Response:
    answer = page.goto("/api/v1/docs")
    assert answer is not None
    page.locator(".opblock").first.wait_for()
    return answer


def authorize(page: Page, user: User) -> None:
    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("auth-bearer-value").fill(issue_access_token(user))
    page.locator("form").get_by_role("button", name="Authorize").click()
    page.locator(".btn-done").click()


def try_out(page: Page) -> str:
    """Who the open operation takes for the caller."""
    page.get_by_role("button", name="Try it out").click()
    with page.expect_response("**/api/v1/users/me") as response:
        page.get_by_role("button", name="Execute").click()
    return str(response.value.json()["email"])


def test_the_documentation_works_under_our_policy_with_nothing_from_outside(page: Page):
    policy = open_documentation(page).headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    expect(page.get_by_role("heading", name=re.compile("Parta"))).to_be_visible()
    page.get_by_role("button", name="post /api/v1/courses", exact=True).click()
    expect(page.get_by_text("The caller becomes the author.")).to_be_visible()
    expect(page.get_by_text("Bread at home").first).to_be_visible()


def test_an_operation_can_be_tried_out_and_the_token_survives_a_reload(page: Page, author: User):
    open_documentation(page)
    authorize(page, author)
    page.get_by_role("button", name=OWN_PROFILE, exact=True).click()
    assert try_out(page) == author.email
    open_documentation(page)
    page.get_by_role("button", name=OWN_PROFILE, exact=True).click()
    assert try_out(page) == author.email
    expect(page.get_by_text("curl -X 'GET'")).to_be_visible()


def test_operations_are_found_by_their_words(page: Page):
    open_documentation(page)
    page.get_by_label("Search operations").fill("Statistics")
    expect(page.locator(".opblock")).to_have_count(1)
    expect(page.locator(".opblock")).to_contain_text("/statistics")


# Each width and each scheme once: drawing the page takes many seconds.
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_the_documentation_is_readable_for_everybody(page: Page, author: User, width, scheme):
    require_or_skip(AXE.is_file(), f"npm packages in {AXE.parents[2]}")
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    open_documentation(page)
    authorize(page, author)
    page.get_by_role("button", name=OWN_PROFILE, exact=True).click()
    try_out(page)
    page.get_by_role("button", name="patch /api/v1/courses/{course_id}", exact=True).click()
    page.get_by_role("heading", name="Responses").nth(1).wait_for()
    page.get_by_role("button", name="put /api/v1/courses/{course_id}/preview", exact=True).click()
    page.get_by_role("button", name="Try it out").last.click()
    page.get_by_role("button", name="Reset", exact=True).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(28, 32, 34)" if scheme == "dark" else "rgb(255, 255, 255)"
    )
    page.evaluate(AXE.read_text())
    faults = page.evaluate("axe.run().then(({violations}) => violations)")
    assert faults == [], json.dumps(faults, indent=1)
