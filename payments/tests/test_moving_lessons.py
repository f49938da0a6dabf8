"""A lesson that is paid for stays in its course, so that who bought the course keeps it."""

import pytest

from lms.models import Lesson
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import PaymentStatus
from payments.tests.factories import PaymentFactory, place

pytestmark = pytest.mark.django_db

KEEPING = {"pending", "processing", "paid"}


@pytest.fixture
def lesson(author):
    return LessonFactory.create(course__owner=author, course__published=True)


@pytest.fixture
def elsewhere(author):
    return CourseFactory.create(owner=author)


def pay(target, status):
    traits = {status: True} if status in {"paid", "refunded"} else {"status": status}
    return PaymentFactory.create(**place(target), **traits)


@pytest.mark.parametrize("of", ["course", "lesson"])
@pytest.mark.parametrize("status", PaymentStatus.values)
def test_a_lesson_moves_only_if_nobody_has_paid_or_is_about_to(
    api, author, lesson, elsewhere, status, of
):
    pay(lesson.course if of == "course" else lesson, status)
    here = lesson.course_id
    response = api(author).patch(f"lessons/{lesson.pk}", {"course_id": elsewhere.pk})
    lesson.refresh_from_db()
    if status in KEEPING:
        assert (response.status_code, response.json()["code"]) == (409, "has_payments")
        assert lesson.course_id == here
    else:
        assert response.status_code == 200
        assert lesson.course_id == elsewhere.pk


@pytest.mark.parametrize("status", PaymentStatus.values)
def test_a_lesson_of_a_course_that_somebody_has_paid_for_is_not_deleted(
    api, author, lesson, status
):
    pay(lesson.course, status)
    response = api(author).delete(f"lessons/{lesson.pk}")
    assert response.status_code == (409 if status in KEEPING else 204)


def test_a_lesson_that_is_paid_for_is_changed_where_it_is(api, author, lesson):
    pay(lesson.course, "paid")
    PaymentFactory.create(paid=True)
    body = {"course_id": lesson.course_id, "title": "Flour"}
    assert api(author).patch(f"lessons/{lesson.pk}", body).status_code == 200


def test_a_lesson_that_somebody_moved_there_meanwhile_is_changed_there(author, lesson, elsewhere):
    Lesson.objects.filter(pk=lesson.pk).update(course=elsewhere)
    pay(elsewhere, "paid")
    changes = {"course": elsewhere, "title": "Flour"}
    authoring.update_lesson(lesson=lesson, changes=changes, by=author)
    lesson.refresh_from_db()
    assert (lesson.course, lesson.title) == (elsewhere, "Flour")


def test_what_is_paid_elsewhere_keeps_no_lesson(api, author, lesson, elsewhere):
    pay(LessonFactory.create(course=lesson.course), "paid")
    pay(elsewhere, "paid")
    body = {"course_id": elsewhere.pk}
    assert api(author).patch(f"lessons/{lesson.pk}", body).status_code == 200


@pytest.mark.parametrize("status", ["paid", "processing", "expired"])
def test_the_admin_moves_no_lesson_that_is_paid_for(
    client_of, administrator, lesson, elsewhere, status
):
    pay(lesson.course, status)
    here = lesson.course_id
    form = {
        "course": elsewhere.pk, "title": lesson.title, "description": lesson.description,
        "video_url": lesson.video_url, "price": "", "position": lesson.position,
    }  # fmt: skip
    response = client_of(administrator).post(f"/admin/lms/lesson/{lesson.pk}/change/", form)
    lesson.refresh_from_db()
    if status == "expired":
        assert (response.status_code, lesson.course_id) == (302, elsewhere.pk)
    else:
        assert lesson.course_id == here
        assert "paid for this lesson or its course" in response.text
