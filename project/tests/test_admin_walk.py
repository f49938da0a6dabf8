"""The admin in a browser, as moderators and administrators walk through it.

The fixture `page` fails for an error in the console and for a request to another host.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from lms.models import Lesson
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.models import Payment, PaymentMethod, PaymentStatus
from payments.tests.factories import PaymentFactory
from people.models import User
from people.tests.factories import PASSWORD, UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def log_in(page: Page, user: User) -> None:
    answer = page.goto("/admin/")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()


def answer_with_reason(page: Page, button: str, reason: str) -> None:
    """Press a button of the page and give the reason that the next page asks for."""
    page.get_by_role("link", name=button, exact=True).click()
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name=button, exact=True).click()


def may_learn(api, learner: User, lesson: Lesson) -> bool:
    status: int = api(learner).get(f"learning/lessons/{lesson.pk}").status_code
    assert status in {200, 403}
    return status == 200


# --- Moderators -----------------------------------------------------------------------------


def test_moderator_edits_a_lesson_sees_the_link_error_and_finds_no_delete(page, moderator):
    lesson = LessonFactory.create(course__title="Bread", course__published=True, title="Flour")
    SubscriptionFactory.create(course=lesson.course)
    log_in(page, moderator)
    menu = page.locator("#nav-sidebar-apps")
    expect(menu.get_by_role("link")).to_have_count(4)
    for name in ("Dashboard", "Courses", "Lessons", "Pending updates"):
        expect(menu.get_by_role("link", name=name, exact=True)).to_be_visible()

    menu.get_by_role("link", name="Lessons").click()
    page.get_by_role("link", name="Flour").click()
    expect(page.get_by_role("link", name=re.compile("Delete|Add"))).to_have_count(0)
    page.get_by_label("Description").fill("More on https://evil.example/flour")
    page.get_by_role("button", name="Save", exact=True).click()
    at_field = page.locator(".field-description").get_by_text("evil.example").last
    expect(at_field).to_contain_text("Only links to YouTube are allowed")

    page.get_by_label("Description").fill("More on rye")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("1 subscriber will be notified")).to_be_visible()
    lesson.refresh_from_db()
    assert lesson.description == "More on rye"


def test_lessons_are_sorted_by_dragging(page, enter, moderator):
    course = CourseFactory.create()
    for number, title in enumerate(["Flour", "Water", "Salt"]):
        LessonFactory.create(course=course, title=title, position=number)
    enter(moderator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    handles = page.locator(".parta-handle")
    expect(handles).to_have_count(3)
    handles.nth(2).drag_to(handles.nth(0))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    order = list(course.lessons.order_by("position").values_list("title", flat=True))
    assert order == ["Salt", "Flour", "Water"]


def test_what_is_said_before_saving_moves_nothing(page, enter, moderator):
    course = CourseFactory.create()
    enter(moderator)
    held = []
    page.route("**/forecast/", lambda route: held.append(route))
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    said = page.get_by_role("region", name="Who will be notified")
    expect(said).to_contain_text("Unless it is a minor edit")
    before = said.bounding_box()
    held[0].continue_()
    expect(said).to_contain_text("Nobody will be notified")
    assert said.bounding_box() == before


# --- Administrators -------------------------------------------------------------------------


def test_administrator_makes_a_moderator_and_blocks_and_unblocks(page, administrator, moderators):
    person = UserFactory.create(first_name="Lev")
    log_in(page, administrator)
    page.goto(f"/admin/people/user/{person.pk}/change/")
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Give a role").click()
    page.get_by_label("moderators").check()
    page.get_by_role("button", name="Give a role").click()
    expect(page.get_by_text("Lev: done (Give a role).")).to_be_visible()
    assert User.objects.get(pk=person.pk).is_moderator

    answer_with_reason(page, "Block", "Insults others")
    expect(page.get_by_text("Lev: done (Block).")).to_be_visible()
    assert not User.objects.get(pk=person.pk).is_active

    answer_with_reason(page, "Unblock", "Apologised")
    expect(page.get_by_text("Lev: done (Unblock).")).to_be_visible()
    assert User.objects.get(pk=person.pk).is_active


def test_administrator_puts_back_a_moderator_s_edit(page, enter, administrator, moderator):
    lesson = LessonFactory.create(title="Flour")
    enter(moderator)
    page.goto(f"/admin/lms/lesson/{lesson.pk}/change/")
    page.get_by_label("Title").fill("Sand")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()

    enter(administrator)
    page.goto(f"/admin/lms/course/{lesson.course_id}/history/")
    expect(page.locator("del", has_text="Flour")).to_be_visible()
    page.get_by_role("link", name="Put back").click()
    page.get_by_role("button", name="Put back").click()
    expect(page.get_by_text("The change was undone.")).to_be_visible()
    lesson.refresh_from_db()
    assert lesson.title == "Flour"


def test_administrator_confirms_a_transfer_and_refunds_it(page, enter, administrator, learner, api):
    lesson = LessonFactory.create(course__published=True, course__title="Bread")
    payment = PaymentFactory.create(
        payer=learner, course=lesson.course, method=PaymentMethod.TRANSFER
    )
    enter(administrator)
    page.goto("/admin/")
    page.get_by_role("link", name="1 payment is waiting to be confirmed.").click()
    page.get_by_role("link", name="Bread").click()
    assert not may_learn(api, learner, lesson)

    answer_with_reason(page, "Confirm", "Statement of 12 May")
    expect(page.get_by_text("The payment was confirmed.")).to_be_visible()
    life = page.get_by_role("region", name="Payment timeline")
    expect(life).to_contain_text("Statement of 12 May")
    expect(life).to_contain_text("Access granted")
    assert may_learn(api, learner, lesson)

    answer_with_reason(page, "Refund", "Bought by mistake")
    expect(page.get_by_text("The money was refunded.")).to_be_visible()
    expect(life).to_contain_text("Access revoked")
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.REFUNDED
    assert not may_learn(api, learner, lesson)


def test_administrator_imports_payments_and_a_bad_row_is_named(page, enter, administrator, learner):
    course = CourseFactory.create(published=True)

    def choose(*amounts: str) -> None:
        lines = ["external_id,user,course_id,amount,currency,method,status"]
        lines += [
            f"B-{number},{learner.email},{course.pk},{amount},RUB,cash,pending"
            for number, amount in enumerate(amounts)
        ]
        table = {"name": "book.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}
        page.locator("input[type=file]").set_input_files(table)
        page.get_by_role("button", name="Check").click()

    enter(administrator)
    page.goto("/admin/payments/payment/")
    page.get_by_role("link", name="Import").click()
    choose("1990.00", "a lot", "2990.00")
    bad = page.get_by_role("alert").get_by_role("listitem")
    expect(bad).to_have_count(1)
    expect(bad).to_contain_text("Row 2 (line 3): amount: a lot is not an amount")
    assert not Payment.objects.exists()

    choose("1990.00", "2990.00")
    page.get_by_role("button", name="Load 2 payments").click()
    expect(page.get_by_text("2 payments loaded")).to_be_visible()
    assert Payment.objects.count() == 2
