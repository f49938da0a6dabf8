"""A lesson is published or unpublished at the moment at which somebody buys or completes it: one of
the two comes first, and nothing of the other is lost."""

from functools import partial

import pytest

from lms.models import Access, AccessSource, Completion, CourseChange, Lesson
from lms.services import accesses, authoring
from lms.tests.factories import LessonFactory
from payments.models import Payment
from payments.services import staff
from project.tests.races import at_once, meanwhile, statuses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lesson(author):
    return LessonFactory.create(course__owner=author, course__published=True, price=100)


@pytest.fixture
def publish(lesson, author):
    """Make it published or a draft."""

    def change(is_published):
        changes = {"is_published": is_published}
        authoring.update_lesson(lesson=lesson, changes=changes, by=author)

    return change


@pytest.fixture
def buy(api, learner, lesson):
    return partial(api(learner).post, "payments", {"lesson_id": lesson.pk, "method": "cash"})


@pytest.fixture
def complete(api, learner, lesson):
    accesses.grant_access(user=learner, target=lesson.course, source=AccessSource.GRANT)
    return partial(api(learner).put, f"learning/lessons/{lesson.pk}/completion")


@pytest.mark.postgresql
@pytest.mark.parametrize("becomes", [True, False])
def test_who_buys_a_lesson_hears_whether_it_is_on_sale_by_then(publish, buy, lesson, becomes):
    Lesson.objects.update(is_published=not becomes)
    _nothing, answer, waited = meanwhile(partial(publish, becomes), buy)
    assert waited
    assert answer.status_code == (201 if becomes else 404)
    assert Payment.objects.count() == int(becomes)


@pytest.mark.postgresql
def test_who_ordered_a_lesson_before_it_was_unpublished_gets_it_for_the_money(
    publish, buy, lesson, api, learner, administrator
):
    answer, _nothing, waited = meanwhile(buy, partial(publish, False))
    assert waited
    assert answer.status_code == 201
    assert not Lesson.objects.get().is_published
    staff.confirm_payment(payment=Payment.objects.get(), by=administrator, reason="It came")
    assert Access.objects.get().lesson == lesson
    assert api(learner).get(f"learning/lessons/{lesson.pk}").status_code == 200


@pytest.mark.postgresql
def test_a_lesson_that_is_just_unpublished_is_not_completed(publish, complete):
    _nothing, answer, waited = meanwhile(partial(publish, False), complete)
    assert waited
    assert answer.status_code in {403, 404}
    assert not Completion.objects.exists()


@pytest.mark.postgresql
def test_a_lesson_that_was_just_completed_stays_so_when_it_comes_back(
    publish, complete, api, learner, lesson
):
    answer, _nothing, waited = meanwhile(complete, partial(publish, False))
    assert waited
    assert answer.status_code == 200
    publish(True)
    outline = api(learner).get(f"learning/courses/{lesson.course_id}").json()
    assert outline["progress"] == {"completed": 1, "total": 1, "percent": 100}


def test_what_all_do_at_once_fails_for_none(publish, buy, complete, api, author, lesson):
    """The course is had whole, so that there is nothing to buy; the lesson is there or is not."""
    path = f"lessons/{lesson.pk}"
    answers = at_once(
        lambda: api(author).patch(path, {"is_published": False}),
        buy,
        complete,
        lambda: api(author).patch(path, {"is_published": True}),
        before_writing=Lesson,
    )
    assert set(statuses(answers)) <= {200, 403, 404, 409}
    assert answers[0].status_code == answers[3].status_code == 200


@pytest.mark.parametrize("was", [True, False])
def test_what_two_do_at_once_is_told_once(api, author, lesson, was):
    Lesson.objects.update(is_published=was)
    change = partial(api(author).patch, f"lessons/{lesson.pk}", {"is_published": not was})
    answers = at_once(change, change, before_writing=Lesson)
    assert statuses(answers) == {200: 2}
    told = "lesson_removed" if was else "lesson_added"
    assert list(CourseChange.objects.values_list("kind", flat=True)) == [told]


@pytest.mark.postgresql
def test_a_lesson_that_is_deleted_while_it_is_unpublished_is_missed_once(api, author, lesson):
    path = f"lessons/{lesson.pk}"
    at_once(
        lambda: api(author).patch(path, {"is_published": False}),
        lambda: api(author).delete(path),
        before_writing=Lesson,
    )
    assert list(CourseChange.objects.values_list("kind", flat=True)) == ["lesson_removed"]
