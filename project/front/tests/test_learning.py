"""The learner's screens: what one learns, the outline of a course, a lesson."""

import pytest
from playwright.sync_api import expect

from lms.models import AccessSource, Course
from lms.services.accesses import grant_access
from lms.services.learning import complete_lesson, enroll
from lms.tests.factories import CourseFactory, LessonFactory, course_with_lessons

pytestmark = [pytest.mark.browser, pytest.mark.any_database]

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenfarbe" * 2
MATERIAL = f"""
# Bread

{LONG} and `{LONG}`

    print("{LONG}")
"""


@pytest.fixture
def course(author, learner) -> Course:
    course = course_with_lessons(
        ["Flour", "Water", "Salt"], owner=author, title="Bread", published=True
    )
    enroll(user=learner, course=course)
    return course


def test_learner_goes_from_the_list_through_all_lessons(front, learner, course):
    complete_lesson(user=learner, lesson=course.lessons.get(title="Flour"))
    page = front.page
    front.log_in(learner)
    front.open("/learn")
    expect(page.get_by_role("listitem")).to_contain_text("1 of 3 completed")
    assert front.requests == ["GET learning/courses"]
    front.check()

    front.follow("Continue")
    expect(page.get_by_role("heading", name="Water")).to_be_focused()
    assert front.requests == [f"GET learning/lessons/{course.lessons.get(title='Water').pk}"]
    front.check()

    page.get_by_role("button", name="Mark as completed").press("Enter")
    onward = page.get_by_role("link", name="Go on")
    expect(onward).to_be_focused()
    expect(page.get_by_text("2 of 3 completed")).to_be_visible()
    assert len(front.requests) == 2
    front.check()
    onward.press("Enter")
    expect(page.get_by_role("heading", name="Salt")).to_be_focused()

    page.get_by_role("button", name="Mark as completed").click()
    expect(page.get_by_text("You have completed the course")).to_be_visible()
    page.get_by_role("button", name="Not completed after all").click()
    expect(page.get_by_role("button", name="Mark as completed")).to_be_focused()
    front.follow("Previous lesson")
    expect(page.get_by_role("heading", name="Water")).to_be_focused()
    expect(page.get_by_text("Lesson completed")).to_be_visible()


def test_the_outline_says_of_each_lesson_what_it_is_and_lets_one_leave(front, learner, course):
    course.lessons.filter(title="Flour").update(is_preview=True)
    complete_lesson(user=learner, lesson=course.lessons.get(title="Water"))
    page = front.page
    front.log_in(learner)
    front.open(f"/learn/{course.pk}")
    rows = page.get_by_role("listitem")
    expect(rows).to_have_text([r"1Flouropen to everybody", "✓Water", "3Salt"])
    assert front.requests == [f"GET learning/courses/{course.pk}"]
    front.check()
    page.get_by_role("button", name="Leave the course").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave the course").click()
    expect(page.get_by_text("You have left the course")).to_be_visible()
    expect(page.get_by_text("You are not learning anything yet.")).to_be_visible()
    expect(page).to_have_url("/learn")
    front.check()
    front.follow("Find a course")
    expect(page).to_have_url("/")


def test_what_was_given_can_not_be_left_and_that_is_said(front, learner, author):
    course = course_with_lessons(["Flour"], owner=author, published=True, price="10.00")
    grant_access(user=learner, target=course, source=AccessSource.GRANT)
    front.log_in(learner)
    front.open(f"/learn/{course.pk}")
    front.page.get_by_role("button", name="Leave the course").click()
    front.page.get_by_role("dialog").get_by_role("button", name="Leave the course").click()
    expect(front.page.get_by_text("Only a free enrolment can be left")).to_be_visible()


@pytest.mark.parametrize("path", ["/learn/{course}", "/learn/{course}/{lesson}"])
def test_without_access_the_way_leads_to_the_course_and_its_price(front, learner, author, path):
    course = course_with_lessons(
        ["Flour"], owner=author, title="Bread", published=True, price="10.00"
    )
    front.log_in(learner)
    front.open(path.format(course=course.pk, lesson=course.lessons.get().pk))
    expect(front.page.get_by_role("heading", name="Bread")).to_be_visible()
    expect(front.page.locator("main")).to_contain_text("10")
    expect(front.page.get_by_role("link", name="To the course")).to_have_attribute(
        "href", f"/courses/{course.pk}"
    )
    front.check()


def test_a_single_lesson_and_a_lesson_that_is_not_open_look_different(front, learner, author):
    course = course_with_lessons(["Flour", "Water"], owner=author, title="Bread", price="10.00")
    single = course.lessons.get(title="Water")
    grant_access(user=learner, target=single, source=AccessSource.GRANT)
    Course.objects.update(is_published=True)
    front.log_in(learner)
    front.open("/learn")
    expect(front.page.get_by_text("A lesson of “Bread”")).to_be_visible()
    front.open(f"/learn/{course.pk}")
    expect(front.page.get_by_role("listitem")).to_have_text(["1FlourNot open to you", "2Water"])


def test_a_video_is_asked_of_youtube_after_a_click_and_there_is_a_way_round_it(front, author):
    lesson = LessonFactory.create(
        course__owner=author,
        title="Flour",
        video_url="https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=90s",
    )
    page = front.page
    front.log_in(author)
    front.open(f"/learn/{lesson.course_id}/{lesson.pk}")
    expect(page.get_by_role("link", name="Watch it there")).to_have_attribute(
        "href", "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=90s"
    )
    assert front.requests == [f"GET learning/lessons/{lesson.pk}"]
    page.get_by_role("button", name="Play the video").press("Enter")
    frame = page.locator("iframe")
    expect(frame).to_be_focused()
    expect(frame).to_have_attribute("title", "Flour")
    embedded = "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?start=90&autoplay=1"
    assert front.requests[1:] == [embedded]
    front.check()


def test_the_address_of_a_lesson_gets_its_right_course(front, author):
    lesson = LessonFactory.create(course__owner=author, title="Flour")
    front.log_in(author)
    front.open(f"/learn/{CourseFactory.create().pk}/{lesson.pk}")
    expect(front.page).to_have_url(f"/learn/{lesson.course_id}/{lesson.pk}")
    expect(front.page.get_by_role("heading", name="Flour")).to_be_visible()


@pytest.mark.parametrize("path", ["/learn/5/x", "/learn/x", "/learn/77", "/learn/5/77"])
def test_what_there_is_not_is_said(front, learner, path):
    front.log_in(learner)
    front.open(path)
    expect(front.page.get_by_role("heading", name="There is nothing here")).to_be_visible()


def test_a_draft_is_marked_and_wide_material_stays_within_a_phone(front, author):
    lesson = LessonFactory.create(
        course__owner=author, is_published=False, video_url="", description=MATERIAL
    )
    front.page.set_viewport_size({"width": 320, "height": 640})
    front.log_in(author)
    front.open(f"/learn/{lesson.course_id}/{lesson.pk}")
    expect(front.page.locator("main")).to_contain_text("draft")
    front.check()
