"""Lessons in authoring, through the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from lms.models import Lesson
from lms.models.materials import RENDERED_FIELDS
from lms.schemas.authoring import LessonChanges, LessonDetailsOut, LessonIn
from lms.schemas.learning import LearningLessonOut
from lms.tests.factories import CourseFactory, LessonFactory, course_with_lessons

pytestmark = pytest.mark.django_db

LESSON_FIELDS = {
    "id", "course_id", "title", "summary", "description", "description_html", "preview",
    "video_url", "video", "price", "currency", "position", "is_preview", "is_published",
    "abilities", "created_at", "updated_at",
}  # fmt: skip


def test_what_can_be_given_to_a_lesson_can_be_changed_and_is_shown():
    """A field that the model gets is in all three, or is missed here."""
    given = {"history", "preview", "created_at", "updated_at", "id", "searched", *RENDERED_FIELDS}
    fields = {field.attname for field in Lesson._meta.concrete_fields} - given
    assert fields == LessonIn.model_fields.keys() == LessonChanges.model_fields.keys()
    assert {*fields, *RENDERED_FIELDS} <= LessonDetailsOut.model_fields.keys()
    # What learners see is less: no word of sales.
    hidden = {"course_id", "price", "position"}
    assert fields - hidden <= LearningLessonOut.model_fields.keys()


def test_author_adds_a_lesson_and_reads_it_back(api, author):
    course = CourseFactory.create(owner=author)
    body = {"course_id": course.pk, "title": "Flour", "price": "150", "is_preview": True}
    created = api(author).post("lessons", body)
    assert created.status_code == 201
    read = api(author).get(f"lessons/{created.json()['id']}").json()
    assert read == created.json()
    assert set(read) == LESSON_FIELDS
    assert (read["price"], read["video_url"], read["is_preview"]) == ("150.00", None, True)
    assert read["abilities"] == {"update": True, "delete": True}


def in_order(course):
    """The titles of the lessons; that their positions are 0, 1, 2 … is asserted."""
    lessons = list(course.lessons.order_by("position").values_list("title", "position"))
    assert [position for _title, position in lessons] == [*range(len(lessons))]
    return "".join(title for title, _position in lessons)


@pytest.fixture
def course(author):
    return course_with_lessons("ABCD", owner=author)


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ({}, "ABCDN"),
        ({"position": None}, "ABCDN"),
        ({"position": 0}, "NABCD"),
        ({"position": 2}, "ABNCD"),
        ({"position": 4}, "ABCDN"),
        ({"position": 2**31 - 1}, "ABCDN"),
    ],
)
def test_a_new_lesson_comes_last_or_where_it_is_put_and_the_others_make_room(
    api, author, course, given, order
):
    added = api(author).post("lessons", {"course_id": course.pk, "title": "N"} | given)
    assert added.status_code == 201
    assert in_order(course) == order
    assert added.json()["position"] == order.index("N")


@pytest.mark.parametrize(
    ("title", "position", "order"),
    [("D", 0, "DABC"), ("A", 3, "BCDA"), ("B", 2, "ACBD"), ("C", 2, "ABCD"), ("A", 99, "BCDA")],
)
def test_a_lesson_that_is_moved_moves_the_others(api, author, course, title, position, order):
    lesson = course.lessons.get(title=title)
    entries = api(author).get(f"courses/{course.pk}/history").json()["count"]
    moved = api(author).patch(f"lessons/{lesson.pk}", {"position": position})
    assert moved.json()["position"] == order.index(title)
    assert in_order(course) == order
    more = api(author).get(f"courses/{course.pk}/history").json()["count"] - entries
    assert more == (1 if order != "ABCD" else 0)


def test_a_lesson_that_is_deleted_leaves_no_gap(api, author, course):
    api(author).delete(f"lessons/{course.lessons.get(title='B').pk}")
    assert in_order(course) == "ACD"


@pytest.mark.parametrize(("given", "order"), [({}, "XB"), ({"position": 0}, "BX")])
def test_a_lesson_that_moves_to_another_course_leaves_no_gap_and_gets_a_place(
    api, author, course, given, order
):
    other = LessonFactory.create(course__owner=author, title="X", position=0).course
    lesson = course.lessons.get(title="B")
    moved = api(author).patch(f"lessons/{lesson.pk}", {"course_id": other.pk} | given)
    assert moved.json()["position"] == order.index("B")
    assert in_order(course) == "ACD"
    assert in_order(other) == order


def test_a_lesson_is_added_to_an_own_course_only(api, stranger, moderator):
    course = CourseFactory.create(published=True)
    body = {"course_id": course.pk, "title": "Lesson"}
    assert api(stranger).post("lessons", body).status_code == 404
    assert api(moderator).post("lessons", body).status_code == 403
    assert not Lesson.objects.exists()


def test_a_lesson_moves_to_another_own_course(api, author):
    lesson = LessonFactory.create(course__owner=author)
    target = CourseFactory.create(owner=author)
    response = api(author).patch(f"lessons/{lesson.pk}", {"course_id": target.pk})
    assert response.json()["course_id"] == target.pk


def test_a_lesson_does_not_move_to_a_course_that_the_caller_does_not_own(api, author, moderator):
    lesson = LessonFactory.create(course__owner=author)
    foreign = CourseFactory.create(published=True)
    body = {"course_id": foreign.pk}
    assert api(author).patch(f"lessons/{lesson.pk}", body).status_code == 404
    assert api(moderator).patch(f"lessons/{lesson.pk}", body).status_code == 403
    lesson.refresh_from_db()
    assert lesson.course_id != foreign.pk


@pytest.mark.parametrize("course_id", [0, -1, 10**30, "x", None, 1.5, True, [1]])
def test_a_course_id_that_is_no_id_is_refused(api, author, course_id):
    response = api(author).post("lessons", {"course_id": course_id, "title": "Lesson"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "course_id"]


def test_price_and_video_can_be_taken_away_again(api, author):
    lesson = LessonFactory.create(course__owner=author, price=5)
    response = api(author).patch(f"lessons/{lesson.pk}", {"price": None, "video_url": None})
    assert (response.status_code, response.json()["price"]) == (200, None)
    assert response.json()["video_url"] is None


def test_a_change_of_a_lesson_is_an_update_of_its_course(api, author):
    long_ago = timezone.now() - timedelta(days=1)
    lesson = LessonFactory.create(
        course__owner=author, course__materials_updated_at=long_ago, course__updated_at=long_ago
    )
    api(author).patch(f"lessons/{lesson.pk}?notify=false", {"title": "Typo corrected"})
    lesson.course.refresh_from_db()
    assert lesson.course.materials_updated_at == long_ago
    assert lesson.course.updated_at > long_ago
    api(author).patch(f"lessons/{lesson.pk}", {"title": "Another title"})
    lesson.course.refresh_from_db()
    assert lesson.course.materials_updated_at > long_ago


def test_lessons_of_others_are_absent_and_moderators_see_all(api, author, stranger, moderator):
    lesson = LessonFactory.create(course__owner=author, course__is_published=True)
    for person, status, count in ((author, 200, 1), (stranger, 404, 0), (moderator, 200, 1)):
        assert api(person).get(f"lessons/{lesson.pk}").status_code == status
        assert api(person).get("lessons").json()["count"] == count


def test_lessons_are_filtered_by_course_and_ordered_by_position(api, author):
    course = CourseFactory.create(owner=author)
    late = LessonFactory.create(course=course, position=2)
    early = LessonFactory.create(course=course, position=1)
    LessonFactory.create(course__owner=author)
    response = api(author).get(f"lessons?course_id={course.pk}")
    assert [lesson["id"] for lesson in response.json()["items"]] == [early.pk, late.pk]


@pytest.mark.parametrize("rows", [2, 20])
def test_the_list_needs_the_same_queries_for_any_number_of_rows(
    api, author, rows, django_assert_num_queries
):
    for _number in range(rows):
        LessonFactory.create(course__owner=author)
    client = api(author)
    # The account; count; the page with its courses.
    with django_assert_num_queries(3):
        assert len(client.get(f"lessons?page_size={rows}").json()["items"]) == rows


def test_deleting_a_lesson_leaves_the_course(api, author):
    lesson = LessonFactory.create(course__owner=author)
    assert api(author).delete(f"lessons/{lesson.pk}").status_code == 204
    assert not Lesson.objects.exists()
    assert api(author).get(f"courses/{lesson.course_id}").status_code == 200
