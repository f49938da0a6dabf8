"""The interactive documentation, as a front-end developer opens it."""

import re

import pytest
from playwright.sync_api import Page, expect

from people.models import User
from people.tokens import issue_access_token

pytestmark = pytest.mark.browser


def test_the_documentation_works_under_our_policy_with_nothing_from_outside(page: Page):
    answer = page.goto("/api/v1/docs")
    assert answer is not None
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    expect(page.get_by_role("heading", name=re.compile("Parta"))).to_be_visible()
    page.get_by_role("button", name="post /api/v1/courses", exact=True).click()
    expect(page.get_by_text("The caller becomes the author.")).to_be_visible()
    expect(page.get_by_text("Bread at home").first).to_be_visible()


def test_an_operation_can_be_tried_out(page: Page, author: User):
    page.goto("/api/v1/docs")
    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("auth-bearer-value").fill(issue_access_token(author))
    page.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="get /api/v1/users/me", exact=True).click()
    page.get_by_role("button", name="Try it out").click()
    with page.expect_response("**/api/v1/users/me") as response:
        page.get_by_role("button", name="Execute").click()
    assert response.value.json()["email"] == author.email
