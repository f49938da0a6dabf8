"""An administrator, in a browser, who wants to be rid of a lesson that somebody has paid for."""

import pytest
from playwright.sync_api import Page, expect

from lms.models import Course, Lesson
from lms.tests.factories import LessonFactory
from payments.tests.factories import PaymentFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def course():
    lesson = LessonFactory.create(course__published=True, course__title="Ropes", title="Knots")
    LessonFactory.create(course=lesson.course, title="Bends", position=1)
    PaymentFactory.create(course=lesson.course, paid=True)
    return lesson.course


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def test_a_row_that_can_t_be_deleted_says_why_and_is_unpublished_instead(
    page: Page, enter, administrator, course: Course
):
    enter(administrator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    page.locator("#id_title").fill("Ropes and knots")
    page.get_by_role("checkbox", name="Delete: Knots").check()
    save(page)
    reason = page.locator("#parta-rows").get_by_text("Someone has paid for “Knots” or its course")
    reason.click(trial=True)  # nothing lies over it
    expect(page.get_by_role("checkbox", name="Delete: Knots")).not_to_be_checked()
    expect(page.locator("#id_title")).to_have_value("Ropes and knots")
    page.get_by_role("button", name="Knots", exact=True).click()
    page.locator("#parta-rows [type=checkbox][name$=is_published]").uncheck()
    expect(page.locator("#parta-forecast")).to_contain_text("Lesson removed: Knots")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert list(Lesson.objects.order_by("pk").values_list("title", "is_published")) == [
        ("Knots", False),
        ("Bends", True),
    ]
    page.goto("/admin/lms/lesson/")
    of_lesson = page.get_by_role("link", name="Knots", exact=True)
    expect(page.get_by_role("row").filter(has=of_lesson)).to_contain_text("draft")
