"""Giving and taking the right to learn: exactly the one that is meant, and nobody else's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from lms.mails import GIVEN
from lms.models import Access, AccessSource, Completion, Course, Lesson
from lms.services import accesses, learning
from lms.tests.factories import CourseFactory, LessonFactory
from people.models import User
from project.common.errors import PaymentRequired
from project.mail.models import Delivery, Mailing

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
EARLIER = NOW - timedelta(days=1)
GRANT, ENROLLMENT, PAYMENT = AccessSource.GRANT, AccessSource.ENROLLMENT, AccessSource.PAYMENT


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def lesson(db):
    """A lesson of a published course that costs something."""
    return LessonFactory.create(course__published=True, course__price=10)


@pytest.fixture(params=["course", "lesson"])
def target(request, lesson):
    return lesson.course if request.param == "course" else lesson


def right(user: Any, target: Course | Lesson, **fields: Any) -> Access:
    place: Any = {"course" if isinstance(target, Course) else "lesson": target}
    return Access.objects.create(
        **{"user": user, "source": GRANT, "created_at": EARLIER, **place, **fields}
    )


def rows(*except_for: Access) -> dict[int, dict[str, Any]]:
    """All rights as they are in the database."""
    others = Access.objects.exclude(pk__in=[access.pk for access in except_for])
    return {
        access.pk: {field.name: getattr(access, field.attname) for field in access._meta.fields}
        for access in others
    }


@pytest.fixture
def others(lesson, learner, stranger, administrator, target):
    """Rights that are nearly the one to a target, and must stay as they are."""
    other = LessonFactory.create()
    return [
        right(stranger, target),
        right(learner, other if isinstance(target, Lesson) else other.course),
        right(learner, lesson.course if isinstance(target, Lesson) else lesson),
        right(learner, target, source=ENROLLMENT),
        right(learner, target, reference="payment:1"),
        right(learner, target, revoked_at=EARLIER, revoked_reason="Mistake"),
        right(learner, target, reference="payment:2", revoked_at=EARLIER, revoked_reason="Refund"),
    ]


@pytest.mark.usefixtures("others")
def test_a_right_is_given_once_from_each_source(learner, administrator, target):
    before = rows()
    give = {"user": learner, "target": target, "source": GRANT}
    access, is_new = accesses.grant_access(**give, given_by=administrator, reason="Prize")
    assert is_new is True
    again = accesses.grant_access(**give, given_by=learner, reason="Another")
    assert again == (access, False)
    access.refresh_from_db()
    assert (access.user, access.target, access.source) == (learner, target, GRANT)
    assert (access.given_by, access.reason, access.reference) == (administrator, "Prize", "")
    assert (access.created_at, access.revoked_at) == (NOW, None)
    assert rows(access) == before


def test_only_what_staff_grant_is_told_and_each_once(learner, target):
    give = {"user": learner, "target": target}
    accesses.grant_access(**give, source=ENROLLMENT)
    accesses.grant_access(**give, source=PAYMENT, reference="payment:17")
    first, _twice = (accesses.grant_access(**give, source=GRANT) for _time in range(2))
    accesses.take_back(access=first[0], reason="Mistake")
    second = accesses.grant_access(**give, source=GRANT)
    told = Mailing.objects.order_by("pk").values_list("kind", "subject_id", "title")
    assert list(told) == [(GIVEN, one.pk, target.title) for one, _is_new in (first, second)]
    for access, _is_new in (first, second):
        assert Delivery.objects.of(GIVEN, str(access.pk)).get().recipient == learner


@pytest.mark.usefixtures("others")
def test_a_reference_gives_one_right_for_ever_and_revives_it(learner, administrator, target):
    before = rows()
    give = {"user": learner, "target": target, "source": PAYMENT, "reference": "payment:17"}
    access, is_new = accesses.grant_access(**give, given_by=administrator, reason="Cash")
    assert is_new is True
    assert accesses.grant_access(**give, reason="Again") == (access, False)
    assert accesses.revoke_access(reference="payment:17", reason="Refund") is True
    access.refresh_from_db()
    assert (access.revoked_at, access.revoked_reason) == (NOW, "Refund")
    # What was taken back stays so, with its reason.
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        assert accesses.revoke_access(reference="payment:17", reason="Twice") is False
    access.refresh_from_db()
    assert (access.revoked_at, access.revoked_reason) == (NOW, "Refund")
    assert accesses.grant_access(**give) == (access, True)
    access.refresh_from_db()
    assert (access.revoked_at, access.revoked_reason) == (None, "")
    assert (access.user, access.target, access.source) == (learner, target, PAYMENT)
    assert (access.given_by, access.reason) == (administrator, "Cash")
    assert rows(access) == before


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize("source", [GRANT, ENROLLMENT])
def test_what_staff_or_an_enrolment_gave_is_taken_back_alone(learner, lesson, source):
    access = right(learner, LessonFactory.create(), source=source)
    before = rows(access)
    accesses.take_back(access=access, reason="Shared the videos")
    access.refresh_from_db()
    assert (access.revoked_at, access.revoked_reason) == (NOW, "Shared the videos")
    assert rows(access) == before


@pytest.mark.parametrize(
    "fields", [{"source": PAYMENT}, {"revoked_at": EARLIER, "revoked_reason": "Before"}]
)
def test_what_is_not_to_be_taken_back_stays_as_it_is(learner, lesson, fields):
    access = right(learner, lesson, **fields)
    # Whoever asks may have read it before it was taken back.
    known = Access.objects.get()
    known.source, known.revoked_at = GRANT, None
    before = rows()
    with pytest.raises(accesses.NotRevocable):
        accesses.take_back(access=known, reason="Now")
    assert rows() == before
    assert access.is_revocable is False


def test_enrolling_gives_one_right_to_the_free_course(learner, stranger):
    course, other = CourseFactory.create_batch(2, published=True)
    right(learner, other)
    right(stranger, course)
    right(learner, course, revoked_at=EARLIER)
    before = rows()
    assert learning.enroll(user=learner, course=course) is True
    access = Access.objects.latest("id")
    assert (access.user, access.course, access.source) == (learner, course, ENROLLMENT)
    assert access.reference == ""
    assert learning.enroll(user=learner, course=course) is False
    assert rows(access) == before


def test_whoever_may_learn_it_already_needs_no_enrolment(learner, author, moderator):
    course = CourseFactory.create(published=True, owner=author, price=10)
    right(learner, course)
    before = rows()
    for person in (learner, author, moderator):
        assert learning.enroll(user=person, course=course) is False
    assert rows() == before


def test_the_price_counts_that_the_course_has_at_that_moment(learner):
    course = CourseFactory.create(published=True)
    Course.objects.update(price="0.01")
    with pytest.raises(PaymentRequired):
        learning.enroll(user=learner, course=course)
    assert rows() == {}


def test_many_rights_are_given_at_once(learner, stranger, administrator, lesson):
    right(learner, lesson, reference="payment:1")
    new = [
        accesses.NewAccess(learner.pk, lesson.course_id, None, PAYMENT, "payment:2", None, EARLIER),
        accesses.NewAccess(
            stranger.pk, None, lesson.pk, GRANT, "gift:1", administrator.pk, NOW - timedelta(1)
        ),
    ]
    accesses.grant_new_access(accesses=new)
    columns = ["user_id", "course_id", "lesson_id", "source", "reference", "given_by_id"]
    written = Access.objects.order_by("id").values_list(*columns, "created_at")
    assert [tuple(row) for row in written[1:]] == [tuple(access) for access in new]
    assert {(access.revoked_at, access.reason) for access in Access.objects.all()} == {(None, "")}
    before = rows()
    with pytest.raises(IntegrityError), transaction.atomic():
        accesses.grant_new_access(accesses=[new[0]._replace(reference="payment:1")])
    assert rows() == before


# --- Progress -------------------------------------------------------------------------------------


def completed() -> set[tuple[int, int]]:
    return set(Completion.objects.values_list("user_id", "lesson_id"))


@pytest.fixture
def lessons(learner, stranger):
    """Two lessons of one course and one of another, all completed by both people."""
    course = CourseFactory.create(published=True)
    lessons = [*LessonFactory.create_batch(2, course=course), LessonFactory.create()]
    for lesson in lessons:
        for person in (learner, stranger):
            right(person, lesson)
            Completion.objects.create(user=person, lesson=lesson)
    return lessons


def test_reopening_takes_away_one_mark_of_one_person(api, learner, lessons):
    before = completed()
    path = f"learning/lessons/{lessons[0].pk}/completion"
    for _attempt in range(2):
        assert api(learner).delete(path).status_code == 200
        assert completed() == before - {(learner.pk, lessons[0].pk)}
    assert api(learner).put(path).status_code == 200
    assert completed() == before
    assert Completion.objects.count() == 6


@pytest.mark.parametrize("act", [learning.complete_lesson, learning.reopen_lesson])
def test_marks_are_for_those_who_may_learn_exactly_this_lesson(learner, stranger, lessons, act):
    own, other = lessons[:2]
    Access.objects.filter(user=learner, lesson=own).update(revoked_at=EARLIER)
    Completion.objects.filter(user=stranger).delete()
    before = completed()
    with pytest.raises(learning.NoAccess):
        act(user=learner, lesson=own)
    assert completed() == before
    act(user=learner, lesson=other)
    mark = {(learner.pk, other.pk)}
    assert completed() == (before | mark if act is learning.complete_lesson else before - mark)


def test_a_lesson_of_a_deleted_course_is_absent(learner, lessons):
    Course.objects.filter(pk=lessons[0].course_id).delete()
    with pytest.raises(Course.DoesNotExist):
        learning.complete_lesson(user=learner, lesson=lessons[0])


def test_progress_counts_one_s_own_marks_in_the_course(learner, stranger):
    course, other = CourseFactory.create_batch(2)
    first, second, third = LessonFactory.create_batch(3, course=course)
    single = LessonFactory.create(course=other)
    empty = CourseFactory.create()
    for target in (course, single, empty):
        right(learner, target)
    right(stranger, second)
    for person, lesson in ((learner, first), (learner, third), (stranger, first)):
        Completion.objects.create(user=person, lesson=lesson)

    def progress(user: User) -> list[Any]:
        counted: Any = Course.objects.with_progress(user).order_by("pk")
        return list(counted.values_list("lessons_completed", "lessons_total", "next_lesson_id"))

    assert progress(learner) == [(2, 3, second.pk), (0, 1, single.pk), (0, 0, None)]
    # What one may not learn does not come next.
    assert progress(stranger) == [(1, 3, second.pk), (0, 1, None), (0, 0, None)]
    Completion.objects.create(user=stranger, lesson=second)
    assert progress(stranger)[0] == (2, 3, None)


def test_each_target_is_listed_once_by_the_earliest_right_that_lasts(learner, stranger):
    lesson, single = LessonFactory.create_batch(2)
    taken_back = {"revoked_at": EARLIER}
    right(learner, lesson.course, **taken_back)
    right(learner, single, **taken_back)
    right(learner, single.course, **taken_back)
    right(stranger, lesson.course)
    right(stranger, single)
    right(stranger, single.course)
    kept = [
        right(learner, lesson.course),
        right(learner, single),
        right(learner, CourseFactory.create()),
        right(learner, LessonFactory.create()),
    ]
    right(learner, lesson.course, reference="payment:1")
    right(learner, single, reference="payment:2")
    right(learner, lesson)  # of a course that is had whole
    listed = Access.objects.held_by(learner).one_for_each_target()
    assert list(listed.order_by("id")) == kept
    whole = right(learner, single.course)
    assert list(listed.order_by("id")) == [kept[0], *kept[2:], whole]


def test_rights_are_active_or_revoked(learner, stranger, lesson):
    active, revoked = right(learner, lesson), right(learner, lesson, revoked_at=EARLIER)
    other = right(stranger, lesson)
    assert set(Access.objects.active()) == {active, other}
    assert list(Access.objects.revoked()) == [revoked]
    assert list(Access.objects.held_by(learner)) == [active]
    assert (active.is_revocable, revoked.is_revocable) == (True, False)
