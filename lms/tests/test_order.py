"""The lessons of a course are put in order at once, through the API and the admin."""

from typing import Any

import pytest
from django.urls import reverse

from lms.models import CourseChange, Lesson
from lms.services import ordering
from lms.tests.factories import CourseFactory, LessonFactory, course_with_lessons

pytestmark = pytest.mark.django_db


@pytest.fixture
def course(author):
    return course_with_lessons("ABC", owner=author, published=True)


def ids(course: Any, order: str) -> list[int]:
    keys = dict(course.lessons.values_list("title", "pk"))
    return [keys[title] for title in order]


def order_of(course: Any) -> str:
    return "".join(course.lessons.order_by("position").values_list("title", flat=True))


def put(client: Any, course: Any, lesson_ids: list[int]) -> Any:
    return client.put(f"courses/{course.pk}/lessons/order", {"lesson_ids": lesson_ids})


def test_the_last_lesson_is_put_first(api, author, course):
    answer = put(api(author), course, ids(course, "CAB"))
    assert answer.status_code == 200
    assert [lesson["title"] for lesson in answer.json()["lessons"]] == ["C", "A", "B"]
    assert [lesson["position"] for lesson in answer.json()["lessons"]] == [0, 1, 2]
    assert order_of(course) == "CAB"


def test_an_order_is_one_entry_in_the_history_and_told_to_nobody(api, author, course):
    before = api(author).get(f"courses/{course.pk}/history").json()["count"]
    put(api(author), course, ids(course, "CBA"))
    history = api(author).get(f"courses/{course.pk}/history").json()
    assert history["count"] == before + 1
    change = history["items"][0]
    assert (change["kind"], change["lesson_id"]) == ("changed", None)
    assert change["by"] == {"id": author.pk, "first_name": author.first_name}
    assert change["fields"] == [{"name": "lessons", "before": "A\nB\nC", "after": "C\nB\nA"}]
    assert not CourseChange.objects.exists()


def test_a_lesson_that_is_put_elsewhere_is_one_entry_and_told_to_nobody(api, author, course):
    [last] = ids(course, "C")
    for place in (0, 0):
        api(author).patch(f"lessons/{last}", {"position": place})
    assert order_of(course) == "CAB"
    change, before = api(author).get(f"courses/{course.pk}/history").json()["items"][:2]
    assert change["by"] == {"id": author.pk, "first_name": author.first_name}
    assert change["fields"] == [{"name": "lessons", "before": "A\nB\nC", "after": "C\nA\nB"}]
    assert before["kind"] == "created"
    assert not CourseChange.objects.exists()


def test_the_order_that_there_is_changes_nothing(api, author, course):
    before = api(author).get(f"courses/{course.pk}").json()
    assert put(api(author), course, ids(course, "ABC")).json() == before
    assert course.history.count() == 1


def test_what_are_not_exactly_the_lessons_of_the_course_is_refused(api, author, course):
    foreign = LessonFactory.create(course__owner=author)
    right = ids(course, "CBA")
    for wrong in (
        [],
        right[:2],
        [*right, right[0]],
        [*right, foreign.pk],
        [*right[:2], foreign.pk],
    ):
        answer = put(api(author), course, wrong)
        assert (answer.status_code, answer.json()["code"]) == (409, "lessons_changed")
    assert order_of(course) == "ABC"


def test_an_edit_after_an_order_does_not_tell_of_the_order(api, author, course):
    put(api(author), course, ids(course, "CBA"))
    lesson = Lesson.objects.get(title="A")
    api(author).patch(f"lessons/{lesson.pk}", {"title": "Flour"})
    change = api(author).get(f"courses/{course.pk}/history").json()["items"][0]
    assert [field["name"] for field in change["fields"]] == ["title"]


def test_putting_fifty_lessons_in_order_takes_as_many_queries_as_five(
    api, author, django_assert_max_num_queries
):
    for number in (5, 50):
        course = CourseFactory.create(owner=author)
        LessonFactory.create_batch(number, course=course)
        lessons = list(course.lessons.order_by("-position").values_list("pk", flat=True))
        # The person; the course to be changed; savepoints; the course locked, its lessons, their
        # places, the entry in the history, the time of the course; course and lessons as read.
        with django_assert_max_num_queries(13):
            assert put(api(author), course, lessons).status_code == 200


def test_the_order_is_put_back_while_the_lessons_are_the_same(client_of, moderator, author, course):
    ordering.order_lessons(course=course, lesson_ids=ids(course, "CBA"), by=author)
    address = reverse(
        "admin:lms_course_put_back",
        args=[course.pk, course.history.latest("history_id").history_id],
    )
    client = client_of(moderator)
    client.post(address)
    assert order_of(course) == "ABC"
    ordering.order_lessons(course=course, lesson_ids=ids(course, "CBA"), by=author)
    course.lessons.get(title="A").delete()
    answer = client.post(address, follow=True)
    assert str(ordering.LessonsChanged.message) in answer.content.decode()
    assert order_of(course) == "CB"


def test_the_history_tells_an_order_by_the_titles_of_now_and_numbers_of_what_is_gone(
    api, author, course
):
    a, b, _c = ids(course, "ABC")
    put(api(author), course, ids(course, "CBA"))
    api(author).patch(f"lessons/{b}", {"title": "Bread"})
    api(author).delete(f"lessons/{a}")
    history = api(author).get(f"courses/{course.pk}/history").json()["items"]
    [order] = [one for one in history if one["fields"] and one["fields"][0]["name"] == "lessons"]
    told = {"name": "lessons", "before": f"№ {a}\nBread\nC", "after": f"C\nBread\n№ {a}"}
    assert order["fields"] == [told]


def test_the_history_in_the_admin_tells_of_an_order(client_of, moderator, author, course):
    ordering.order_lessons(course=course, lesson_ids=ids(course, "CBA"), by=author)
    page = client_of(moderator).get(reverse("admin:lms_course_history", args=[course.pk]))
    assert "Order of lessons" in page.content.decode()
