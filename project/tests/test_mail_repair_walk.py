"""A broken mail server is noticed and repaired in a browser, by an administrator who knows nothing of
mail servers."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Response, expect

from people.tests.factories import PASSWORD
from project.front.tests.walking import work

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

# What docs/architecture.md says of this job.
PAGES = 6


def opened_by(answer: Response) -> Iterator[str]:
    """Pages, but for what their frames show."""
    request = answer.request
    if request.is_navigation_request() and answer.ok and request.frame.parent_frame is None:
        yield answer.url


def test_an_administrator_notices_and_repairs_a_broken_mail_server(
    page: Page, administrator, learner, mail_host, pictures
):
    mail_host.down()
    page.goto("/admin/password-reset/")
    page.get_by_label("Email").fill(learner.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page).to_have_url("/admin/password-reset/sent/")
    work()

    opened: list[str] = []
    page.goto("/admin/login/")
    page.on("response", lambda answer: opened.extend(opened_by(answer)))
    page.get_by_label("Email").fill(administrator.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    attention = page.get_by_role("link", name="The mail server has not responded")
    attention.click()
    head = page.get_by_role("region", name="Mail server")
    for words in (
        "does not take emails",
        "Nothing answers at the address of the mail server.",
        "Ask whoever runs the server whether the mail server is off, or EMAIL_URL is wrong.",
    ):
        expect(head.get_by_text(words)).to_be_visible()
    pictures(page, "mail-repair-1-broken")

    mail_host.up()  # whoever runs the server has been asked
    head.get_by_role("link", name="Send a test email").click()
    page.get_by_role("button", name="Send a test email").click()
    expect(page.get_by_text("The mail server took the email")).to_be_visible()
    expect(head.get_by_text("does not take emails")).to_have_count(0)
    pictures(page, "mail-repair-2-repaired")
    work()
    assert set(mail_host.sink.counts) == {administrator.email, learner.email}

    page.get_by_role("link", name="Deliveries").click()
    expect(page.get_by_role("row").filter(has_text=learner.email)).to_contain_text("sent")
    pictures(page, "mail-repair-3-sent")
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    expect(attention).to_have_count(0)
    assert len(opened) == PAGES, opened
