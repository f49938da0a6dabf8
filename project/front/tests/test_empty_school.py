"""A school as `up --no-demo` begins it."""

import pytest
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def test_empty_catalog_says_that_there_is_nothing_yet_and_not_that_nothing_was_found(
    front, settings
):
    settings.PUBLIC_CATALOG = True
    front.open("/")
    expect(front.page.get_by_text("There are no courses yet.")).to_be_visible()
    front.open("/?search=bread")
    expect(front.page.get_by_text("No courses were found.")).to_be_visible()
