"""What is entered in the admin and not saved is not lost: the session ends, the server fails, a tab is closed."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from lms.models import Course, Lesson
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory
from people.models import AdminSession, User
from people.tests.factories import PASSWORD

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def course(moderators: None) -> Course:
    course = CourseFactory.create(title="Bread", description="Rye", is_published=True)
    for place, title in enumerate(["Flour", "Water"]):
        LessonFactory.create(course=course, title=title, position=place)
    return course


def log_in(page: Page, person: User) -> None:
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_label("Password")).to_have_count(0)


def change_page(course: Course) -> str:
    return f"/admin/lms/course/{course.pk}/change/"


def edit_all_over(page: Page, course: Course) -> None:
    """A field of the course, one of a lesson, a new lesson, and the order."""
    page.goto(change_page(course))
    page.locator("#id_title").fill("Rolls")
    page.get_by_role("button", name="Water", exact=True).click()
    water = page.locator(f"#lesson-{Lesson.objects.get(title='Water').pk}")
    water.get_by_label("Description").fill("Not too cold")
    water.locator(".parta-handle").press("Home")
    page.get_by_role("link", name="Add a lesson").click()
    page.locator("#id_new-1-title").fill("Salt")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def assert_saved_once(course: Course) -> None:
    course.refresh_from_db()
    assert course.title == "Rolls"
    lessons = course.lessons.order_by("position").values_list("title", "description")
    assert [title for title, _text in lessons] == ["Water", "Flour", "Salt"]
    assert lessons[0][1] == "Not too cold"


def test_what_was_entered_survives_the_end_of_the_session_and_is_saved_once(
    page: Page, course: Course, administrator: User
) -> None:
    page.goto("/admin/")
    log_in(page, administrator)
    edit_all_over(page, course)
    Session.objects.all().delete()
    save(page)
    log_in(page, administrator)
    restored = page.get_by_text("You had not saved this.")
    expect(restored).to_be_visible()
    expect(page.locator("#id_title")).to_have_value("Rolls")
    expect(page.get_by_text("Meanwhile")).to_have_count(0)
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert_saved_once(course)
    page.goto(change_page(course))
    expect(page.locator("#id_title")).to_have_value("Rolls")
    expect(restored).to_have_count(0)
    assert course.lessons.count() == 3


def test_who_closes_the_tab_finds_it_again_and_nobody_else_does(
    page: Page, enter, course: Course, moderator: User, administrator: User
) -> None:
    enter(administrator)
    edit_all_over(page, course)
    expect(page.locator(".parta-edited")).to_have_count(2)
    page.context.new_page().goto("/admin/")
    page.close(run_before_unload=False)
    page = page.context.pages[0]
    restored = page.get_by_text("You had not saved this.")
    enter(moderator)
    page.goto(change_page(course))
    expect(page.locator("#id_title")).to_have_value("Bread")
    expect(restored).to_have_count(0)
    enter(administrator)
    page.goto(change_page(course))
    expect(page.locator("#id_new-1-title")).to_have_value("Salt")
    page.get_by_role("button", name="Discard").click()
    expect(page.locator("#id_title")).to_have_value("Bread")
    expect(restored).to_have_count(0)
    page.locator("#id_title").fill("Rolls")
    page.wait_for_function("localStorage.length > 0")
    page.on("dialog", lambda dialog: dialog.accept())  # what is not saved
    page.evaluate("document.querySelector('form[action$=\"/logout/\"]').requestSubmit()")
    expect(page.get_by_text("Log in again")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('parta.'))") == []


def test_what_somebody_saved_meanwhile_stands_beside_what_was_entered(
    page: Page, enter, course: Course, moderator: User
) -> None:
    enter(moderator)
    page.goto(change_page(course))
    page.locator("#id_title").fill("Rolls")
    page.locator("#id_description").fill("Oats")
    AdminSession.objects.all().delete()
    save(page)
    authoring.update_course(course=course, changes={"title": "Buns"}, by=course.owner)
    log_in(page, moderator)
    expect(page.get_by_text("Meanwhile somebody has changed this.")).to_be_visible()
    expect(page.locator("#id_title")).to_have_value("Rolls")
    expect(page.get_by_text("Saved now: Buns")).to_be_visible()
    expect(page.get_by_text("Saved now: Rye")).to_have_count(0)
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    course.refresh_from_db()
    assert (course.title, course.description) == ("Rolls", "Oats")


def test_what_was_chosen_from_a_list_that_is_searched_is_there_again(
    page: Page, enter, course: Course, administrator: User
) -> None:
    enter(administrator)
    page.goto("/admin/lms/lesson/add/")
    chosen = page.locator("#select2-id_course-container")
    chosen.click()
    page.get_by_role("option", name="Bread").click()
    page.wait_for_function("Object.keys(localStorage).some(key => key.startsWith('parta.entered'))")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_text("You had not saved this.")).to_be_visible()
    expect(chosen).to_contain_text("Bread")


def test_the_second_step_leads_back_to_the_form_that_was_sent(
    client_of: Any, administrator: User, settings: Any
) -> None:
    client = client_of(administrator)
    client.get("/admin/")
    settings.SECOND_FACTOR_ROLES = ["administrators"]
    response = client.post("/admin/school/school/1/change/?x=1", {"name": "Oak"})
    assert response["Location"].endswith("?next=%2Fadmin%2Fschool%2Fschool%2F1%2Fchange%2F%3Fx%3D1")
    assert "parta_taken" not in response.cookies


def test_only_what_was_done_counts_as_taken(client_of: Any, administrator: User) -> None:
    address = "/admin/people/role/add/"
    client = client_of(administrator)
    done = client.post(address, {"name": "Tutors"})
    assert done.cookies["parta_taken"].value == "%2Fadmin%2Fpeople%2Frole%2Fadd%2F"
    assert done.cookies["parta_taken"]["max-age"] == 60
    client.cookies.pop("parta_taken")
    refused = client.post(address, {"name": ""})
    assert "parta_taken" not in refused.cookies
    asked = client.get("/admin/payments/closedmonth/2020-02/")
    assert "parta_taken" not in asked.cookies
    stranger = client_of(None).post(address, {"name": "Tutors"})
    assert stranger.status_code == 302
    assert "parta_taken" not in stranger.cookies
