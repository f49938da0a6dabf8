"""The catalog, a course with the ways to get it, and payments."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import expect

from lms.models import AccessSource, Course
from lms.services.accesses import grant_access
from lms.tests.factories import CourseFactory, course_with_lessons
from payments.models import Payment
from payments.tests.factories import PaymentFactory, RefundFactory
from project.school.services import update_school

pytestmark = [pytest.mark.browser, pytest.mark.any_database]

BUSY = {
    "type": "about:blank",
    "title": "Busy",
    "status": 503,
    "code": "payment_provider_busy",
    "detail": "The payment provider does not answer at the moment.",
}
TOLD_TO_WAIT = {"Retry-After": "1", "Content-Type": "application/problem+json"}


@pytest.fixture
def course(author) -> Course:
    course = course_with_lessons(
        ["Flour", "Water", "Salt"],
        owner=author,
        title="Bread",
        description="From *sourdough*",
        published=True,
        price=Decimal("1990.00"),
    )
    course.lessons.filter(title="Flour").update(is_preview=True)
    course.lessons.filter(title="Salt").update(price=Decimal("300.00"))
    return course


def test_catalog_is_searched_and_put_in_order_by_its_address(front, learner, course):
    CourseFactory.create(title="Soup", published=True)
    CourseFactory.create(title="Bread for nothing", published=True)
    page = front.page
    titles = page.locator(".card h2")
    front.log_in(learner)
    front.open("/?search=bread&utm_source=letter")
    expect(titles).to_have_count(2)
    assert front.requests == ["GET catalog/courses"]
    front.check()
    page.get_by_label("Order").select_option("By title")
    expect(titles).to_have_text(["Bread", "Bread for nothing"])
    page.get_by_label("Price").select_option("Free ones")
    expect(titles).to_have_text(["Bread for nothing"])
    expect(page).to_have_url("/?search=bread&free=true&ordering=title")
    page.get_by_role("searchbox").fill("stone")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No courses were found.")).to_be_visible()
    page.go_back()
    expect(titles).to_have_text(["Bread for nothing"])
    expect(page.get_by_role("searchbox")).to_have_value("bread")


def test_course_is_ordered_once_by_who_presses_twice(front, learner, course):
    update_school(changes={"transfer_instructions": "Account 4081\nGive your name"})
    page = front.page
    front.log_in(learner)
    front.open(f"/courses/{course.pk}")
    assert front.requests == [f"GET catalog/courses/{course.pk}"]
    expect(page.locator(".prose em")).to_have_text("sourdough")
    expect(page.get_by_role("listitem")).to_have_text(
        ["Flouropen", "Water", re.compile(r"^SaltBuy for ₽300")]
    )
    front.check()
    front.requests.clear()
    page.get_by_role("button", name="Pay by transfer").first.dblclick()
    expect(page.get_by_role("status").first).to_contain_text("as soon as the school has confirmed")
    payment = Payment.objects.get()
    assert front.requests == ["POST payments", f"GET payments/{payment.pk}/status"]
    expect(page.get_by_text("Account 4081")).to_be_visible()
    front.check()
    page.get_by_role("button", name="Cancel the order").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_text("This order was cancelled.")).to_be_visible()
    front.follow("To the course")
    expect(page.get_by_role("heading", name="Bread")).to_be_focused()


def test_single_lesson_is_ordered_by_the_keyboard(front, learner, course):
    page = front.page
    front.log_in(learner)
    front.open(f"/courses/{course.pk}")
    page.get_by_text("Buy for ₽300").press("Enter")
    page.get_by_role("listitem").get_by_role("button", name="Pay in cash").press("Enter")
    expect(page.get_by_text("Cancel the order")).to_be_visible()
    assert Payment.objects.get().lesson == course.lessons.get(title="Salt")


def test_one_wish_has_one_key_until_it_is_fulfilled(front, learner, course):
    """The answer is lost, then Stripe is busy, then it is done; the next wish is another one."""
    page, keys = front.page, []

    def answer(route):
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            route.abort()
        elif len(keys) == 2:
            route.fulfill(status=503, body=json.dumps(BUSY), headers=TOLD_TO_WAIT)
        else:
            route.continue_()

    page.route("**/api/v1/payments", answer)
    front.log_in(learner)
    front.open(f"/courses/{course.pk}")
    press = page.get_by_role("button", name="Pay in cash").first
    press.click()
    expect(page.get_by_text("The school can't be reached.")).to_be_visible()
    press.click()
    expect(page.get_by_text("Trying again in 1 second")).to_be_visible()
    expect(page.get_by_text("Cancel the order")).to_be_visible()
    assert len(keys) == 3
    assert len({*keys}) == 1
    Payment.objects.update(status="cancelled")
    page.go_back()
    press.click()
    expect(page.get_by_text("Cancel the order")).to_be_visible()
    assert keys[3] not in keys[:3]
    assert Payment.objects.count() == 2


def test_what_the_buyer_got_meanwhile_is_shown(front, learner, course):
    page = front.page
    front.log_in(learner)
    front.open(f"/courses/{course.pk}")
    grant_access(user=learner, target=course, source=AccessSource.GRANT)
    page.get_by_role("button", name="Pay in cash").first.click()
    expect(page.get_by_text("You already have access to this.")).to_be_visible()
    expect(page.get_by_role("link", name="Continue learning")).to_be_visible()


def test_free_course_is_begun_and_followed_by_one_press_each(front, learner, course):
    Course.objects.update(price=0)
    page = front.page
    front.log_in(learner)
    front.open(f"/courses/{course.pk}")
    page.get_by_role("button", name="Subscribe").press("Enter")
    expect(page.get_by_role("button", name="Unsubscribe")).to_be_focused()
    page.get_by_role("button", name="Start learning").click()
    expect(page).to_have_url(f"/learn/{course.pk}")
    expect(page.get_by_role("link", name="About the course")).to_be_visible()
    front.open("/subscriptions")
    assert front.requests == ["GET subscriptions"]
    front.check()
    choice = page.get_by_label("Emails")
    choice.select_option("In one email a day")
    expect(choice).to_have_value("daily")
    page.reload()
    expect(choice).to_have_value("daily")
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_text("You have no subscriptions.")).to_be_visible()
    assert not learner.subscriptions.exists()


def test_who_is_not_logged_in_is_led_there_and_back(front, settings, course):
    settings.PUBLIC_CATALOG = True
    page = front.page
    front.open(f"/courses/{course.pk}")
    expect(page.get_by_role("link", name="Log in to start learning")).to_have_attribute(
        "href", f"/login?next=%2Fcourses%2F{course.pk}"
    )
    expect(page.get_by_role("button", name="Pay online")).to_have_count(0)
    front.check()
    payment = PaymentFactory.create()
    page.goto(f"/payments/{payment.pk}")
    expect(page).to_have_url(f"/login?next=%2Fpayments%2F{payment.pk}")


def test_draft_is_shown_to_its_author_and_to_nobody_else(front, author, learner, course):
    Course.objects.update(is_published=False)
    page = front.page
    front.log_in(author)
    front.open(f"/courses/{course.pk}")
    expect(page.get_by_text("This course is not published.")).to_be_visible()
    front.check()
    front.log_in(learner)
    front.open(f"/courses/{course.pk}")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()


# What stands there of each state, and what can be pressed.
STATES: list[tuple[dict[str, Any], str, set[str]]] = [
    (
        {"method": "cash"},
        "as soon as the school has confirmed",
        {"Cancel the order", "To the course"},
    ),
    ({"method": "cash", "status": "failed"}, "no longer expects it", {"To the course"}),
    ({"method": "cash", "status": "expired"}, "You can order again.", {"To the course"}),
    ({"method": "stripe", "status": "failed"}, "The payment failed.", {"To the course"}),
    ({"method": "stripe", "status": "expired"}, "has run out", {"To the course"}),
    ({"status": "cancelled", "for_lesson": True}, "was cancelled", {"To the lesson"}),
    ({"paid": True}, "you now have access", {"Start learning", "Open the receipt"}),
    ({"refunded": True}, "has been refunded", {"To the course", "Open the receipt"}),
]


def test_payment_says_how_it_stands_and_what_to_do(front, learner):
    page = front.page
    front.log_in(learner)
    for fields, text, pressed in STATES:
        payment = PaymentFactory.create(payer=learner, **fields)
        front.open(f"/payments/{payment.pk}")
        expect(page.get_by_role("status").first).to_contain_text(text)
        assert {*page.locator(".buttons").first.locator("a, button").all_inner_texts()} == pressed
        assert front.requests == [f"GET payments/{payment.pk}/status"]
    front.check()
    part = RefundFactory.create(payment__payer=learner).payment
    Payment.objects.filter(pk=part.pk).update(refunded_amount=500)
    front.open(f"/payments/{part.pk}")
    expect(page.locator("dl")).to_contain_text("Refunded₽500")
    front.open("/payments")
    assert front.requests == ["GET payments"]
    expect(page.get_by_role("listitem")).to_have_count(9)
    front.check()
    page.get_by_label("Status").select_option("failed")
    expect(page.get_by_role("listitem")).to_have_count(2)


def test_payment_on_its_way_is_asked_about_until_it_is_decided(front, learner, settings):
    settings.THROTTLE_STATUS = "2/min"
    page = front.page
    payment = PaymentFactory.create(payer=learner, method="stripe", status="processing")
    asked, read = f"GET payments/{payment.pk}/status", f"GET payments/{payment.pk}"
    front.log_in(learner)
    page.clock.install()
    front.open(f"/payments/{payment.pk}")
    with page.expect_response("**/status"):
        page.clock.fast_forward(3000)
    # The third question is one too many.
    with page.expect_response(f"**/payments/{payment.pk}"):
        page.clock.fast_forward(3000)
    expect(page.get_by_role("status").first).to_contain_text("is on its way")
    assert front.requests == [asked, asked, asked, read]
    page.clock.fast_forward(5000)
    assert len(front.requests) == 4
    settings.THROTTLE_STATUS = "60/min"
    Payment.objects.filter(pk=payment.pk).update(status="paid", paid_at=payment.created_at)
    page.clock.fast_forward(60_000)
    expect(page.get_by_role("link", name="Start learning")).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text("you now have access")


# The three seconds between two questions pass when a test lets them.
PAUSES_WAIT = """
    window.waiting = [];
    const later = window.setTimeout;
    window.setTimeout = (act, ms, ...given) => ms === 3000 ? waiting.push(act) : later(act, ms, ...given);
"""
LET_PASS = """async (times) => {
    for (; times; times--) {
        while (!waiting.length) await new Promise(requestAnimationFrame);
        waiting.shift()();
    }
}"""


def test_after_minutes_the_buyer_asks_and_a_page_that_nobody_sees_asks_nothing(
    front, learner, settings
):
    settings.THROTTLE_STATUS = "100/min"
    page = front.page
    payment = PaymentFactory.create(payer=learner, method="stripe", status="processing")
    front.log_in(learner)
    page.add_init_script(PAUSES_WAIT)
    front.open(f"/payments/{payment.pk}")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, writable: true})")
    page.evaluate(LET_PASS, 1)
    assert len(front.requests) == 1
    with page.expect_response("**/status"):
        page.evaluate(
            "document.hidden = false; document.dispatchEvent(new Event('visibilitychange'))"
        )
    page.evaluate(LET_PASS, 59)
    again = page.get_by_role("button", name="Check again")
    expect(again).to_be_visible()
    assert page.evaluate("waiting") == []
    assert len(front.requests) == 61
    with page.expect_response("**/status"):
        again.click()
    expect(again).to_have_count(0)
