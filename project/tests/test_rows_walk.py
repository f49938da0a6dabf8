"""The page of a course with hundreds of lessons, in a browser: they are edited in their rows."""

import re
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import Dialog, FilePayload, Locator, Page, expect

from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def course_of(number: int) -> Course:
    course = CourseFactory.create(title="Bread")
    Lesson.objects.bulk_create(
        Lesson(course=course, title=f"Lesson {place}", description="Rye", position=place)
        for place in range(1, number + 1)
    )
    return course


def titles(course: Course) -> list[str]:
    return list(course.lessons.order_by("position").values_list("title", flat=True))


def opener(page: Page, title: str) -> Locator:
    return page.get_by_role("button", name=title, exact=True)


def row_of(page: Page, title: str) -> Locator:
    """Open the row of a lesson."""
    opener(page, title).click()
    key = Lesson.objects.get(title=title).pk
    expect(page.locator(f"#id_lesson-{key}-title")).to_be_visible()
    return page.locator(f"#lesson-{key}")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save and continue editing").click()


def photograph() -> FilePayload:
    file = BytesIO()
    Image.new("RGB", (400, 300), "teal").save(file, "JPEG")
    return {"name": "bread.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def test_two_of_500_lessons_are_edited_moved_refused_corrected_and_saved(
    page, enter, administrator
):
    course = course_of(500)
    sent: list[int] = []
    page.on(
        "request",
        lambda request: (
            sent.append(len(request.post_data_buffer or b""))
            if request.method == "POST" and request.url.endswith("/change/")
            else None
        ),
    )
    enter(administrator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    second = row_of(page, "Lesson 2")
    second.get_by_label("Description").fill("Oats, not rye")
    second.locator("[type=file]").set_input_files(photograph())
    row_of(page, "Lesson 300")  # looked at, and not edited
    far = row_of(page, "Lesson 490")
    far.get_by_label("Description").fill("See https://evil.example/bread")
    far.locator(".parta-handle").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#parta-said")).to_have_text("Position 2 of 500")
    page.get_by_role("link", name="Add a lesson").click()
    expect(page.locator("#id_new-1-title")).to_be_focused()
    page.keyboard.type("Salt")
    page.locator("#new-1 .parta-handle").focus()
    page.keyboard.press("Home")

    save(page)
    errors = page.locator(".parta-faults")
    expect(errors).to_contain_text("1 error: nothing was saved.")
    expect(far.get_by_label("Description")).to_be_focused()
    expect(far.get_by_label("Description")).to_have_value("See https://evil.example/bread")
    expect(second.get_by_label("Description")).to_have_value("Oats, not rye")
    expect(second.get_by_alt_text("The chosen picture")).to_be_visible()
    shown = page.locator(".parta-rows .parta-row-title").all_text_contents()
    assert shown[:4] == ["Salt", "Lesson 1", "Lesson 490", "Lesson 2"]
    expect(page.locator(".parta-row-form")).to_have_count(3)
    assert titles(course)[:2] == ["Lesson 1", "Lesson 2"]

    opener(page, "Lesson 490").click()
    expect(far.get_by_label("Description")).to_be_hidden()
    errors.get_by_role("link").click()
    expect(far.get_by_label("Description")).to_be_focused()
    far.get_by_label("Description").fill("Wheat")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert titles(course)[:4] == ["Salt", "Lesson 1", "Lesson 490", "Lesson 2"]
    assert len(titles(course)) == 501
    edited = Lesson.objects.get(title="Lesson 2")
    assert (edited.description, bool(edited.preview)) == ("Oats, not rye", True)
    assert Lesson.objects.get(title="Lesson 490").description == "Wheat"
    assert Lesson.objects.get(title="Lesson 300").history.count() == 0
    assert max(sent) < 30_000


def test_after_back_the_rows_show_the_order_that_is_sent(page, enter, administrator):
    course = course_of(3)
    enter(administrator)
    address = f"/admin/lms/course/{course.pk}/change/"
    page.goto(address)
    page.locator(".parta-handle").last.focus()
    page.keyboard.press("Home")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/admin/")
    page.go_back()
    expect(page).to_have_url(re.compile(f"{address}$"))
    shown = page.locator(".parta-row-title").all_text_contents()
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert titles(course) == shown


def test_who_leaves_with_what_is_not_saved_is_asked(page, enter, administrator):
    course = course_of(2)
    enter(administrator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    row_of(page, "Lesson 1").get_by_label("Title").fill("Typed")
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    page.goto("/admin/")
    assert asked == ["beforeunload"]


def test_a_row_that_can_t_be_loaded_says_so_and_is_opened_later(page, enter, administrator):
    course = course_of(1)
    enter(administrator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    page.route("**/rows/*/", lambda route: route.fulfill(status=200, body="", headers={}))
    opener(page, "Lesson 1").click()
    expect(page.get_by_role("alert")).to_have_text("The lesson could not be loaded. Try again.")
    page.unroute("**/rows/*/")
    row_of(page, "Lesson 1")
    expect(page.get_by_role("alert")).to_have_count(0)


# What has the focus and is covered at its middle by something else.
COVERED = """() => {
    const element = document.activeElement;
    if (element === document.body || !element.closest("#content-main, #submit-row")) return null;
    const box = element.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + Math.min(box.height, 40) / 2];
    if (box.width < 2 || y < 0 || y > innerHeight) return element.outerHTML.slice(0, 200);
    const top = document.elementFromPoint(x, y);
    const isSeen = element.contains(top) || top?.contains(element) || element.labels?.[0]?.contains(top);
    return isSeen ? null : element.outerHTML.slice(0, 200);
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 500), (640, 400), (320, 568)])
def test_nothing_covers_what_has_the_focus(page, enter, administrator, width, height):
    course = course_of(8)
    page.set_viewport_size({"width": width, "height": height})
    enter(administrator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    row_of(page, "Lesson 2")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.locator("#content").focus()
    covered = []
    for key in ("Tab", "Shift+Tab"):
        for _step in range(60):
            page.keyboard.press(key)
            covered.append(page.evaluate(COVERED))
    assert set(covered) == {None}


UNNAMED = """() => [...document.querySelectorAll("#parta-rows :is(input:not([type=hidden]), textarea, select)")]
    .filter((field) => !field.disabled && !field.ariaLabel && !field.labels?.length)
    .map((field) => field.outerHTML.slice(0, 160))"""


def test_each_field_of_an_open_row_has_a_name(page, enter, administrator):
    course = course_of(2)
    enter(administrator)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    row_of(page, "Lesson 1")
    assert page.evaluate(UNNAMED) == []
