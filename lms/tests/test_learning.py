"""The learner's side, through the API."""

import pytest

from lms.models import Access, AccessSource, Completion
from lms.services import accesses
from lms.tests.factories import CourseFactory, LessonFactory

pytestmark = pytest.mark.django_db


def test_a_free_course_is_open_after_enrolment(api, learner):
    lesson = LessonFactory.create(course__published=True)
    assert api(learner).get(f"learning/lessons/{lesson.pk}").json()["code"] == "no_access"
    path = f"learning/courses/{lesson.course_id}/enrollment"
    first, second = api(learner).post(path), api(learner).post(path)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == {"course_id": lesson.course_id, "has_access": True}
    read = api(learner).get(f"learning/lessons/{lesson.pk}")
    assert (read.status_code, read.json()["video_url"]) == (200, lesson.video_url)
    assert Access.objects.count() == 1


def test_a_course_with_a_price_has_to_be_paid_for(api, learner, author):
    course = CourseFactory.create(published=True, price=10, owner=author)
    path = f"learning/courses/{course.pk}/enrollment"
    response = api(learner).post(path)
    assert (response.status_code, response.json()["code"]) == (402, "payment_required")
    assert not Access.objects.exists()
    assert api(author).post(path).status_code == 200


def test_a_draft_takes_no_enrolments(api, learner):
    course = CourseFactory.create()
    assert api(learner).post(f"learning/courses/{course.pk}/enrollment").status_code == 404


def test_a_preview_lesson_of_a_published_course_is_open_to_everyone(api, learner):
    lesson = LessonFactory.create(course__published=True, course__price=10, is_preview=True)
    assert api(learner).get(f"learning/lessons/{lesson.pk}").status_code == 200


def test_a_right_survives_that_the_course_becomes_a_draft_again(api, learner):
    lesson = LessonFactory.create(course__price=10)
    other = LessonFactory.create(course=lesson.course)
    accesses.grant_access(user=learner, target=lesson, source=AccessSource.GRANT)
    assert api(learner).get(f"learning/lessons/{lesson.pk}").status_code == 200
    assert api(learner).get(f"learning/lessons/{other.pk}").status_code == 404
    assert api(learner).get(f"catalog/courses/{lesson.course_id}").status_code == 404


def test_owner_and_moderator_learn_without_a_row(api, author, moderator):
    lesson = LessonFactory.create(course__owner=author)
    for person in (author, moderator):
        assert api(person).get(f"learning/lessons/{lesson.pk}").status_code == 200
        assert api(person).get("learning/courses").json()["count"] == 0


def test_taking_back_one_right_leaves_the_others(api, learner):
    lesson = LessonFactory.create(course__published=True, course__price=10)
    give = {"user": learner, "target": lesson.course}
    accesses.grant_access(**give, source=AccessSource.PAYMENT, reference="payment:1")
    accesses.grant_access(**give, source=AccessSource.PAYMENT, reference="payment:2")
    assert accesses.revoke_access(reference="payment:1", reason="refund") is True
    assert accesses.revoke_access(reference="payment:1", reason="refund") is False
    assert api(learner).get(f"learning/lessons/{lesson.pk}").status_code == 200
    accesses.revoke_access(reference="payment:2", reason="refund")
    assert api(learner).get(f"learning/lessons/{lesson.pk}").status_code == 403


def test_a_reference_gives_one_right_however_often_it_comes(learner):
    course = CourseFactory.create()
    give = {"user": learner, "target": course, "source": AccessSource.PAYMENT}
    first, was_new = accesses.grant_access(**give, reference="payment:1")
    second, was_new_again = accesses.grant_access(**give, reference="payment:1")
    assert (first, was_new, was_new_again) == (second, True, False)


def test_completing_and_reopening_are_idempotent(api, learner):
    lesson = LessonFactory.create(course__published=True, is_preview=True)
    path = f"learning/lessons/{lesson.pk}/completion"
    for _attempt in range(2):
        assert api(learner).put(path).status_code == 204
    assert Completion.objects.count() == 1
    assert api(learner).get(f"learning/lessons/{lesson.pk}").json()["is_completed"] is True
    for _attempt in range(2):
        assert api(learner).delete(path).status_code == 204
    assert not Completion.objects.exists()


@pytest.mark.parametrize("method", ["put", "delete"])
def test_a_lesson_without_access_can_not_be_completed(api, learner, method):
    lesson = LessonFactory.create(course__published=True)
    response = getattr(api(learner), method)(f"learning/lessons/{lesson.pk}/completion")
    assert (response.status_code, response.json()["code"]) == (403, "no_access")


def test_what_one_learns_is_listed_with_the_progress(api, learner, stranger):
    course = CourseFactory.create(title="Course")
    lessons = LessonFactory.create_batch(3, course=course)
    single = LessonFactory.create(title="Single")
    empty = CourseFactory.create(title="Empty")
    for target in (course, single, empty, lessons[0]):
        accesses.grant_access(user=learner, target=target, source=AccessSource.GRANT)
    accesses.grant_access(
        user=learner, target=course, source=AccessSource.PAYMENT, reference="payment:1"
    )
    for person, lesson in ((learner, lessons[0]), (learner, single), (stranger, lessons[1])):
        Completion.objects.create(user=person, lesson=lesson)
    items = api(learner).get("learning/courses").json()["items"]
    assert [
        (item["title"], item["course_id"], item["lesson_id"], item["progress"]) for item in items
    ] == [
        ("Empty", empty.pk, None, {"completed": 0, "total": 0, "percent": 0}),
        ("Single", None, single.pk, {"completed": 1, "total": 1, "percent": 100}),
        ("Course", course.pk, None, {"completed": 1, "total": 3, "percent": 33}),
    ]


@pytest.mark.parametrize("rows", [2, 20])
def test_the_list_needs_the_same_queries_for_any_number_of_rows(
    api, learner, rows, django_assert_num_queries
):
    for lesson in LessonFactory.create_batch(rows):
        accesses.grant_access(user=learner, target=lesson.course, source=AccessSource.GRANT)
    client = api(learner)
    # The account; count; the page with what the rights are for.
    with django_assert_num_queries(3):
        assert len(client.get(f"learning/courses?page_size={rows}").json()["items"]) == rows
