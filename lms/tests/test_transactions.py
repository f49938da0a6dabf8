"""What a service does is done in one transaction: all of it, or nothing if something fails."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from lms.models import AccessSource, ChangeKind, Completion, Course, CourseChange, Lesson
from lms.services import accesses, authoring, copying, learning, subscriptions, updates
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from project.tests.transactions import assert_one_transaction, number_of_writes, watched

pytestmark = pytest.mark.django_db

ACTS = [
    "create a course", "change a course", "delete a course", "add a lesson", "change a lesson",
    "delete a lesson", "give", "revive", "revoke", "take back", "enrol", "complete", "reopen",
    "subscribe",
]  # fmt: skip


@pytest.fixture
def acts(author, learner) -> dict[str, Callable[[], object]]:
    """The services, each with something to do."""
    free, quiet = CourseFactory.create_batch(2, owner=author, published=True)
    course = CourseFactory.create(owner=author, published=True)
    first, second = LessonFactory.create_batch(2, course=course)
    SubscriptionFactory.create(course=course)
    Completion.objects.create(user=author, lesson=first)
    grant: Any = {"user": learner, "target": course, "source": AccessSource.GRANT}
    given, _new = accesses.grant_access(**grant)
    paid = grant | {"source": AccessSource.PAYMENT}
    for reference in ("payment:1", "payment:2"):
        accesses.grant_access(**paid, reference=reference)
    accesses.revoke_access(reference="payment:2", reason="Refund")
    CourseChange.objects.create(course=quiet, kind=ChangeKind.COURSE_TEXT)
    long_ago = timezone.now() - timedelta(days=1)
    Course.objects.filter(pk__in=[course.pk, quiet.pk]).update(materials_updated_at=long_ago)
    of_course: Any = {"course": course, "by": author}
    of_lesson: Any = {"lesson": first, "by": author}
    title = {"title": "New"}
    return {
        "create a course": lambda: authoring.create_course(owner=author, fields=title),
        "change a course": lambda: authoring.update_course(**of_course, changes=title),
        "delete a course": lambda: authoring.delete_course(**of_course),
        "add a lesson": lambda: authoring.create_lesson(**of_course, fields=title),
        "change a lesson": lambda: authoring.update_lesson(**of_lesson, changes=title),
        "delete a lesson": lambda: authoring.delete_lesson(**of_lesson),
        "give": lambda: accesses.grant_access(**grant | {"target": second}),
        "revive": lambda: accesses.grant_access(**paid, reference="payment:2"),
        "revoke": lambda: accesses.revoke_access(reference="payment:1", reason="Refund"),
        "take back": lambda: accesses.take_back(access=given, reason="Mistake"),
        "enrol": lambda: learning.enroll(user=learner, course=free),
        "complete": lambda: learning.complete_lesson(user=author, lesson=second),
        "reopen": lambda: learning.reopen_lesson(user=author, lesson=first),
        "subscribe": lambda: subscriptions.subscribe(user=learner, course=free),
        "tell": lambda: updates.tell_collected(),
    }


def database() -> dict[str, list[Any]]:
    """All rows of the courses, and of the mails."""
    models = [*apps.get_app_config("lms").get_models(), *apps.get_app_config("mail").get_models()]
    return {model.__name__: list(model._base_manager.order_by("pk").values()) for model in models}


@pytest.mark.parametrize("name", ACTS)
def test_a_service_reads_and_writes_in_one_transaction(acts, name):
    before = database()
    assert_one_transaction(acts[name])
    assert database() != before


@pytest.mark.parametrize("name", [*ACTS[:6], "tell"])
def test_a_service_that_fails_at_its_end_has_done_nothing(acts, name):
    before = database()
    with transaction.atomic():
        with watched() as noted:
            acts[name]()
        transaction.set_rollback(True)
    last = number_of_writes(noted)
    assert last > 1
    with pytest.raises(DatabaseError, match="disk is full"), watched(failing=last):
        acts[name]()
    assert database() == before


def test_a_copy_that_fails_at_its_end_is_not_made(author, acts):
    course = Lesson.objects.latest("pk").course
    before = database()
    with transaction.atomic():
        with watched() as noted:
            copying.copy_course(course=course, by=author)
        transaction.set_rollback(True)
    with (
        pytest.raises(DatabaseError, match="disk is full"),
        watched(failing=number_of_writes(noted)),
    ):
        copying.copy_course(course=course, by=author)
    assert database() == before


@pytest.mark.parametrize("service", [authoring.update_lesson, authoring.delete_lesson])
def test_a_lesson_that_moves_before_it_is_locked_is_looked_for_once_more(author, service):
    lesson = LessonFactory.create(course__owner=author)
    other = CourseFactory.create(owner=author)
    locked = []

    def move_after_lock(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if 'FROM "lms_course"' in sql:
            locked.append(sql)
            if len(locked) == 1:
                Lesson.objects.filter(pk=lesson.pk).update(course=other)
        return result

    changes = {"changes": {"title": "Rye"}} if service is authoring.update_lesson else {}
    with connection.execute_wrapper(move_after_lock):
        service(lesson=lesson, by=author, **changes)
    assert list(Lesson.objects.values_list("title", flat=True)) == (["Rye"] if changes else [])
