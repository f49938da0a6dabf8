"""What is around all screens: the school's face, whatever it is."""

import pytest
from playwright.sync_api import expect

from lms.services.learning import complete_lesson, enroll
from lms.tests.factories import course_with_lessons
from project.common.images import LOGO, clean_image
from project.front.tests.conftest import Front
from project.school.services import update_school
from project.school.tests.factories import png

pytestmark = [pytest.mark.browser, pytest.mark.any_database]

YELLOW, WHITE, BLACK, NAVY = "#ffdd00", "#ffffff", "#000000", "#0a1f44"


@pytest.fixture
def course(author, learner):
    course = course_with_lessons(["Flour", "Water"], owner=author, title="Bread", published=True)
    enroll(user=learner, course=course)
    complete_lesson(user=learner, lesson=course.lessons.get(title="Flour"))
    return course


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_any_colour_of_a_school_leaves_all_readable(front, learner, course, scheme):
    page = front.page
    page.emulate_media(color_scheme=scheme)
    front.log_in(learner)
    front.open(f"/learn/{course.pk}")
    for colour, text in {YELLOW: BLACK, WHITE: BLACK, BLACK: WHITE, NAVY: WHITE}.items():
        page.evaluate(
            """([colour, text]) => {
                document.documentElement.style.setProperty("--colour", colour);
                document.documentElement.style.setProperty("--text-on-colour", text);
            }""",
            [colour, text],
        )
        front.check()


@pytest.mark.parametrize("width", [320, 720, 1440])
def test_a_long_name_with_a_logo_leaves_room_for_the_rest(
    front, live_server, settings, author, width
):
    settings.PUBLIC_CATALOG = True
    settings.SITE_URL = live_server.url
    update_school(
        changes={"name": "School of Oak and " + "W" * 40, "logo": clean_image(png(), LOGO)}
    )
    page = front.page
    page.set_viewport_size({"width": width, "height": 640})
    front.open("/")
    expect(page.get_by_role("link", name="Register")).to_be_visible()
    front.check()
    front.log_in(author)
    front.open("/learn")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    expect(page.get_by_role("link", name="Authoring")).to_be_in_viewport()
    front.check()


def test_the_header_stands_while_nothing_is_known_and_moves_nothing(front, learner):
    page = front.page
    front.log_in(learner)
    held = []
    page.route("**/api/v1/meta", lambda route: held.append(route))
    page.goto("/learn")
    header = page.get_by_role("banner")
    expect(header).to_have_text("Parta")
    expect(page.get_by_text("Loading…")).to_be_visible()
    before = header.bounding_box()
    held.pop().continue_()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    assert header.bounding_box() == before


def test_a_lesson_is_printed_without_what_can_be_pressed(front, learner, course):
    lesson = course.lessons.get(title="Flour")
    front.log_in(learner)
    front.open(f"/learn/{course.pk}/{lesson.pk}")
    front.page.emulate_media(media="print", color_scheme="dark")
    expect(front.page.get_by_role("heading", name="Flour")).to_be_visible()
    for what in ("banner", "button", "contentinfo", "navigation"):
        assert front.page.get_by_role(what).count() == 0, what


def test_who_comes_back_to_a_list_is_where_they_were(front, settings):
    settings.PUBLIC_CATALOG = True
    for number in range(10):
        course_with_lessons([], published=True, title=f"Course {number}")
    page = front.page
    page.set_viewport_size({"width": 390, "height": 640})
    front.open("/")
    page.get_by_role("link", name="Course 2", exact=True).scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    assert place > 640
    front.follow("Course 2")
    expect(page.get_by_role("heading", name="Course 2", level=1)).to_be_in_viewport()
    page.go_back()
    expect(page.get_by_role("link", name="Course 2", exact=True)).to_be_in_viewport()
    assert page.evaluate("scrollY") == place
    page.reload()
    expect(page.get_by_role("link", name="Course 2", exact=True)).to_be_visible()
    assert page.evaluate("scrollY") == place


def test_a_tab_shows_who_logged_in_in_another_one(front, learner, author, course):
    page, other = front.page, Front(front.page.context.new_page())
    front.log_in(learner)
    front.open("/profile")
    expect(page.get_by_label("City")).to_be_visible()
    other.log_in(author, login="two")
    expect(page.get_by_role("banner")).to_contain_text(author.first_name)
    expect(page.get_by_label("First name")).to_have_value(author.first_name)
    page.evaluate("localStorage.clear()")
    page.get_by_role("link", name="Payments").click()
    expect(page).to_have_url("/login?next=%2Fpayments")


def test_what_is_typed_while_a_list_is_loaded_stays(front, learner, course):
    page = front.page
    front.log_in(learner)
    held = []
    page.route("**/api/v1/catalog/courses?*", lambda route: held.append(route), times=1)
    page.goto("/")
    field = page.get_by_role("searchbox")
    field.fill("Bre")
    held.pop().continue_()
    expect(page.get_by_role("link", name="Bread")).to_be_visible()
    expect(field).to_have_value("Bre")
    field.press("Enter")
    expect(page).to_have_url("/?search=Bre")
    expect(field).to_be_focused()
    page.go_back()
    expect(field).to_have_value("")
