"""A person's own account, and what they see of others."""

from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import expect

from people.models import BlockReason, CourseMails, User
from people.one_time_links import email_link
from people.services import accounts
from people.tests.factories import PASSWORD, RefusedAddressFactory, UserFactory
from people.tokens import issue_pair
from project.front.tests.conftest import Front
from project.front.tests.test_entry import NEW_PASSWORD, fill, press

pytestmark = [pytest.mark.browser, pytest.mark.any_database]


def test_what_was_changed_elsewhere_is_shown_and_nothing_typed_is_lost(front, learner):
    page = front.page
    front.log_in(learner)
    front.open("/profile")
    assert front.requests == []
    front.check()
    fill(page, City="Berlin", Phone="8 (916) 123-45-67")
    page.get_by_label("Show me in the list").uncheck()
    changes = {"city": "Oslo", "course_mails": CourseMails.DAILY}
    accounts.update_profile(user=learner, changes=changes)
    press(page, "Save")
    told = page.get_by_role("alert")
    expect(told.locator("del")).to_have_text("Oslo")
    expect(told.locator("ins")).to_have_text("Berlin")
    expect(page.get_by_label("City")).to_have_value("Berlin")
    expect(page.get_by_label("Emails about changes")).to_have_value("daily")
    press(page, "Save")
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(told).to_have_count(0)
    expect(page.get_by_label("Phone")).to_have_value("+79161234567")
    learner.refresh_from_db()
    assert (learner.city, learner.phone, learner.is_listed) == ("Berlin", "+79161234567", False)
    assert learner.course_mails == CourseMails.DAILY


def test_the_page_takes_the_language_of_the_profile_and_the_other_way_round(front, learner):
    page = front.page
    front.log_in(learner)
    front.open("/profile")
    page.get_by_label("Language").select_option("ru")
    press(page, "Save")
    expect(page.get_by_role("heading", name="Ваш профиль")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Your profile")).to_be_visible()
    learner.refresh_from_db()
    assert learner.language == "en"


def test_other_sessions_are_ended_one_by_one_and_all_at_once(front, learner):
    page = front.page
    issue_pair(learner)
    front.log_in(learner)
    front.open("/profile")
    page.get_by_text("Where you are logged in").press("Enter")
    rows = page.get_by_role("listitem")
    expect(rows).to_have_count(2)
    assert front.requests == ["GET users/me/sessions"]
    expect(rows.filter(has_text="here")).to_have_count(1)
    front.check()
    press(page, "End")
    expect(rows).to_have_count(1)
    press(page, "Log out everywhere")
    page.get_by_role("dialog").get_by_role("button", name="Log out everywhere").click()
    expect(page).to_have_url("/login?next=%2F")


def test_password_and_email_are_changed_with_the_password(front, learner):
    page = front.page
    front.log_in(learner)
    front.open("/profile")
    page.get_by_text("Password", exact=True).click()
    fill(page, Your_password="wrong horse battery", New_password=NEW_PASSWORD)
    press(page, "Set the password")
    wrong = page.get_by_label("Your password")
    expect(wrong).to_have_accessible_description("This is not your current password.")
    fill(page, Your_password=PASSWORD)
    press(page, "Set the password")
    expect(page.get_by_text("logged out everywhere else")).to_be_visible()

    page.get_by_text("Email", exact=True).click()
    fill(page, New_email="lev@new.example", Your_password=NEW_PASSWORD)
    front.check()
    press(page, "Send the link")
    expect(page.get_by_text("A link is on its way to lev@new.example")).to_be_visible()


def test_an_account_is_erased_by_who_types_its_email(front, learner, administrator):
    page = front.page
    front.log_in(administrator)
    erase(front, administrator)
    expect(page.get_by_text("The last administrator can't be removed")).to_be_visible()

    front.log_in(learner)
    erase(front, learner)
    expect(page.get_by_text("Your account is erased.")).to_be_visible()
    expect(page).to_have_url("/login?next=%2F")
    learner.refresh_from_db()
    assert learner.blocked_reason == BlockReason.ERASED


def erase(front: Front, user: User) -> None:
    page = front.page
    front.open("/profile")
    page.get_by_text("Erase the account").click()
    button = page.get_by_role("main").get_by_role("button", name="Erase the account")
    fill(page, Type_your_email_to_confirm="somebody@else.example")
    expect(button).to_be_disabled()
    fill(page, Type_your_email_to_confirm=user.email.upper())
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="Erase the account").click()


def test_a_picture_is_shown_at_once_and_removed(front, learner, live_server, settings):
    settings.SITE_URL = live_server.url
    page = front.page
    # In production the proxy serves it.
    page.route("**/media/**", lambda route: route.fulfill(content_type="image/webp"))
    front.log_in(learner)
    front.open("/profile")
    photograph = BytesIO()
    Image.new("RGB", (600, 400), "teal").save(photograph, "JPEG")
    file = {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": photograph.getvalue()}
    page.get_by_label("Add a picture").set_input_files([file])
    expect(page.locator("img.avatar")).to_have_count(2)
    front.check()
    press(page, "Remove the picture")
    expect(page.locator("img.avatar")).to_have_count(0)
    fill(page, City="Oslo")
    press(page, "Save")
    expect(page.get_by_text("Saved")).to_be_visible()
    assert [request for request in front.requests if "PATCH" in request] == [
        f"PATCH users/{learner.pk}"
    ]


def test_who_gets_no_mail_sees_why_on_every_page(front, learner):
    RefusedAddressFactory.create(recipient=learner)
    front.log_in(learner)
    front.open("/people")
    told = front.page.get_by_text("Emails don't reach you")
    expect(told).to_contain_text(learner.email)
    front.check()
    front.follow("Change the address")
    expect(front.page.get_by_role("heading", name="Your profile")).to_be_visible()


def test_an_email_is_asked_for_until_it_is_confirmed_in_another_tab(front):
    newcomer = UserFactory.create(email_confirmed_at=None)
    page = front.page
    front.log_in(newcomer)
    front.open("/people")
    asked = page.get_by_text("Please confirm your email")
    expect(asked).to_contain_text(newcomer.email)
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_text("The link is on its way.")).to_be_visible()

    other = page.context.new_page()
    other.goto(email_link(newcomer))
    expect(other.get_by_text("Please confirm your email")).to_be_visible()
    other.get_by_role("button", name="Yes, it is mine").click()
    expect(other.get_by_text("Your email is confirmed.")).to_be_visible()
    expect(other.get_by_text("Please confirm your email")).to_have_count(0)
    # A tab behind another one is visible to a browser without windows.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(asked).to_have_count(0)


def test_people_are_searched_for_and_shown_as_far_as_they_let_others_see(front, learner, stranger):
    page = front.page
    accounts.update_profile(user=stranger, changes={"city": "Samara", "phone": "+79161234567"})
    accounts.update_profile(user=UserFactory.create(first_name="Zed"), changes={"is_listed": False})
    front.log_in(learner)
    front.open("/people")
    expect(page.get_by_role("listitem")).to_have_count(2)
    assert front.requests == ["GET users"]
    front.check()
    page.get_by_role("searchbox").fill("samara")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_role("listitem")).to_have_count(1)
    front.follow("Stepan")
    expect(page.get_by_role("heading", name="Stepan")).to_be_focused()
    expect(page.get_by_role("main")).to_contain_text("Samara")
    expect(page.get_by_role("main")).not_to_contain_text("916")
    assert front.requests == [f"GET users/{stranger.pk}"]
    front.check()
    front.open("/people?search=nobody")
    expect(page.get_by_text("Nobody was found.")).to_be_visible()
    front.open("/people/999999")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
