"""What the locks are for: somebody does one thing while another is not yet done. PostgreSQL only:
on SQLite there is one writer at a time."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from lms.models import (
    Access,
    AccessSource,
    ChangeKind,
    Completion,
    Course,
    CourseChange,
    CourseUpdate,
    Lesson,
    Subscription,
)
from lms.services import accesses, authoring, learning, rendering, searching, subscriptions, updates
from lms.tests.factories import CourseFactory, LessonFactory
from people.models import User
from project.common.errors import PaymentRequired
from project.common.images import Picture
from project.tests.processes import wait_until
from project.tests.races import Runner, meanwhile

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def course(author):
    """Published and quiet for long, with two lessons."""
    long_ago = timezone.now() - timedelta(days=1)
    course = CourseFactory.create(owner=author, published=True, materials_updated_at=long_ago)
    LessonFactory.create_batch(2, course=course, is_preview=True)
    return course


@pytest.fixture
def lesson(course):
    return course.lessons.earliest("pk")


def test_a_right_is_revived_once(course, learner):
    give: Any = {"user": learner, "target": course, "source": AccessSource.PAYMENT}
    give |= {"reference": "payment:1"}
    accesses.grant_access(**give)
    accesses.revoke_access(reference="payment:1", reason="Refund")
    first, second, _waited = meanwhile(
        lambda: accesses.grant_access(**give), lambda: accesses.grant_access(**give)
    )
    assert (first[1], second[1]) == (True, False)


def test_a_right_is_taken_back_once_with_the_first_reason(course, learner):
    learning.enroll(user=learner, course=course)
    access = Access.objects.get()
    _first, second, _waited = meanwhile(
        lambda: accesses.take_back(access=access, reason="First"),
        lambda: accesses.take_back(access=access, reason="Second"),
    )
    assert isinstance(second, accesses.NotRevocable)
    access.refresh_from_db()
    assert access.revoked_reason == "First"


def test_nobody_enrols_for_nothing_while_a_course_gets_a_price(course, author, learner):
    _first, second, _waited = meanwhile(
        lambda: authoring.update_course(course=course, changes={"price": 5}, by=author),
        lambda: learning.enroll(user=learner, course=course),
    )
    assert isinstance(second, PaymentRequired)
    assert not Access.objects.exists()


@pytest.mark.parametrize(
    "act",
    [
        lambda person, lesson: learning.enroll(user=person, course=lesson.course),
        lambda person, lesson: subscriptions.subscribe(user=person, course=lesson.course),
        lambda person, lesson: learning.complete_lesson(user=person, lesson=lesson),
        lambda _person, lesson: authoring.delete_course(
            course=lesson.course, by=lesson.course.owner
        ),
        lambda _person, lesson: authoring.create_lesson(
            course=lesson.course, fields={"title": "New"}, by=lesson.course.owner
        ),
        lambda _person, lesson: authoring.update_lesson(
            lesson=lesson, changes={"title": "New"}, by=lesson.course.owner
        ),
        lambda _person, lesson: authoring.delete_lesson(lesson=lesson, by=lesson.course.owner),
    ],
    ids=["enrol", "subscribe", "complete", "delete", "add lesson", "change", "delete lesson"],
)
def test_what_is_being_deleted_is_not_there(course, lesson, learner, act):
    known = Lesson.objects.select_related("course__owner").get(pk=lesson.pk)
    _first, second, waited = meanwhile(
        lambda: authoring.delete_course(course=course, by=course.owner), lambda: act(learner, known)
    )
    assert waited
    assert isinstance(second, Course.DoesNotExist | Lesson.DoesNotExist)
    assert not Course.objects.exists()


def test_a_lesson_that_is_being_deleted_is_not_completed(lesson, learner):
    _first, second, _waited = meanwhile(
        lambda: authoring.delete_lesson(lesson=lesson, by=lesson.course.owner),
        lambda: learning.complete_lesson(user=learner, lesson=lesson),
    )
    assert isinstance(second, learning.NoAccess)


def test_who_completes_a_lesson_hinders_nobody_who_subscribes_or_logs_in(course, lesson, learner):
    def subscribe_and_log_in() -> None:
        Subscription.objects.create(user=learner, course=course)
        User.objects.filter(pk=course.owner_id).update(last_login=timezone.now())

    _first, _second, waited = meanwhile(
        lambda: (
            learning.complete_lesson(user=learner, lesson=lesson),
            Course.objects.select_related("owner").protected_from_deletion().get(pk=course.pk),
        ),
        subscribe_and_log_in,
    )
    assert waited is False
    assert Completion.objects.count() == Subscription.objects.count() == 1


def test_lessons_that_are_added_at_once_stand_one_after_the_other(author):
    course = CourseFactory.create(owner=author)

    def add() -> int:
        fields = {"title": "New"}
        return authoring.create_lesson(course=course, fields=fields, by=author).position

    first, second, _waited = meanwhile(add, add)
    assert (first, second) == (0, 1)


def test_the_second_of_two_edits_sees_the_first(course, lesson, author):
    for name, subject in (("course", course), ("lesson", lesson)):
        update = authoring.update_course if name == "course" else authoring.update_lesson
        known, title, argument = type(subject).objects.get(pk=subject.pk), subject.title, name
        meanwhile(
            lambda: update(**{argument: known}, changes={"title": "New"}, by=author),  # noqa: B023
            lambda: update(**{argument: known}, changes={"title": title}, by=author),  # noqa: B023
        )
        subject.refresh_from_db()
        assert subject.title == title


@pytest.mark.parametrize(
    "act",
    [
        lambda lesson: authoring.update_course(
            course=lesson.course, changes={"title": "New"}, by=lesson.course.owner
        ),
        lambda lesson: authoring.create_lesson(
            course=lesson.course, fields={"title": "New"}, by=lesson.course.owner
        ),
        lambda lesson: authoring.update_lesson(
            lesson=lesson, changes={"title": "New"}, by=lesson.course.owner
        ),
        lambda lesson: authoring.delete_lesson(lesson=lesson, by=lesson.course.owner),
    ],
    ids=["change course", "add lesson", "change lesson", "delete lesson"],
)
def test_of_two_changes_at_once_one_is_told_and_the_other_collected(course, act):
    one, other = Lesson.objects.select_related("course__owner").order_by("pk")
    meanwhile(
        lambda: authoring.update_lesson(
            lesson=one, changes={"title": "Other"}, by=one.course.owner
        ),
        lambda: act(other),
    )
    assert CourseUpdate.objects.count() == 1


def test_collected_changes_are_told_once(course, author):
    for title in ("Rolls", "Buns"):
        authoring.update_course(course=course, changes={"title": title}, by=author)
    Course.objects.update(materials_updated_at=timezone.now() - timedelta(days=1))
    CourseUpdate.objects.update(created_at=timezone.now() - timedelta(days=1))
    CourseFactory.create()  # what changed last is no matter
    first, second, _waited = meanwhile(updates.tell_collected, updates.tell_collected)
    assert (first, second) == (1, 0)
    assert CourseUpdate.objects.count() == 2


def test_changes_are_not_told_while_somebody_makes_another(course, author):
    for title in ("Rolls", "Buns"):
        authoring.update_course(course=course, changes={"title": title}, by=author)
    long_ago = timezone.now() - timedelta(days=1)
    Course.objects.update(materials_updated_at=long_ago)
    _first, second, _waited = meanwhile(
        lambda: authoring.update_course(course=course, changes={"title": "Cakes"}, by=author),
        updates.tell_collected,
    )
    assert second == 0
    assert CourseUpdate.objects.count() == 1


@pytest.mark.parametrize("kind", ["course", "lesson"])
def test_a_picture_that_arrives_while_all_is_deleted_leaves_the_storage(course, lesson, kind):
    subject = course if kind == "course" else lesson
    delete = authoring.delete_course if kind == "course" else authoring.delete_lesson
    known = type(subject).objects.get(pk=subject.pk)
    argument: Any = {kind: known}
    pictured, _second, _waited = meanwhile(
        lambda: authoring.set_preview(subject=subject, picture=Picture(b"x", (1, 1), None)),
        lambda: delete(**argument, by=course.owner),
    )
    assert pictured.preview.name
    assert not default_storage.exists(pictured.preview.name)


@pytest.mark.parametrize("kind", ["course", "lesson"])
def test_history_knows_of_a_picture_that_arrives_meanwhile(course, lesson, kind):
    subject = course if kind == "course" else lesson
    update = authoring.update_course if kind == "course" else authoring.update_lesson
    known = type(subject).objects.get(pk=subject.pk)
    argument: Any = {kind: known}
    pictured, _second, _waited = meanwhile(
        lambda: authoring.set_preview(subject=subject, picture=Picture(b"x", (1, 1), None)),
        lambda: update(**argument, changes={"title": "New"}, by=course.owner),
    )
    last = subject.history.latest("history_id")
    assert (last.title, last.preview) == ("New", pictured.preview.name)


def test_a_lesson_is_changed_where_it_is_moved_to_meanwhile(course, lesson, author):
    target = CourseFactory.create(owner=author, published=True)
    known = Lesson.objects.get(pk=lesson.pk)
    _first, second, _waited = meanwhile(
        lambda: authoring.update_lesson(lesson=lesson, changes={"course": target}, by=author),
        lambda: authoring.update_lesson(lesson=known, changes={"title": "New"}, by=author),
    )
    assert (second.course, second.title) == (target, "New")
    kinds = CourseChange.objects.filter(course=target).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == [ChangeKind.LESSON_ADDED, ChangeKind.LESSON_RENAMED]


def test_two_courses_are_locked_in_the_order_of_their_keys(course, lesson, author):
    """Or two lessons that move the opposite ways would wait for each other."""
    target = CourseFactory.create(owner=author, updated_at=timezone.now() + timedelta(days=1))
    _first, second, waited = meanwhile(
        lambda: Course.objects.select_for_update().get(pk=course.pk),
        lambda: authoring.update_lesson(lesson=lesson, changes={"course": target}, by=author),
        then=lambda: Course.objects.select_for_update(nowait=True).get(pk=target.pk),
    )
    assert waited
    assert second.course == target


def test_a_lesson_that_came_meanwhile_where_it_was_to_move_did_not_leave_twice(
    course, lesson, author
):
    target = CourseFactory.create(owner=author, published=True)
    known = Lesson.objects.get(pk=lesson.pk)
    changes = {"course": target, "title": "New"}
    meanwhile(
        lambda: authoring.update_lesson(lesson=lesson, changes={"course": target}, by=author),
        lambda: authoring.update_lesson(lesson=known, changes=changes, by=author),
    )
    told = CourseChange.objects.order_by("id").values_list("course", "kind")
    assert sorted(told) == sorted(
        [
            (course.pk, ChangeKind.LESSON_REMOVED),
            (target.pk, ChangeKind.LESSON_ADDED),
            (target.pk, ChangeKind.LESSON_RENAMED),
        ]
    )


def test_a_change_that_follows_a_moved_lesson_lets_the_course_go_that_it_left(author):
    """Or it would wait for a course with a lower key while it holds one with a higher."""
    low, high = CourseFactory.create_batch(2, owner=author)
    lesson, other = LessonFactory.create(course=high), LessonFactory.create(course=low)
    known = Lesson.objects.get(pk=lesson.pk)
    third = Runner(
        lambda: authoring.update_lesson(lesson=other, changes={"course": high}, by=author)
    )

    def third_begins() -> None:
        third.start()
        with connection.cursor() as cursor:
            wait_until(partial(third.stands_still, cursor), pause=0.005)

    _first, second, waited = meanwhile(
        lambda: authoring.update_lesson(lesson=lesson, changes={"course": low}, by=author),
        lambda: authoring.update_lesson(lesson=known, changes={"title": "New"}, by=author),
        then=third_begins,
    )
    third.join()
    assert waited
    assert (second.course, second.title) == (low, "New")
    assert third.outcome.course == high


def test_who_leaves_a_course_completes_none_of_its_lessons_meanwhile(course, learner):
    lesson = LessonFactory.create(course=course)
    learning.enroll(user=learner, course=course)
    _left, outcome, waited = meanwhile(
        lambda: learning.leave(user=learner, course_id=course.pk),
        lambda: learning.complete_lesson(user=learner, lesson=lesson),
    )
    assert (type(outcome), waited) == (learning.NoAccess, True)
    assert not Completion.objects.exists()


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_a_description_that_changes_while_all_are_rendered_is_shown(course, lesson, author, what):
    change: Any = {
        "course": partial(authoring.update_course, course=course),
        "lesson": partial(authoring.update_lesson, lesson=lesson),
    }[what]
    for model in (Course, Lesson):
        model.objects.update(description_html="<p>As before.</p>")
    _changed, _number, waited = meanwhile(
        lambda: change(by=author, changes={"description": "*New*"}), rendering.render_again
    )
    shown = {"course": course, "lesson": lesson}[what]
    shown.refresh_from_db()
    assert ("<em>New</em>" in shown.description_html, waited) == (True, True)


@pytest.mark.parametrize("what", ["a course", "a name"])
def test_who_gets_something_new_hinders_nobody_who_refers_to_it(course, author, what):
    acts: dict[str, Any] = {
        "a course": partial(authoring.create_course, owner=author, fields={"title": "Rye"}),
        "a name": partial(searching.renew_searches, author.pk),
    }
    _done, outcome, waited = meanwhile(
        acts[what],
        lambda: Subscription.objects.create(user=author, course=course),
    )
    assert (type(outcome), waited) == (Subscription, False)
