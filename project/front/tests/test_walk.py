"""The walk that proves the front and the API: a learner, an author and a moderator in a browser, with a real
mail server and the stand-in for Stripe, from the registration to the erasure.

Each operation that they call is noted, and printed when the run of the tests ends.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from lms.models import Course
from lms.tests.factories import CourseFactory, course_with_lessons
from payments.models import Payment
from people.models import User
from people.tests.factories import PASSWORD, UserFactory
from people.tokens import issue_pair
from project.front.tests.conftest import Front
from project.front.tests.walking import (
    Operations,
    answer_yes,
    follow,
    log_in,
    log_out,
    picture,
    press,
    save,
    title_is,
    told,
)
from project.tests.test_openapi import OPERATIONS
from project.tests.test_permission_table import TABLE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# What no person calls in the front, and why.
NOT_IN_A_SCREEN = {
    "verify_token": "the client learns by the next call whether its token is good",
    "list_lessons": "the editor has the lessons in the details of their course",
}
NEW_PASSWORD = "another horse, another battery"


def test_people_learn_and_teach_and_pay_in_the_front(
    front: Front,
    page: Page,
    settings: Any,
    operations: Operations,
    stripe: Any,
    letter: Callable[[str, str], str],
    moderator: User,
    record_property: Callable[[str, object], None],
) -> None:
    settings.PUBLIC_CATALOG = True
    author = UserFactory.create(first_name="Anna", email="anna@school.example")
    bread = course_with_lessons(
        ["Flour and water", "The oven"], owner=author, title="Bread", price=1990, is_published=True
    )
    CourseFactory.create(owner=author, title="Salads", published=True)
    course_with_lessons(["One knife"], owner=author, title="Knives", is_published=True)

    find_a_course_and_register(page, front)
    confirm_the_address(page, letter)
    buy(page, settings, bread)
    learn(page, front)
    read_the_receipt(page)
    learn_for_nothing(page)
    hear_of_courses(page)
    change_the_profile(page, letter)
    come_again(page, letter)
    teach(page, front)
    moderate(page, moderator)
    leave(page)

    called, of_table = operations.called, {row.operation for row in TABLE}
    share = f"{len(called)} of {len(OPERATIONS)} operations, {len(called) / len(OPERATIONS):.0%}"
    record_property("Walk through the front", f"{share}: {', '.join(sorted(called))}")
    assert OPERATIONS.keys() - called == NOT_IN_A_SCREEN.keys()
    assert called | of_table == OPERATIONS.keys()


# --- Somebody who learns ---------------------------------------------------------------------------


def find_a_course_and_register(page: Page, front: Front) -> None:
    front.open("/")
    title_is(page, "Courses")
    assert front.requests == ["GET catalog/courses"]
    page.get_by_role("searchbox").fill("bread")
    page.keyboard.press("Enter")
    expect(page.locator(".card h2")).to_have_text(["Bread"])
    front.follow("Bread")
    title_is(page, "Bread")
    assert len(front.requests) == 1
    page.locator("main").get_by_role("link", name="Register").click()
    title_is(page, "Registration")
    page.get_by_label("First name").fill("Nora")
    page.get_by_label("Email", exact=True).fill("nora@school.example")
    page.get_by_label("Password", exact=True).fill("12345678")
    press(page.locator("main"), "Register")
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    press(page.locator("main"), "Register")
    title_is(page, "Bread")


def confirm_the_address(page: Page, letter: Callable[[str, str], str]) -> None:
    told(page, "Please confirm your email")
    press(page, "Send it again")
    # Of an address that nobody has confirmed one link is enough for a day.
    told(page, "We have sent you a link already.")
    page.goto(letter("nora@school.example", "email"))
    press(page, "Yes, it is mine")
    told(page, "Your email is confirmed.")
    expect(page.locator(".trouble")).to_have_count(0)


def buy(page: Page, settings: Any, course: Course) -> None:
    """First not, then with a question too many, then with the money."""
    page.goto(f"/courses/{course.pk}")
    press(page, "Pay online")
    page.get_by_role("link", name="Cancel").click()
    told(page, "Not paid yet.")
    press(page, "Cancel the order")
    answer_yes(page, "Cancel the order")
    told(page, "This order was cancelled.")
    follow(page, "To the course")
    press(page, "Pay online")
    page.get_by_role("button", name="Pay", exact=True).click()
    told(page, "Thank you! We have received your payment, and you now have access.")
    settings.THROTTLE_STATUS = "1/min"
    page.reload()
    page.reload()
    told(page, "Thank you! We have received your payment, and you now have access.")
    follow(page, "Start learning")


def learn(page: Page, front: Front) -> None:
    title_is(page, "Bread")
    front.follow("Flour and water")
    title_is(page, "Flour and water")
    assert len(front.requests) == 1
    assert videos_of(front) == []
    with page.expect_request("https://www.youtube-nocookie.com/**"):
        press(page, "▶ Play the video")
    assert videos_of(front) == ["/embed/dQw4w9WgXcQ"]
    press(page, "Mark as completed")
    told(page, "1 of 2 completed")
    press(page, "Not completed after all")
    press(page, "Mark as completed")
    follow(page, "Go on")
    title_is(page, "The oven")
    front.follow("My learning")
    told(page, "1 of 2 completed")
    assert front.requests == ["GET learning/courses"]
    follow(page, "Continue")
    press(page, "Mark as completed")
    told(page, "You have completed the course")


def videos_of(front: Front) -> list[str]:
    return [urlsplit(one).path for one in front.requests if one.startswith("https:")]


def read_the_receipt(page: Page) -> None:
    follow(page, "Payments")
    expect(page.locator(".rows .tag")).to_have_text(["paid", "cancelled"])
    follow(page, "Bread")
    with page.expect_popup() as opened:
        follow(page, "Open the receipt")
    expect(opened.value.get_by_text("Bread").first).to_be_visible()
    opened.value.close()
    assert Payment.objects.filter(status="paid").count() == 1


def learn_for_nothing(page: Page) -> None:
    follow(page, "Courses")
    page.get_by_label("Price").select_option("Free ones")
    follow(page, "Knives")
    press(page, "Start learning")
    title_is(page, "Knives")
    press(page, "Leave the course")
    answer_yes(page, "Leave the course")
    title_is(page, "My learning")


def hear_of_courses(page: Page) -> None:
    follow(page, "Courses")
    follow(page, "Salads")
    press(page, "Subscribe")
    page.goto("/subscriptions")
    page.get_by_label("Emails").select_option("In one email a day")
    page.reload()
    expect(page.get_by_label("Emails")).to_have_value("daily")
    press(page, "Unsubscribe")
    told(page, "You have no subscriptions.")


def change_the_profile(page: Page, letter: Callable[[str, str], str]) -> None:
    nora = User.objects.get(email="nora@school.example")
    follow(page, "Nora")
    page.get_by_label("City").fill("Kazan")
    press(page, "Save")
    told(page, "Saved")
    page.get_by_label("Add a picture").set_input_files(picture("teal"))
    press(page, "Remove the picture")
    expect(page.get_by_label("Add a picture")).to_be_attached()

    issue_pair(nora)
    page.get_by_text("Where you are logged in").click()
    rows = page.locator("details[open] .rows li")
    expect(rows).to_have_count(2)
    press(page, "End")
    expect(rows).to_have_count(1)

    page.get_by_text("A copy of your data").click()
    press(page, "Ask for the file")
    told(page, "You will get an email with a link to the file.")
    letter("nora@school.example", "exports")

    page.get_by_text("Password", exact=True).click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("New password").fill(NEW_PASSWORD)
    press(page, "Set the password")
    told(page, "The new password is set.")

    page.locator("summary").get_by_text("Email", exact=True).click()
    page.get_by_label("New email").fill("nora@oak.example")
    page.get_by_label("Your password").fill(NEW_PASSWORD)
    press(page, "Send the link")
    told(page, "A link is on its way to nora@oak.example.")
    page.goto(letter("nora@oak.example", "email"))
    press(page, "Yes, it is mine")
    told(page, "Your email is confirmed.")

    follow(page, "Nora")
    follow(page, "People")
    follow(page, "Anna")
    title_is(page, "Anna")


def come_again(page: Page, letter: Callable[[str, str], str]) -> None:
    """With tokens that are over, with a link for a new password, after a block."""
    age = 'tokens => localStorage.setItem(tokens, localStorage.getItem(tokens).replace(/"until":\\d+/, \'"until":0\'))'
    page.evaluate(age, "parta.tokens")
    follow(page, "My learning")
    told(page, "Completed")
    log_out(page)
    page.goto("/login")
    follow(page, "Forgot your password?")
    page.get_by_label("Email", exact=True).fill("nora@oak.example")
    press(page, "Send the link")
    told(page, "a link is on its way.")
    page.goto(letter("nora@oak.example", "password-reset"))
    page.get_by_label("New password").fill(PASSWORD)
    press(page, "Set the password")
    told(page, "The new password is set")

    UserFactory.create(email="sleeper@school.example", first_name="Sid", inactive=True)
    page.goto("/login")
    page.get_by_label("Email", exact=True).fill("sleeper@school.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    press(page.locator("form"), "Log in")
    follow(page, "Open it again")
    press(page, "Send the link")
    told(page, "a link is on its way.")
    page.goto(letter("sleeper@school.example", "reactivation"))
    press(page, "Open it again")
    told(page, "Your account is open again.")
    page.goto("/login?next=/profile")
    log_in(page, "sleeper@school.example")
    page.get_by_text("Where you are logged in").click()
    press(page, "Log out everywhere")
    answer_yes(page, "Log out everywhere")
    expect(page.locator("header").get_by_role("link", name="Log in")).to_be_visible()


# --- Somebody who teaches, and somebody who looks after it -------------------------------------------

LESSONS = ["A sharp knife", "Onions", "Stock", "Salt", "The table"]


def teach(page: Page, front: Front) -> None:
    """Five lessons with pictures, put in another order by mouse and by keys; who learns; a copy."""
    page.goto("/login?next=/authoring")
    log_in(page, "anna@school.example")
    title_is(page, "My courses")
    page.get_by_label("Title").fill("Soups")
    press(page, "Create")
    title_is(page, "Soups")
    for number, lesson in enumerate(LESSONS):
        write_lesson(page, lesson, with_video=number == 0)
        follow(page, "To the course")
        title_is(page, "Soups")
    page.get_by_label("Choose a picture").set_input_files(picture("olive"))
    expect(page.locator("aside img")).to_be_visible()
    press(page, "Remove")
    answer_yes(page, "Remove")
    expect(page.locator("aside img")).to_have_count(0)
    rows = page.locator("ol.rows li")
    expect(rows).to_contain_text(LESSONS)
    rows.nth(4).drag_to(rows.nth(0))
    expect(rows).to_contain_text([LESSONS[4], *LESSONS[:4]])
    page.get_by_role("button", name="Move up: Salt").press("Enter")
    expect(page.get_by_role("button", name="Move up: Salt")).to_be_focused()
    order = [LESSONS[4], *LESSONS[:2], "Salt", "Stock"]
    expect(rows).to_contain_text(order)
    page.get_by_label("Published").check()
    save(page)
    page.get_by_role("button", name="Delete: Stock").click()
    answer_yes(page, "Delete")
    expect(rows).to_have_count(4)
    kept = Course.objects.get(title="Soups").lessons.order_by("position")
    assert [lesson.title for lesson in kept] == order[:4]

    front.follow("Authoring")
    expect(page.locator("ul.rows li")).to_have_count(4)
    assert front.requests == ["GET courses"]
    front.follow("Bread")
    expect(rows).to_have_count(2)
    assert len(front.requests) <= 2
    follow(page, "Learners")
    expect(page.get_by_role("listitem").filter(has_text="Nora")).to_contain_text("2 / 2")

    follow(page, "Authoring")
    press(page.get_by_role("listitem").filter(has_text="Soups"), "Copy")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Soups")
    follow(page, "Authoring")
    press(page.get_by_role("listitem").filter(has_text="draft"), "Delete")
    answer_yes(page, "Delete")
    expect(page.locator(".tag").filter(has_text="draft")).to_have_count(0)
    log_out(page)


def write_lesson(page: Page, title: str, *, with_video: bool) -> None:
    follow(page, "New lesson")
    title_is(page, "New lesson")
    page.get_by_label("Title").fill(title)
    if with_video:
        page.get_by_label("Video").fill("https://vimeo.com/1")
        press(page, "Save")
        expect(page.get_by_label("Video")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("Video").fill("https://youtu.be/dQw4w9WgXcQ")
    save(page)
    title_is(page, title)
    page.get_by_label("Choose a picture").set_input_files(picture("teal"))
    expect(page.locator("aside img")).to_be_visible()
    if with_video:
        press(page, "Remove")
        answer_yes(page, "Remove")
        page.get_by_label("Choose a picture").set_input_files(picture("navy"))
        expect(page.locator("aside img")).to_be_visible()
        page.get_by_label("Description").fill("**Sharpen** it first.")
        save(page)


def moderate(page: Page, moderator: User) -> None:
    """A moderator changes the course of somebody else and can't delete it; its author puts that back."""
    page.goto("/login?next=/authoring")
    log_in(page, moderator.email)
    title_is(page, "All courses")
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    follow(page, "Soups")
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    page.get_by_label("Title").fill("Soups and broths")
    save(page)
    title_is(page, "Soups and broths")
    log_out(page)

    page.goto("/login?next=/authoring")
    log_in(page, "anna@school.example")
    follow(page, "Soups and broths")
    follow(page, "History")
    changed = page.get_by_role("listitem").filter(has_text="Mira")
    expect(changed).to_contain_text("broths")
    press(changed, "Put back")
    answer_yes(page, "Put back")
    told(page, "Put back.")
    follow(page, "Authoring")
    expect(page.get_by_role("link", name="Soups", exact=True)).to_be_visible()
    log_out(page)


def leave(page: Page) -> None:
    page.goto("/login?next=/profile")
    log_in(page, "nora@oak.example")
    page.locator("summary").get_by_text("Erase the account").click()
    page.get_by_label("Type your email to confirm").fill("nora@oak.example")
    press(page, "Erase the account")
    answer_yes(page, "Erase the account")
    told(page, "Your account is erased.")
    assert not User.objects.filter(email="nora@oak.example").exists()
    assert Payment.objects.filter(status="paid").count() == 1
