"""The learner's side, through the API."""

import pytest
from django.utils import timezone

from lms.models import Access, AccessSource, Completion, Course, Lesson, Subscription
from lms.services import accesses, learning
from lms.tests.factories import CourseFactory, LessonFactory
from project.common.api.responses import picture_shown

pytestmark = pytest.mark.django_db


def progress(completed, total, *, next_lesson_id):
    percent = completed * 100 // total if total else 0
    return {
        "progress": {"completed": completed, "total": total, "percent": percent},
        "next_lesson_id": next_lesson_id,
    }


def named(course):
    return {"id": course.pk, "title": course.title}


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
        done = api(learner).put(path)
        assert (done.status_code, done.json()) == (200, progress(1, 1, next_lesson_id=None))
    assert Completion.objects.count() == 1
    assert api(learner).get(f"learning/lessons/{lesson.pk}").json()["is_completed"] is True
    for _attempt in range(2):
        reopened = api(learner).delete(path)
        assert reopened.status_code == 200
        assert reopened.json() == progress(0, 1, next_lesson_id=lesson.pk)
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
    assert [(item["title"], item["course_id"], item["lesson_id"]) for item in items] == [
        ("Empty", empty.pk, None),
        ("Single", None, single.pk),
        ("Course", course.pk, None),
    ]
    assert [
        {"progress": item["progress"], "next_lesson_id": item["next_lesson_id"]} for item in items
    ] == [
        progress(0, 0, next_lesson_id=None),
        progress(1, 1, next_lesson_id=None),
        progress(1, 3, next_lesson_id=lessons[1].pk),
    ]
    assert [item["course"] for item in items] == [
        named(target) for target in (empty, single.course, course)
    ]


def test_a_single_lesson_that_is_not_completed_is_next(api, learner):
    lesson = LessonFactory.create(preview="lessons/a-40x30.webp")
    accesses.grant_access(user=learner, target=lesson, source=AccessSource.GRANT)
    (item,) = api(learner).get("learning/courses").json()["items"]
    assert item.items() >= progress(0, 1, next_lesson_id=lesson.pk).items()
    assert item["preview"] == picture_shown("lessons/a-40x30.webp")


def test_a_course_that_its_author_unpublished_stays_with_its_learners(
    api, author, learner, stranger
):
    course = CourseFactory.create(owner=author, published=True, price=10)
    lesson = LessonFactory.create(course=course)
    accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)
    api(author).patch(f"courses/{course.pk}", {"is_published": False})
    (item,) = api(learner).get("learning/courses").json()["items"]
    assert item["course_id"] == course.pk
    read = api(learner).get(f"learning/courses/{course.pk}").json()
    assert [one["has_access"] for one in read["lessons"]] == [True]
    assert api(learner).get(f"learning/lessons/{lesson.pk}").status_code == 200
    done = api(learner).put(f"learning/lessons/{lesson.pk}/completion")
    assert done.json() == progress(1, 1, next_lesson_id=None)
    assert api(stranger).get(f"learning/courses/{course.pk}").status_code == 404


def test_the_outline_tells_what_is_open_and_what_is_completed(api, learner, author, moderator):
    course = CourseFactory.create(
        title="Bread", owner=author, price=10, preview="courses/a-40x30.webp"
    )
    lessons = LessonFactory.create_batch(4, course=course)
    Lesson.objects.filter(pk=lessons[3].pk).update(is_preview=True)
    for lesson in lessons[1:3]:
        accesses.grant_access(user=learner, target=lesson, source=AccessSource.GRANT)
    api(learner).put(f"learning/lessons/{lessons[1].pk}/completion")
    read = api(learner).get(f"learning/courses/{course.pk}").json()
    assert read | {"lessons": []} == named(course) | {
        "summary": course.summary,
        "preview": picture_shown("courses/a-40x30.webp"),
        "lessons": [],
        **progress(1, 4, next_lesson_id=lessons[2].pk),
    }
    assert [(one["id"], one["has_access"], one["is_completed"]) for one in read["lessons"]] == [
        (lessons[0].pk, False, False),
        (lessons[1].pk, True, True),
        (lessons[2].pk, True, False),
        (lessons[3].pk, False, False),  # a preview is one while the course is published
    ]
    assert set(read["lessons"][0]) == {
        "id", "title", "position", "preview", "is_preview", "is_published", "has_access",
        "is_completed",
    }  # fmt: skip
    # A draft, as a learner would see it.
    for person in (author, moderator):
        seen = api(person).get(f"learning/courses/{course.pk}").json()
        assert {one["has_access"] for one in seen["lessons"]} == {True}
        assert seen["next_lesson_id"] == lessons[0].pk


