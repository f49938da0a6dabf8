"""An administrator who changes a course, in a browser and with a real mail server: who is mailed is said
before it is saved, and what waits is read, dropped and sent."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from lms.models import Course, CourseChange
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from project.mail.tasks import deliver_mail

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

NOW = "1 subscriber will be notified of the change by email now."


@pytest.fixture
def course():
    quiet = timezone.now() - timedelta(days=30)
    course = CourseFactory.create(published=True, title="Bread", materials_updated_at=quiet)
    for place, title in enumerate(["Flour", "Water"]):
        LessonFactory.create(course=course, title=title, position=place)
    SubscriptionFactory.create(course=course, user__email="reader@school.example")
    return course


def open_course(page: Page, course: Course) -> None:
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    expect(told(page)).to_contain_text("there is no change to tell of")


def told(page: Page):
    return page.locator("#parta-forecast")


def rename(page: Page, title: str) -> None:
    page.locator("#id_title").fill(title)


def rename_lesson(page: Page, before: str, after: str) -> None:
    page.get_by_role("button", name=before, exact=True).click()
    page.locator(f"#parta-rows [name$=-title][value='{before}']").fill(after)


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def mails(sink) -> list[str]:
    deliver_mail()
    messages = sink.messages("reader@school.example")
    return [message.get_body(["plain"]).get_content() for message in messages]


def test_who_is_mailed_is_seen_before_saving_and_what_waits_is_dropped_or_sent(
    page, enter, administrator, course, sink
):
    enter(administrator)
    open_course(page, course)
    rename(page, "Rolls")
    rename_lesson(page, "Flour", "Rye flour")
    rename_lesson(page, "Water", "Warm water")
    expect(told(page).locator("li")).to_have_text(
        [
            "Course renamed: Bread → Rolls",
            "Lesson renamed: Flour → Rye flour",
            "Lesson renamed: Water → Warm water",
        ]
    )
    expect(told(page)).to_contain_text(NOW)
    page.get_by_label("Minor edit").check()
    expect(told(page)).to_contain_text("Minor edit: nobody will be notified")
    page.get_by_label("Minor edit").uncheck()
    expect(told(page)).to_contain_text(NOW)
    save(page)
    expect(page.get_by_text(NOW)).to_be_visible()
    [text] = mails(sink)
    for line in ("Course renamed: Bread → Rolls", "Flour → Rye flour", "Water → Warm water"):
        assert line in text

    open_course(page, course)
    rename(page, "Buns")
    expect(told(page)).to_contain_text("On ")
    save(page)
    assert len(mails(sink)) == 1
    page.locator("#nav-sidebar-apps").get_by_role("link", name="Pending updates").click()
    expect(page.locator("#result_list")).to_contain_text("Course renamed: Rolls → Buns")
    page.get_by_role("rowheader").get_by_role("link", name="Buns").click()
    page.get_by_role("link", name="Drop", exact=True).click()
    expect(page.get_by_text("Course renamed: Rolls → Buns")).to_be_visible()
    page.get_by_label("Reason").fill("A typo")
    page.get_by_role("button", name="Drop", exact=True).click()
    expect(page.get_by_text("Dropped: Buns.").first).to_be_visible()
    assert not CourseChange.objects.filter(update=None).exists()

    open_course(page, course)
    rename(page, "Cakes")
    expect(told(page).locator("li")).to_have_text(["Course renamed: Buns → Cakes"])
    save(page)
    page.goto(f"/admin/lms/pendingupdate/{course.pk}/change/")
    page.get_by_role("link", name="Send now", exact=True).click()
    page.get_by_role("button", name="Send now", exact=True).click()
    expect(page.get_by_text("Sent off: Cakes.")).to_be_visible()
    [_first, second] = mails(sink)
    assert "Course renamed: Buns → Cakes" in second
    assert "Rolls" not in second


def test_rows_that_are_added_and_courses_that_are_chosen_are_told_too(
    page, enter, administrator, course
):
    CourseFactory.create(title="Cheese", published=True)
    enter(administrator)
    open_course(page, course)
    page.get_by_role("link", name="Add a lesson").click()
    expect(page.locator("#id_new-1-title")).to_be_focused()
    page.keyboard.type("Salt")
    expect(told(page).locator("li")).to_have_text(["Lesson added: Salt"])
    page.goto(f"/admin/lms/lesson/{course.lessons.first().pk}/change/")
    page.locator(".field-course .select2").click()
    page.get_by_role("option", name="Cheese").click()
    expect(told(page)).to_contain_text("Lesson removed: Flour")
    expect(told(page)).to_contain_text("Cheese: Nobody will be notified")
