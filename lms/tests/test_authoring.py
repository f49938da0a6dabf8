"""What authors and moderators do to courses and lessons: what is written, and told of, and what
stays as it was."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lms import history
from lms.models import ChangeKind, Course, CourseChange, Lesson, Subscription
from lms.services import authoring, restoring, subscriptions
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.tests.factories import PaymentFactory
from project.common.images import Picture

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
FOREIGN = "See https://evil.example/course"
VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
TIMES = {"updated_at": LONG_AGO, "materials_updated_at": LONG_AGO}


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def course(author):
    """Published and quiet for long, with two lessons; beside it another one like it."""
    courses = [CourseFactory.create(owner=author, published=True, **TIMES) for _number in range(2)]
    for course in courses:
        LessonFactory.create(course=course, position=0, updated_at=LONG_AGO)
        LessonFactory.create(course=course, position=1, updated_at=LONG_AGO)
    return courses[0]


@pytest.fixture
def other(course):
    return Course.objects.exclude(pk=course.pk).get()


@pytest.fixture
def lesson(course):
    return course.lessons.earliest("pk")


@pytest.fixture
def nothing_else_changes(course):
    """Call it with the rows that were to change."""

    def states() -> dict[Any, dict[str, Any]]:
        rows: list[Any] = [*Course.objects.all(), *Lesson.objects.all()]
        return {
            row: {field.attname: getattr(row, field.attname) for field in row._meta.fields}
            for row in rows
        }

    before = states()

    def check(*changed: Any) -> None:
        now = states()
        assert {row: state for row, state in before.items() if row not in changed} == {
            row: state for row, state in now.items() if row not in changed
        }

    return check


def told() -> list[tuple[int, str, int | None]]:
    return list(CourseChange.objects.order_by("id").values_list("course", "kind", "lesson_id"))


# --- What is told of ------------------------------------------------------------------------------

COURSE_KINDS = {
    "title": ChangeKind.COURSE_RENAMED,
    "description": ChangeKind.COURSE_TEXT,
    "price": ChangeKind.COURSE_PRICE,
}
LESSON_KINDS = {
    "title": ChangeKind.LESSON_RENAMED,
    "description": ChangeKind.LESSON_TEXT,
    "video_url": ChangeKind.VIDEO_REPLACED,
    "price": ChangeKind.LESSON_PRICE,
}
COURSE_CHANGES = {
    "title": "New",
    "description": "New",
    "price": Decimal("7.50"),
    "is_published": False,
}
LESSON_CHANGES = {
    "title": "New",
    "description": "New",
    "video_url": "https://www.youtube.com/watch?v=M7lc1UVf-VE",
    "price": Decimal("7.50"),
    "is_preview": True,
}


@pytest.mark.parametrize("field", COURSE_CHANGES)
@pytest.mark.parametrize("notify", [True, False])
def test_a_field_of_a_course_is_changed_and_told_of(
    course, moderator, nothing_else_changes, field, notify
):
    changes = {field: COURSE_CHANGES[field]}
    returned = authoring.update_course(course=course, changes=changes, by=moderator, notify=notify)
    kinds = [COURSE_KINDS[field]] if notify and field in COURSE_KINDS else []
    assert told() == [(course.pk, kind, None) for kind in kinds]
    course.refresh_from_db()
    assert getattr(course, field) == getattr(returned, field) == COURSE_CHANGES[field]
    assert course.updated_at == NOW
    assert course.materials_updated_at == (LONG_AGO if field == "price" or not kinds else NOW)
    assert course.history.first().history_user == moderator
    nothing_else_changes(course)


@pytest.mark.parametrize("field", LESSON_CHANGES)
@pytest.mark.parametrize("notify", [True, False])
def test_a_field_of_a_lesson_is_changed_and_told_of(
    course, lesson, moderator, nothing_else_changes, field, notify
):
    changes = {field: LESSON_CHANGES[field]}
    returned = authoring.update_lesson(lesson=lesson, changes=changes, by=moderator, notify=notify)
    kinds = [LESSON_KINDS[field]] if notify and field in LESSON_KINDS else []
    assert told() == [(course.pk, kind, lesson.pk) for kind in kinds]
    course.refresh_from_db()
    lesson.refresh_from_db()
    assert getattr(lesson, field) == getattr(returned, field) == LESSON_CHANGES[field]
    assert lesson.updated_at == course.updated_at == NOW
    assert course.materials_updated_at == (LONG_AGO if field == "price" or not kinds else NOW)
    assert lesson.history.first().history_user == moderator
    nothing_else_changes(course, lesson)


def test_all_that_changed_at_once_is_told_of(course, lesson, author):
    authoring.update_course(course=course, changes=COURSE_CHANGES, by=author)
    assert told() == []  # it is a draft now
    authoring.update_course(course=course, changes={"is_published": True}, by=author)
    authoring.update_lesson(lesson=lesson, changes=LESSON_CHANGES, by=author)
    assert told() == [(course.pk, kind, lesson.pk) for kind in LESSON_KINDS.values()]


def test_what_changes_nothing_leaves_all_as_it_is(course, lesson, author, nothing_else_changes):
    same = {"title": course.title, "description": course.description, "price": course.price}
    authoring.update_course(course=course, changes=same, by=author)
    authoring.update_lesson(lesson=lesson, changes={"title": lesson.title}, by=author)
    nothing_else_changes()
    assert told() == []
    assert (course.history.count(), lesson.history.count()) == (1, 1)


def test_what_differs_is_judged_by_the_row_and_not_by_what_was_known(course, lesson, author):
    """Two people have the page open; the second one puts back what the first one changed."""
    for subject, update in ((course, authoring.update_course), (lesson, authoring.update_lesson)):
        name = "course" if subject is course else "lesson"
        known, title = type(subject).objects.get(pk=subject.pk), subject.title
        update(**{name: subject}, changes={"title": "New"}, by=author)
        update(**{name: known}, changes={"title": title}, by=author)
        subject.refresh_from_db()
        assert subject.title == title


def test_a_lesson_that_moves_is_told_of_in_both_courses(
    course, other, lesson, author, nothing_else_changes
):
    target = CourseFactory.create(owner=author, published=True, **TIMES)
    changes = {"course": target, "title": "New"}
    authoring.update_lesson(lesson=lesson, changes=changes, by=author)
    assert told() == [
        (course.pk, ChangeKind.LESSON_REMOVED, lesson.pk),
        (target.pk, ChangeKind.LESSON_ADDED, lesson.pk),
    ]
    for moved in (course, target, lesson):
        moved.refresh_from_db()
        assert moved.updated_at == NOW
    assert (lesson.course, lesson.title) == (target, "New")
    nothing_else_changes(course, target, lesson, *course.lessons.all())


def test_a_lesson_that_was_moved_meanwhile_is_told_of_where_it_is(course, other, lesson, author):
    known = Lesson.objects.get(pk=lesson.pk)
    authoring.update_lesson(lesson=lesson, changes={"course": other}, by=author, notify=False)
    Course.objects.update(updated_at=LONG_AGO)
    authoring.update_lesson(lesson=known, changes={"title": "New"}, by=author)
    authoring.delete_lesson(lesson=known, by=author)
    assert told() == [
        (other.pk, ChangeKind.LESSON_RENAMED, lesson.pk),
        (other.pk, ChangeKind.LESSON_REMOVED, lesson.pk),
    ]
    times = dict(Course.objects.values_list("pk", "updated_at"))
    # Each change is later than the one before it, although the clock stands still.
    assert times == {course.pk: LONG_AGO, other.pk: NOW + timedelta(microseconds=1)}


def test_a_lesson_is_not_moved_to_a_course_that_is_gone(
    course, lesson, author, nothing_else_changes
):
    gone = CourseFactory.create(owner=author)
    Course.objects.filter(pk=gone.pk).delete()
    with pytest.raises(Course.DoesNotExist):
        authoring.update_lesson(lesson=lesson, changes={"course": gone, "title": "New"}, by=author)
    nothing_else_changes()


# --- Adding ---------------------------------------------------------------------------------------


def test_a_course_is_created_for_its_owner_by_whoever_does_it(author, administrator):
    fields = {"title": "New", "price": Decimal(5), "is_published": True}
    course = authoring.create_course(owner=author, fields=fields, by=administrator)
    course.refresh_from_db()
    assert (course.owner, course.title, course.price) == (author, "New", Decimal(5))
    assert course.is_published is True
    assert course.history.get().history_user == administrator
    assert authoring.create_course(owner=author, fields=fields).history.get().history_user == author


@pytest.mark.parametrize("notify", [True, False])
def test_a_lesson_is_added_at_the_end_of_its_course(
    course, other, moderator, nothing_else_changes, notify
):
    LessonFactory.create(course=other, position=2)
    fields = {"title": "New", "video_url": "https://youtu.be/dQw4w9WgXcQ"}
    lesson = authoring.create_lesson(course=course, fields=fields, by=moderator, notify=notify)
    lesson.refresh_from_db()
    assert (lesson.course, lesson.title, lesson.position) == (course, "New", 2)
    assert lesson.video_url == VIDEO
    assert lesson.history.get().history_user == moderator
    assert told() == ([(course.pk, ChangeKind.LESSON_ADDED, lesson.pk)] if notify else [])
    course.refresh_from_db()
    assert course.updated_at == NOW
    assert course.materials_updated_at == (NOW if notify else LONG_AGO)
    nothing_else_changes(course, lesson, *other.lessons.all())


# --- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("title", FOREIGN, "foreign_link"),
        ("title", "", "blank"),
        ("description", FOREIGN, "foreign_link"),
        ("video_url", "https://vimeo.com/1", "foreign_link"),
        ("video_url", "https://www.youtube.com/@school", "no_video"),
        ("price", Decimal(-1), "min_value"),
    ],
)
def test_what_breaks_a_rule_is_neither_created_nor_changed(
    course, lesson, author, nothing_else_changes, field, value, code
):
    fields = {"title": "New", field: value}
    of_lesson: Any = {"by": author, "changes": {"position": 9, field: value}}
    acts: list[Callable[[], Any]] = [
        lambda: authoring.create_lesson(course=course, fields=fields, by=author),
        lambda: authoring.update_lesson(lesson=lesson, **of_lesson),
    ]
    if field != "video_url":
        of_course: Any = {"by": author, "changes": {"is_published": False, field: value}}
        acts += [
            lambda: authoring.create_course(owner=author, fields=fields),
            lambda: authoring.update_course(course=course, **of_course),
        ]
    for act in acts:
        with pytest.raises(ValidationError) as refused:
            act()
        assert list(refused.value.error_dict) == [field]
        assert [error.code for error in refused.value.error_dict[field]] == [code]
    nothing_else_changes()
    assert told() == []


def test_what_was_written_before_the_rule_does_not_hinder_other_changes(course, lesson, author):
    Course.objects.update(description=FOREIGN)
    Lesson.objects.update(description=FOREIGN)
    authoring.update_course(course=course, changes={"title": "New"}, by=author)
    authoring.update_lesson(lesson=lesson, changes={"title": "New"}, by=author)
    course.refresh_from_db()
    lesson.refresh_from_db()
    assert (course.title, lesson.title) == ("New", "New")


# --- Deleting, pictures ---------------------------------------------------------------------------


@pytest.fixture
def pictures(course, other):
    """All have one; answers the names of the files that are there."""
    subjects = [*Course.objects.all(), *Lesson.objects.all()]
    for subject in subjects:
        subject.preview.save("a.jpg", ContentFile(b"x"))
        type(subject).objects.filter(pk=subject.pk).update(updated_at=LONG_AGO)
    names = {subject: subject.preview.name for subject in subjects}
    return lambda: {subject for subject, name in names.items() if default_storage.exists(name)}


def test_a_deleted_course_takes_its_lessons_and_pictures_along(
    course, other, author, pictures, django_capture_on_commit_callbacks
):
    own = {course, *course.lessons.all()}
    before = pictures()
    with django_capture_on_commit_callbacks(execute=True):
        authoring.delete_course(course=course, by=author)
        assert pictures() == before  # until it is certain
    assert pictures() == before - own
    assert list(Course.objects.all()) == [other]
    assert Lesson.objects.count() == 2
    assert Course.history.first().history_user == author


@pytest.mark.parametrize("notify", [True, False])
def test_a_deleted_lesson_takes_its_picture_along(
    course, lesson, moderator, pictures, notify, django_capture_on_commit_callbacks
):
    before, pk = pictures(), lesson.pk
    known = Lesson.objects.get(pk=pk)
    with django_capture_on_commit_callbacks(execute=True):
        authoring.delete_lesson(lesson=known, by=moderator, notify=notify)
    assert before - pictures() == {lesson}
    assert (course.lessons.count(), Lesson.objects.count()) == (1, 3)
    assert Lesson.history.first().history_user == moderator
    assert told() == ([(course.pk, ChangeKind.LESSON_REMOVED, pk)] if notify else [])
    course.refresh_from_db()
    assert course.updated_at == NOW
    assert course.materials_updated_at == (NOW if notify else LONG_AGO)


@pytest.mark.parametrize("paid", ["course", "lesson"])
def test_what_is_paid_for_stays_with_all_it_has(
    course, lesson, author, pictures, paid, django_capture_on_commit_callbacks
):
    what = {"course": course} if paid == "course" else {"course": None, "lesson": lesson}
    PaymentFactory.create(**what, title="Paid")
    other_lesson = course.lessons.latest("pk")
    assert authoring.is_kept(course) is True
    assert authoring.is_kept(lesson) is True
    assert authoring.is_kept(other_lesson) is (paid == "course")
    assert not any(map(authoring.is_kept, Course.objects.exclude(pk=course.pk)))
    before = pictures()
    with django_capture_on_commit_callbacks(execute=True):
        with pytest.raises(authoring.HasPayments):
            authoring.delete_course(course=course, by=author)
        if paid == "lesson":
            with pytest.raises(authoring.HasPayments):
                authoring.delete_lesson(lesson=lesson, by=author)
    assert pictures() == before
    assert told() == []
    assert course.lessons.count() == 2


@pytest.mark.parametrize("kind", ["course", "lesson"])
@pytest.mark.parametrize("new", [True, False])
def test_a_picture_is_replaced_or_removed_of_one_alone(
    course, lesson, pictures, kind, new, django_capture_on_commit_callbacks
):
    subject = course if kind == "course" else lesson
    known = type(subject).objects.get(pk=subject.pk)
    before = pictures()
    with django_capture_on_commit_callbacks(execute=True):
        picture = Picture(b"y", (1, 1), None) if new else None
        known = authoring.set_preview(subject=known, picture=picture)
    assert before - pictures() == {subject}
    subject.refresh_from_db()
    assert bool(subject.preview) is new
    assert subject.preview.name == known.preview.name
    assert subject.updated_at == NOW
    rest = [*Course.objects.all(), *Lesson.objects.all()]
    assert {row.updated_at for row in rest if row not in {subject, course}} == {LONG_AGO}


@pytest.mark.parametrize("kind", ["course", "lesson"])
def test_a_picture_and_its_time_are_written_at_once(course, lesson, kind):
    """Or nobody would know when the picture came, if the row is deleted in between."""
    subject = course if kind == "course" else lesson
    with CaptureQueriesContext(connection) as queries:
        authoring.set_preview(subject=subject, picture=Picture(b"y", (1, 1), None))
    written = f'UPDATE "lms_{kind}"'
    assert sum(query["sql"].startswith(written) for query in queries) == 1


# --- Putting back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("notify", [True, False])
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *(("course", name) for name in COURSE_CHANGES),
        *(("lesson", name) for name in LESSON_CHANGES),
    ],
)
def test_a_change_is_put_back_as_an_edit_like_any_other(
    course, lesson, author, moderator, kind, field, notify
):
    subject: Any = course if kind == "course" else lesson
    changes = COURSE_CHANGES if kind == "course" else LESSON_CHANGES
    update = authoring.update_course if kind == "course" else authoring.update_lesson
    before = getattr(subject, field)
    argument: Any = {kind: subject}
    update(**argument, changes={field: changes[field]}, by=author, notify=False)
    change = history.change_of(subject, subject.history.first().history_id)
    assert change is not None
    restoring.put_back(subject=subject, change=change, by=moderator, notify=notify)
    subject.refresh_from_db()
    assert getattr(subject, field) == before
    assert subject.history.first().history_user == moderator
    kinds = COURSE_KINDS if kind == "course" else LESSON_KINDS
    assert len(told()) == (1 if notify and field in kinds else 0)


def test_of_a_change_only_what_can_be_put_back_is(course, other, lesson, author):
    title = lesson.title
    changes = {"title": "New", "position": 9, "course": other}
    authoring.update_lesson(lesson=lesson, changes=changes, by=author)
    change = history.change_of(lesson, lesson.history.first().history_id)
    assert change is not None
    restoring.put_back(subject=lesson, change=change, by=author)
    lesson.refresh_from_db()
    assert (lesson.title, lesson.position, lesson.course) == (title, 2, other)


@pytest.mark.parametrize("kind", ["course", "lesson"])
def test_a_replaced_picture_is_not_put_back(course, lesson, author, kind):
    subject = course if kind == "course" else lesson
    authoring.set_preview(subject=subject, picture=Picture(b"y", (1, 1), None))
    change = history.change_of(subject, subject.history.first().history_id)
    assert change is not None
    assert [field.name for field in change.fields] == ["preview"]
    with pytest.raises(restoring.NothingToPutBack):
        restoring.put_back(subject=subject, change=change, by=author)


def test_what_was_created_has_nothing_to_put_back(course, author, nothing_else_changes):
    change = history.change_of(course, course.history.get().history_id)
    assert change is not None
    with pytest.raises(restoring.NothingToPutBack):
        restoring.put_back(subject=course, change=change, by=author)
    nothing_else_changes()


# --- Following ------------------------------------------------------------------------------------


def test_following_and_leaving_is_about_one_person_and_one_course(course, other, learner, stranger):
    for subscribed in (course, other):
        SubscriptionFactory.create(course=subscribed, user=stranger)
    SubscriptionFactory.create(course=other, user=learner)
    assert subscriptions.subscribe(user=learner, course=course) is True
    assert subscriptions.subscribe(user=learner, course=course) is False
    pairs = set(Subscription.objects.values_list("user", "course"))
    assert len(pairs) == Subscription.objects.count() == 4
    for _time in range(2):
        subscriptions.unsubscribe(user=learner, course_id=course.pk)
        left = set(Subscription.objects.values_list("user", "course"))
        assert left == pairs - {(learner.pk, course.pk)}


def test_a_course_that_is_gone_is_followed_by_nobody(course, learner):
    Course.objects.filter(pk=course.pk).delete()
    with pytest.raises(Course.DoesNotExist):
        subscriptions.subscribe(user=learner, course=course)
