"""Everything in the admin is reached by the keyboard, and seen when it is reached."""

import re

import pytest
from playwright.sync_api import Page, expect

from lms.models import Course
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.tests.factories import PaymentFactory
from people.tests.factories import UserFactory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.any_database,
    pytest.mark.django_db(transaction=True),
]

# What shows a hand to the mouse is there to be clicked: it, or something around or in it, has to be
# a stop of the Tab key. Where the mouse alone resizes, nothing is lost.
UNREACHED = """() => {
    const stops = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    const isHand = (element) => getComputedStyle(element).cursor === "pointer";
    return [...document.body.querySelectorAll("*")]
        .filter((element) => element.checkVisibility() && isHand(element))
        .filter((element) => !isHand(element.parentElement))
        .filter((element) => !element.closest(stops) && !element.querySelector(stops))
        .filter((element) => !(element.closest("label")?.control))
        .map((element) => element.outerHTML.slice(0, 160));
}"""
# Controls that say nothing to whoever hears the page.
NAMELESS = """() => [...document.querySelectorAll("a[href], button, [role=button]")]
    .filter((element) => element.checkVisibility())
    .filter((element) => {
        const copy = element.cloneNode(true);
        copy.querySelectorAll("[aria-hidden=true]").forEach((part) => part.remove());
        const said = copy.textContent.trim() || element.ariaLabel || element.title;
        return !said && !element.querySelector("img[alt]:not([alt=''])");
    })
    .map((element) => element.outerHTML.slice(0, 160))"""
# The present stop, and whether anything around it is drawn because of the focus.
STOP = """() => {
    const element = document.activeElement;
    if (element === document.body) return null;
    const box = element.getBoundingClientRect();
    const drawn = [];
    for (let part = element; part && drawn.length < 4; part = part.parentElement) {
        const style = getComputedStyle(part);
        drawn.push(style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1);
    }
    const isOnScreen = box.width > 0 && box.bottom > 0 && box.top < innerHeight
        && box.right > 0 && box.left < innerWidth;
    element.dataset.stopped ??= String(document.querySelectorAll("[data-stopped]").length);
    return {
        number: Number(element.dataset.stopped),
        isSeen: drawn.includes(true) && isOnScreen,
        what: element.outerHTML.slice(0, 160),
    };
}"""


@pytest.fixture
def addresses(administrator, moderators):
    course = CourseFactory.create(published=True, title="Bread")
    LessonFactory.create_batch(2, course=course)
    SubscriptionFactory.create(course=course)
    payment = PaymentFactory.create(course=course)
    return {
        "dashboard": "/admin/",
        "list": "/admin/lms/course/",
        "form": f"/admin/lms/course/{course.pk}/change/",
        "history": f"/admin/lms/course/{course.pk}/history/",
        "people": "/admin/people/user/",
        "person": f"/admin/people/user/{administrator.pk}/change/",
        "new lesson": "/admin/lms/lesson/add/",
        "book": "/admin/payments/payment/",
        "payment": f"/admin/payments/payment/{payment.pk}/change/",
        "question": f"/admin/payments/payment/{payment.pk}/confirm/",
        "import": "/admin/payments/payment/import/",
    }


@pytest.mark.parametrize("width", [1440, 390])
def test_what_can_be_clicked_is_reached_by_keys_and_has_a_name(
    page, enter, administrator, addresses, width
):
    page.set_viewport_size({"width": width, "height": 900})
    enter(administrator)
    for name, address in addresses.items():
        page.goto(address)
        assert page.evaluate(UNREACHED) == [], name
        assert page.evaluate(NAMELESS) == [], name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_stop_of_the_tab_key_is_seen(page, enter, administrator, addresses, scheme):
    page.emulate_media(color_scheme=scheme)
    enter(administrator)
    for name in ("dashboard", "list", "form", "question"):
        page.goto(addresses[name])
        stops = 0
        for _step in range(150):
            page.keyboard.press("Tab")
            stop = page.evaluate(STOP)
            if stop is None:  # beyond the end; the next one is the first of the page
                continue
            if stop["number"] < stops:
                break
            assert stop["isSeen"], (name, stop["what"])
            stops += 1
        assert stops > 10, name


def test_the_first_stop_skips_the_menu(page, enter, administrator, addresses):
    enter(administrator)
    page.goto(addresses["form"])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#content :focus")).to_have_count(1)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of this name has the focus."""
    control = page.get_by_role("button", name=name).first
    for _step in range(60):
        page.keyboard.press("Tab")
        if control.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{name} is not reached")


def test_lessons_are_sorted_by_arrow_keys(page, enter, moderator):
    course = CourseFactory.create()
    for number, title in enumerate(["Flour", "Water", "Salt"]):
        LessonFactory.create(course=course, title=title, position=number)
    enter(moderator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    tab_to(page, "Move with the up and down arrow keys")
    page.keyboard.press("ArrowUp")  # the first one stays
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#parta-said")).to_have_text("Position 3 of 3")
    page.keyboard.press("ArrowUp")
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    order = list(course.lessons.order_by("position").values_list("title", flat=True))
    assert order == ["Water", "Flour", "Salt"]


def test_a_lesson_is_deleted_by_keys(page, enter, administrator):
    lesson = LessonFactory.create(title="Flour")
    enter(administrator)
    page.goto(f"/admin/lms/course/{lesson.course_id}/change/")
    box = page.get_by_role("checkbox", name="Delete")
    box.focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("Will be deleted when you save.")).to_be_visible()
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert not lesson.course.lessons.exists()


def test_menus_and_filters_open_and_close_by_keys(page, enter, administrator):
    enter(administrator)
    page.goto("/admin/people/user/")
    account = page.get_by_role("button", name=administrator.email)
    account.focus()
    page.keyboard.press("Enter")
    log_out = page.get_by_role("button", name="Log out")
    expect(log_out).to_be_visible()
    expect(page.get_by_role("button", name="Light")).to_be_focused()
    page.keyboard.press("Escape")
    expect(log_out).to_be_hidden()
    expect(account).to_be_focused()

    page.get_by_role("button", name="Filters").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Apply Filters")).to_be_visible()
    expect(page.locator("#changelist-filter :focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Apply Filters")).to_be_hidden()


def test_search_over_everything_by_keyboard(page, enter, administrator):
    course = CourseFactory.create(title="Chess openings")
    person = UserFactory.create(email="chess@school.example")
    enter(administrator)
    page.goto("/admin/")
    tab_to(page, "Search apps and models")
    page.keyboard.press("Enter")
    expect(page.locator("#search-input-command")).to_be_focused()
    page.keyboard.type("chess", delay=10)
    results = page.locator("#command-results-list li")
    expect(results).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/lms/course/{course.pk}/change/"))

    page.wait_for_load_state()
    page.keyboard.press("Control+k")
    expect(page.locator("#search-input-command")).to_be_focused()
    page.keyboard.type("chess", delay=10)
    expect(results).to_have_count(2)
    results.nth(1).get_by_role("link").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/people/user/{person.pk}/change/"))
    assert Course.objects.count() == 1
