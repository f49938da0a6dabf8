"""A class is enrolled from a list with two wrong lines, looked at and taken along; and its course is copied."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lms.models import Completion, Course
from lms.tests.factories import course_with_lessons
from people.models import User
from people.tests.factories import UserFactory

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

NAMES = ["Ada", "Bo", "Cy", "Dee", "Eve"]
LIST = """ada@school.example
Bo Berg <bo@school.example>
cy@school,example
dee@school.example; Dee Lind
eve at school.example"""


@pytest.fixture
def course(administrator: User) -> Course:
    course = course_with_lessons(
        ["Flour", "Water"], owner=administrator, published=True, title="Bread"
    )
    for name in NAMES:
        UserFactory.create(
            first_name=name, last_name="Berg", email=f"{name.lower()}@school.example"
        )
    return course


def test_a_class_is_enrolled_and_its_course_copied(
    page: Page, enter: Callable[[User], None], administrator: User, course: Course, tmp_path: Path
) -> None:
    enter(administrator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    page.get_by_role("link", name="Participants").click()
    expect(page.get_by_text("Nobody learns this course yet.")).to_be_visible()
    page.get_by_role("link", name="Enrol people").click()
    page.get_by_label("People", exact=True).fill(LIST)
    page.get_by_label("Reason").fill("Class 5")
    page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_text("Gets access: 3")).to_be_visible()
    expect(page.get_by_role("row", name="5 eve at school.example")).to_contain_text(
        "there is no email address in this line"
    )
    assert not course.accesses.exists()

    page.get_by_role("button", name="Enrol 3 people").click()
    expect(page.get_by_text("3 people were enrolled.")).to_be_visible()
    expect(page.get_by_text("2 lines are left to be corrected.")).to_be_visible()
    box = page.get_by_label("People", exact=True)
    expect(box).to_have_value("cy@school,example\neve at school.example")
    box.fill("cy@school.example\neve@school.example")
    page.get_by_role("button", name="Check the list").click()
    page.get_by_role("button", name="Enrol 2 people").click()
    expect(page.get_by_text("2 people were enrolled.")).to_be_visible()

    ada = User.objects.get(email="ada@school.example")
    for lesson in course.lessons.all():
        Completion.objects.create(user=ada, lesson=lesson)
    page.get_by_role("link", name="Progress").click()
    page.get_by_role("link", name="Progress").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("2/2 · 100 %")
    page.get_by_role("searchbox", name="Search people").fill("ada")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_label("Format").select_option("csv")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    table = tmp_path / "table.csv"
    download.value.save_as(table)
    _header, line = csv.reader(table.read_text("utf-8-sig").splitlines())
    assert line[:3] == ["Ada Berg", "ada@school.example", "granted by staff · whole course"]

    page.goto(f"/admin/lms/course/{course.pk}/change/")
    page.get_by_role("link", name="Copy", exact=True).click()
    page.get_by_role("button", name="Copy", exact=True).click()
    page.get_by_role("link", name="Bread (copy)").click()
    expect(page.get_by_label("Title").first).to_have_value("Bread (copy)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 640, 1280])
def test_the_pages_of_participants_fit_the_screen(
    page: Page,
    enter: Callable[[User], None],
    administrator: User,
    course: Course,
    pictures: Callable[[Page, str], None],
    width: int,
    scheme: str,
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    enter(administrator)
    page.goto(f"/admin/people/user/enrol/{course.pk}/")
    page.get_by_label("People", exact=True).fill(LIST)
    page.get_by_label("Reason").fill("Class 5")
    for step, button in enumerate(("Check the list", "Enrol 3 people")):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text("Report" if step else "This is what will happen")).to_be_visible()
        pictures(page, f"enrol-{step}-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.goto(f"/admin/lms/course/{course.pk}/participants/")
    pictures(page, f"participants-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
