"""Two-step verification in a browser, with the codes of a real key."""

import re

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from playwright.sync_api import Page, expect

from people.models import User
from people.services import staff
from people.tests.factories import PASSWORD
from people.tests.test_second_factor import code_now, key_shown_on

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def give_password(page: Page, user: User) -> None:
    page.goto("/admin/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_administrator_sets_up_a_device_loses_it_and_comes_in_by_a_recovery_code(
    page, administrator, settings
):
    settings.SECOND_FACTOR_ROLES = ["administrators"]
    give_password(page, administrator)
    expect(page.locator(".parta-qr svg")).to_be_visible()
    key = key_shown_on(page.content())
    page.get_by_label("Code that the app shows").fill(code_now(key))
    page.get_by_role("button", name="Confirm").click()

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    codes = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert len(codes) == 10
    page.get_by_role("link", name="I have saved them").click()
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()

    page.context.clear_cookies()
    give_password(page, administrator)
    page.get_by_label("Code").fill(codes[4])
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("You used a recovery code; 9 are left.")).to_be_visible()
    page.get_by_role("link", name="Set up another device").click()
    page.get_by_label("Code that the app shows").fill(code_now(key_shown_on(page.content())))
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#recovery-codes li")).to_have_count(10)


def test_dismissed_colleague_with_an_open_page_is_sent_to_the_log_in(
    page, administrator, moderator
):
    give_password(page, moderator)
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    roles = Group.objects.filter(name="moderators")
    staff.take_roles(user=moderator, roles=roles, by=administrator)
    page.locator("#nav-sidebar-apps").get_by_role("link", name="Courses").click()
    expect(page).to_have_url(re.compile("/admin/login/"))


def test_colleague_is_invited_forgets_the_password_and_is_dismissed(
    page, administrator, moderators, run_worker, settings
):
    settings.SECOND_FACTOR_ROLES = ["support"]

    def open_mailed_link() -> None:
        run_worker(lambda: None)
        (address,) = re.findall(rf"{settings.SITE_URL}(/\S+)", str(mail.outbox.pop().body))
        page.context.clear_cookies()
        page.goto(address)

    def choose_password(password: str) -> None:
        page.get_by_label("New password").first.fill(password)
        page.get_by_label("New password again").fill(password)
        page.get_by_role("button", name="Set the password").click()
        page.get_by_role("link", name="Log in").click()

    def log_in(password: str) -> None:
        page.get_by_label("Email").fill("sonja@school.example")
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()

    give_password(page, administrator)
    page.goto("/admin/people/user/invite/")
    page.get_by_label("Email").fill("sonja@school.example")
    page.get_by_label("support").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("sonja@school.example").first).to_be_visible()

    open_mailed_link()
    choose_password("a horse of her own")
    log_in("a horse of her own")
    page.get_by_label("Code that the app shows").fill(code_now(key_shown_on(page.content())))
    page.get_by_role("button", name="Confirm").click()
    recovery_code = page.locator("#recovery-codes li").first.inner_text()

    page.context.clear_cookies()
    page.goto("/admin/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill("sonja@school.example")
    page.get_by_role("button", name="Send the link").click()
    open_mailed_link()
    choose_password("another horse of hers")
    log_in("another horse of hers")
    page.get_by_label("Code").fill(recovery_code)
    page.get_by_role("button", name="Continue").click()
    page.locator("#nav-sidebar-apps").get_by_role("link", name="People").click()
    expect(page).to_have_url(re.compile("/admin/people/user/"))

    colleague = User.objects.by_email("sonja@school.example").get()
    staff.take_roles(user=colleague, roles=colleague.groups.all(), by=administrator)
    page.locator("#nav-sidebar-apps").get_by_role("link", name="Payments").click()
    expect(page).to_have_url(re.compile("/admin/login/"))