def test_the_outline_has_a_tag_of_its_own_for_each_state(api, learner):
    lesson = LessonFactory.create(course__published=True)
    api(learner).post(f"learning/courses/{lesson.course_id}/enrollment")
    for path in (f"learning/courses/{lesson.course_id}", f"learning/lessons/{lesson.pk}"):
        known = {"If-None-Match": api(learner).get(path)["ETag"]}
        assert api(learner).get(path, headers=known).status_code == 304
        api(learner).put(f"learning/lessons/{lesson.pk}/completion")
        assert api(learner).get(path, headers=known).status_code == 200
        api(learner).delete(f"learning/lessons/{lesson.pk}/completion")


@pytest.mark.parametrize(
    "path", ["courses/{course}", "lessons/{lesson}", "lessons/{lesson}/completion"]
)
def test_who_has_no_access_is_told_what_the_course_costs(api, learner, path):
    course = CourseFactory.create(title="Bread", published=True, price=1990)
    lesson = LessonFactory.create(course=course, price=5)
    path = path.format(course=course.pk, lesson=lesson.pk)
    client = api(learner)
    refused = (client.put if "completion" in path else client.get)(f"learning/{path}")
    assert refused.status_code == 403
    assert refused.json()["code"] == "no_access"
    assert refused.json()["course"] == named(course) | {"price": "1990.00", "currency": "RUB"}


def test_a_preview_lesson_is_no_right_to_the_course(api, learner):
    lesson = LessonFactory.create(course__published=True, course__price=10, is_preview=True)
    assert api(learner).get(f"learning/courses/{lesson.course_id}").status_code == 403


def test_a_lesson_tells_its_video_and_its_neighbours(api, learner):
    course = CourseFactory.create(title="Bread")
    first, second, third, fourth = (
        LessonFactory.create(course=course, position=position) for position in range(4)
    )
    Lesson.objects.filter(pk=third.pk).update(
        video_url="https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=90", title="Third"
    )
    Lesson.objects.filter(pk=fourth.pk).update(video_url="")
    accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)

    def read(lesson):
        return api(learner).get(f"learning/lessons/{lesson.pk}").json()

    def around(lesson):
        shown = read(lesson)
        return shown["previous_lesson_id"], shown["next_lesson_id"]

    assert read(third)["video"] == {
        "provider": "youtube",
        "id": "dQw4w9WgXcQ",
        "start": 90,
        "embed_url": "https://www.youtube.com/embed/dQw4w9WgXcQ?start=90",
    }
    assert read(third)["course"] == named(course)
    assert (read(fourth)["video"], read(fourth)["video_url"]) == (None, None)
    assert around(first) == (None, second.pk)
    assert around(second) == (first.pk, third.pk)
    assert around(third) == (second.pk, fourth.pk)
    assert around(fourth) == (third.pk, None)
    # What one may not learn is passed over.
    Access.objects.update(revoked_at=timezone.now())
    for lesson in (first, fourth):
        accesses.grant_access(user=learner, target=lesson, source=AccessSource.GRANT)
    assert around(first) == (None, fourth.pk)
    assert around(fourth) == (first.pk, None)


def test_lessons_follow_each_other_in_the_order_of_the_course(api, learner):
    course = CourseFactory.create(published=True)
    for position in (2, 0, 3, 1):
        LessonFactory.create(course=course, position=position)
    api(learner).post(f"learning/courses/{course.pk}/enrollment")
    ids = list(course.lessons.order_by("position").values_list("pk", flat=True))
    for before, here, after in zip([None, *ids], ids, [*ids[1:], None], strict=False):
        shown = api(learner).get(f"learning/lessons/{here}").json()
        assert (shown["previous_lesson_id"], shown["next_lesson_id"]) == (before, after)
    for here, after in zip(ids, [*ids[1:], None], strict=True):
        done = api(learner).put(f"learning/lessons/{here}/completion").json()
        assert done["next_lesson_id"] == after
    outline = api(learner).get(f"learning/courses/{course.pk}").json()["lessons"]
    assert [lesson["id"] for lesson in outline] == ids


