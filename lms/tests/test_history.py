"""Who changed what in a course: kept with every change, told to its author and to moderators."""

import pytest
from django.core.management import call_command

from lms import services
from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory


def test_author_sees_what_a_moderator_changed(api, author, moderator):
    course = CourseFactory.create(owner=author, title="Bread")
    api(moderator).patch(f"courses/{course.pk}", {"title": "Better bread", "price": "990.00"})

    page = api(author).get(f"courses/{course.pk}/history").json()

    change = page["items"][0]
    assert change["by"] == {"id": moderator.pk, "first_name": "Mira"}
    assert (change["kind"], change["lesson_id"]) == ("changed", None)
    assert change["fields"] == [
        {"name": "title", "before": "Bread", "after": "Better bread"},
        {"name": "price", "before": "0.00", "after": "990.00"},
    ]
    assert page["count"] == 2
    assert page["items"][1]["kind"] == "created"


def test_a_lesson_s_whole_life_is_in_the_history_of_its_course(api, author):
    course = CourseFactory.create(owner=author)
    client = api(author)
    lesson = client.post("lessons", {"course_id": course.pk, "title": "Flour"}).json()
    client.patch(f"lessons/{lesson['id']}", {"is_preview": True})
    client.delete(f"lessons/{lesson['id']}")

    changes = client.get(f"courses/{course.pk}/history").json()["items"]

    kinds = [(change["kind"], change["lesson_id"]) for change in changes]
    assert kinds == [
        ("deleted", lesson["id"]),
        ("changed", lesson["id"]),
        ("created", lesson["id"]),
        ("created", None),
    ]
    assert changes[1]["fields"] == [{"name": "is_preview", "before": False, "after": True}]
    assert {"name": "title", "before": "Flour", "after": None} in changes[0]["fields"]
    assert all(change["by"]["id"] == author.pk for change in changes[:3])


def test_a_change_that_changes_nothing_is_not_kept(api, author):
    course = CourseFactory.create(owner=author, title="Bread")
    lesson = LessonFactory.create(course=course)
    api(author).patch(f"courses/{course.pk}", {"title": "Bread"})
    api(author).patch(f"lessons/{lesson.pk}", {"title": "Water"})
    # The course got a new time by the change of its lesson, which is no change of the course.
    assert Course.history.filter(id=course.pk).count() == 1


@pytest.mark.parametrize(("who", "status"), [("stranger", 404), ("administrator", 200)])
def test_history_is_seen_by_those_who_may_change_the_course(api, author, who, status, request):
    course = CourseFactory.create(owner=author, published=True)
    user = request.getfixturevalue(who)
    assert api(user).get(f"courses/{course.pk}/history").status_code == status
    assert api(None).get(f"courses/{course.pk}/history").status_code == 401


def test_rows_of_a_fixture_have_a_first_state(author, api, tmp_path, db):
    course = CourseFactory.create(owner=author, title="Bread")
    file = tmp_path / "courses.json"
    call_command("dumpdata", "lms.course", output=str(file), verbosity=0)
    Course.history.all().delete()
    call_command("loaddata", str(file), verbosity=0)
    services.update_course(course=course, changes={"title": "Rye"}, by=author)
    change = api(author).get(f"courses/{course.pk}/history").json()["items"][0]
    assert change["fields"] == [{"name": "title", "before": "Bread", "after": "Rye"}]
    assert change["by"]["id"] == author.pk


def test_pages_of_changes_follow_each_other(api, author):
    course = CourseFactory.create(owner=author)
    for number in range(4):
        services.update_course(course=course, changes={"title": f"Bread {number}"}, by=author)
    second = api(author).get(f"courses/{course.pk}/history?page=2&page_size=2").json()
    assert (second["count"], second["pages"]) == (5, 3)
    assert [change["fields"][0]["after"] for change in second["items"]] == ["Bread 1", "Bread 0"]


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_a_page_of_changes_do_not_grow(
    api, author, moderator, number, django_assert_num_queries
):
    course = CourseFactory.create(owner=author)
    lessons = LessonFactory.create_batch(2, course=course)
    for turn in range(number):
        services.update_course(course=course, changes={"title": f"Bread {turn}"}, by=author)
        for lesson in lessons:
            services.update_lesson(lesson=lesson, changes={"title": f"Flour {turn}"}, by=author)
    Lesson.history.update(history_user=moderator)
    # 1 caller, 2 course, 3 its lessons, 4 count, 5 keys of the page, 6 states of the course,
    # 7 states before them, 8 and 9 the same of lessons.
    size = 3 + 3 * number
    with django_assert_num_queries(9):
        page = api(author).get(f"courses/{course.pk}/history?page_size={size}").json()
    assert len(page["items"]) == size


def test_a_change_outside_of_requests_is_signed_too(author, moderator):
    course = services.create_course(owner=author, fields={"title": "Bread"})
    services.update_course(course=course, changes={"title": "Buns"}, by=moderator)
    lesson = services.create_lesson(course=course, fields={"title": "Flour"}, by=author)
    services.update_lesson(lesson=lesson, changes={"title": "Rye"}, by=moderator)
    services.delete_lesson(lesson=lesson, by=author)
    services.delete_course(course=course, by=author)
    signed = [
        list(model.history.order_by("history_id").values_list("history_user", flat=True))
        for model in (Course, Lesson)
    ]
    assert signed == [[author.pk, moderator.pk, author.pk]] * 2
