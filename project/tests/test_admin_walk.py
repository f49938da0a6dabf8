"""The admin in a browser, as moderators and administrators walk through it.

The fixture `page` fails for an error in the console and for a request to another host.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from lms.models import Course
from lms.services import update_lesson
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from people.models import User
from people.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.browser


def log_in(page: Page, user: User) -> None:
    page.goto("/admin/")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()


def test_moderator_edits_a_lesson_sees_the_link_error_and_finds_no_delete(
    page, moderator, transactional_db
):
    lesson = LessonFactory.create(course__title="Bread", course__published=True, title="Flour")
    SubscriptionFactory.create(course=lesson.course)
    log_in(page, moderator)
    menu = page.locator("#nav-sidebar-apps")
    expect(menu.get_by_text("Lessons")).to_have_count(1)
    expect(menu.get_by_text("Groups")).to_have_count(0)

    page.goto(f"/admin/lms/lesson/{lesson.pk}/change/")
    expect(page.get_by_role("link", name=re.compile("Delete"))).to_have_count(0)
    page.get_by_label("Description").fill("More on https://evil.example/flour")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("evil.example").last).to_be_visible()

    page.get_by_label("Description").fill("More on rye")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("1 subscriber will be told")).to_be_visible()
    lesson.refresh_from_db()
    assert lesson.description == "More on rye"


def test_lessons_are_sorted_by_dragging(page, moderator, transactional_db):
    course = CourseFactory.create()
    lessons = [
        LessonFactory.create(course=course, title=title, position=number)
        for number, title in enumerate(["Flour", "Water", "Salt"])
    ]
    log_in(page, moderator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    handles = page.locator("[x-sort\\:handle]")
    expect(handles).to_have_count(3)
    handles.nth(2).drag_to(handles.nth(0))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    order = list(course.lessons.order_by("position").values_list("title", flat=True))
    assert order == ["Salt", "Flour", "Water"]
    assert len(lessons) == 3


def test_administrator_makes_a_moderator_and_blocks_and_unblocks(
    page, administrator, moderators, transactional_db
):
    person = UserFactory.create(first_name="Lev")
    log_in(page, administrator)
    page.goto(f"/admin/people/user/{person.pk}/change/")
    page.get_by_role("link", name="Make moderator").click()
    page.get_by_role("button", name="Make moderator").click()
    expect(page.get_by_text("Lev: done (Make moderator).")).to_be_visible()
    assert User.objects.get(pk=person.pk).is_moderator

    page.locator("a[href$='/block/']").click()
    page.get_by_label("Reason").fill("Insults others")
    page.get_by_role("button", name="Block").click()
    expect(page.get_by_text("Lev: done (Block).")).to_be_visible()
    assert not User.objects.get(pk=person.pk).is_active

    page.get_by_role("link", name="Unblock").click()
    page.get_by_label("Reason").fill("Apologised")
    page.get_by_role("button", name="Unblock").click()
    expect(page.get_by_text("Lev: done (Unblock).")).to_be_visible()
    assert User.objects.get(pk=person.pk).is_active


def test_administrator_puts_back_a_moderator_s_edit(page, administrator, transactional_db):
    lesson = LessonFactory.create(title="Flour")
    update_lesson(lesson=lesson, changes={"title": "Sand"}, by=administrator)
    log_in(page, administrator)
    page.goto(f"/admin/lms/course/{lesson.course_id}/history/")
    expect(page.locator("del", has_text="Flour")).to_be_visible()
    page.get_by_role("link", name="Put back").click()
    page.get_by_role("button", name="Put back").click()
    expect(page.get_by_text("The change was put back.")).to_be_visible()
    lesson.refresh_from_db()
    assert lesson.title == "Flour"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_fit_the_screen(page, administrator, transactional_db, width, scheme):
    course = CourseFactory.create(published=True, title="Bread")
    LessonFactory.create_batch(2, course=course)
    SubscriptionFactory.create(course=course)
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    log_in(page, administrator)
    for address in (
        "/admin/",
        "/admin/lms/course/",
        f"/admin/lms/course/{course.pk}/change/",
        f"/admin/lms/course/{course.pk}/history/",
        "/admin/people/user/",
        f"/admin/people/user/{administrator.pk}/change/",
        "/admin/auth/group/add/",
    ):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address


def test_search_over_everything_by_keyboard(page, administrator, transactional_db):
    course = CourseFactory.create(title="Chess openings")
    UserFactory.create(email="chess@school.example")
    log_in(page, administrator)
    page.keyboard.press("Control+k")
    expect(page.locator("#search-input-command")).to_be_focused()
    page.keyboard.type("chess", delay=10)
    results = page.locator("#command-results-list li")
    expect(results).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/lms/course/{course.pk}/change/"))
    assert Course.objects.count() == 1