def test_who_leaves_a_free_course_can_come_back_to_where_they_were(api, learner):
    lesson = LessonFactory.create(course__published=True)
    path = f"learning/courses/{lesson.course_id}/enrollment"
    Subscription.objects.create(user=learner, course=lesson.course)
    api(learner).post(path)
    api(learner).put(f"learning/lessons/{lesson.pk}/completion")
    for _attempt in range(2):
        assert api(learner).delete(path).status_code == 204
    assert api(learner).get("learning/courses").json()["count"] == 0
    assert api(learner).get(f"learning/lessons/{lesson.pk}").status_code == 403
    assert Subscription.objects.filter(user=learner).exists()
    left = Access.objects.get()
    assert (left.revoked_at is None, left.revoked_reason) == (False, learning.LEFT)
    assert api(learner).post(path).status_code == 201
    (item,) = api(learner).get("learning/courses").json()["items"]
    assert item["progress"] == {"completed": 1, "total": 1, "percent": 100}


def test_who_leaves_one_course_stays_in_the_others_and_others_in_it(api, learner, stranger):
    left, other = CourseFactory.create_batch(2, published=True)
    for person in (learner, stranger):
        for course in (left, other):
            api(person).post(f"learning/courses/{course.pk}/enrollment")
    api(learner).delete(f"learning/courses/{left.pk}/enrollment")
    stay = set(Access.objects.active().values_list("user_id", "course_id"))
    assert stay == {(learner.pk, other.pk), (stranger.pk, left.pk), (stranger.pk, other.pk)}


def test_also_a_course_that_was_unpublished_or_got_a_price_can_be_left(api, learner):
    course = CourseFactory.create(published=True)
    path = f"learning/courses/{course.pk}/enrollment"
    api(learner).post(path)
    Course.objects.update(is_published=False, price=10)
    assert api(learner).delete(path).status_code == 204
    assert not Access.objects.active().exists()


@pytest.mark.parametrize("source", [AccessSource.PAYMENT, AccessSource.GRANT])
@pytest.mark.parametrize("with_enrolment", [True, False])
def test_a_course_that_was_paid_for_or_given_can_not_be_left(
    api, learner, stranger, source, with_enrolment
):
    course = CourseFactory.create(published=True)
    path = f"learning/courses/{course.pk}/enrollment"
    api(stranger).post(path)
    if with_enrolment:
        api(learner).post(path)
    accesses.grant_access(user=learner, target=course, source=source, reference="payment:1")
    refused = api(learner).delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "access_not_by_enrollment")
    assert not Access.objects.revoked().exists()
    assert api(stranger).delete(path).status_code == 204


@pytest.mark.parametrize("identifier", [0, 10**30])
def test_an_id_that_no_course_can_have_is_absent(api, learner, identifier):
    for kind in ("courses", "lessons"):
        assert api(learner).get(f"learning/{kind}/{identifier}").status_code == 404
    assert api(learner).delete(f"learning/courses/{identifier}/enrollment").status_code == 204


@pytest.mark.parametrize("rows", [2, 20])
def test_the_list_needs_the_same_queries_for_any_number_of_rows(
    api, learner, rows, django_assert_num_queries
):
    for lesson in LessonFactory.create_batch(rows):
        accesses.grant_access(user=learner, target=lesson.course, source=AccessSource.GRANT)
    client = api(learner)
    # The account; count; the page with what the rights are for; the progress in its courses.
    with django_assert_num_queries(4):
        assert len(client.get(f"learning/courses?page_size={rows}").json()["items"]) == rows


@pytest.mark.parametrize("rows", [2, 20])
def test_a_course_and_a_lesson_need_the_same_queries_for_any_number_of_lessons(
    api, learner, rows, django_assert_num_queries
):
    course = CourseFactory.create(published=True)
    lessons = LessonFactory.create_batch(rows, course=course)
    client = api(learner)
    client.post(f"learning/courses/{course.pk}/enrollment")
    # The account; the course with the progress; its outline.
    with django_assert_num_queries(3):
        assert len(client.get(f"learning/courses/{course.pk}").json()["lessons"]) == rows
    # The account; the lesson with its neighbours.
    with django_assert_num_queries(2):
        client.get(f"learning/lessons/{lessons[1].pk}")
