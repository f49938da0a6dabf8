"""What a screen reader is told of the page of a course, in its order: `course_tree.txt`, which was read.
`--pictures FOLDER` keeps what was found there as well."""

import re
from difflib import unified_diff
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lms.tests.factories import CourseFactory, LessonFactory
from people.tests.factories import UserFactory

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
KEPT = Path(__file__).with_name("course_tree.txt")


def test_a_screen_reader_is_told_of_the_course_in_an_order_that_makes_sense(
    page, enter, administrator, request
):
    owner = UserFactory.create(first_name="Anna", last_name="Berg", email="anna@parta.example")
    course = CourseFactory.create(title="Bread", owner=owner, price=4900, published=True)
    for title in ("Flour", "Salt"):
        LessonFactory.create(course=course, title=title)
    enter(administrator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    page.get_by_role("button", name="Flour", exact=True).click()
    expect(page.get_by_label("Title").nth(1)).to_be_visible()
    found = (
        re.sub(r"(?<=/)[0-9]+|(?<=course=)[0-9]+", "1", page.locator("#main").aria_snapshot())
        + "\n"
    )
    if folder := request.config.getoption("--pictures"):
        Path(folder, KEPT.name).write_text(found)
    assert not list(unified_diff(KEPT.read_text().splitlines(), found.splitlines(), lineterm=""))
