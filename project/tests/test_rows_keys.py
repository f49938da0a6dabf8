"""The rows of a course's page by the keyboard, and on a phone."""

import pytest
from playwright.sync_api import expect

from lms.tests.factories import CourseFactory, LessonFactory

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def test_enter_in_a_row_saves_nothing_yet(page, enter, administrator):
    lesson = LessonFactory.create(title="Rye")
    enter(administrator)
    page.goto(f"/admin/lms/course/{lesson.course_id}/change/")
    page.get_by_role("button", name="Rye", exact=True).click()
    title = page.locator(f"#id_lesson-{lesson.pk}-title")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    title.fill("Oats")
    title.press("Enter")
    page.get_by_label("Delete: Rye").press("Enter")
    expect(title).to_have_value("Oats")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert sent.count("POST") == 0


def test_what_the_buttons_say_in_russian_fits_on_a_phone(page, enter, administrator):
    course = CourseFactory.create()
    page.set_viewport_size({"width": 320, "height": 568})
    administrator.language = "ru"
    administrator.save()
    enter(administrator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    buttons = page.locator("#submit-row :is(a, button)")
    expect(buttons.last).to_have_text("Удалить курс")
    wider = "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent)"
    assert buttons.evaluate_all(wider) == []
