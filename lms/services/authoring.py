"""What authors and moderators do to courses and lessons. One service, one transaction."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import copy
from functools import wraps
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from lms.models import ChangeKind, Course, Lesson
from lms.models.visibility import KeepingQuerySet, protect_or_set_null
from lms.services.ordering import close_gaps, move_lesson
from lms.services.updates import Told, save_course
from people.models import User
from project.common.errors import Conflict
from project.common.images import Picture, discard_file, exchange_image, stored_image
from project.common.versions import Expected, check_version, now_after


class HasPayments(Conflict):
    """Of one or more courses or lessons, which it names."""

    code = "has_payments"
    message = _("Someone has paid for this, so it can't be deleted. Unpublish it instead.")

    def __init__(self, *subjects: Course | Lesson) -> None:
        if len(subjects) > 1:
            message = _(
                "Someone has paid for each of these, or is about to, so they can't be deleted: "
                "%(titles)s. Unpublish them instead: whoever has a right to one keeps it, nobody else "
                "sees it any more."
            )
        elif isinstance(subjects[0], Course):
            message = _(
                "Someone has paid for %(titles)s or a lesson of it, or is about to, so it can't be "
                "deleted. Unpublish it instead: whoever has access keeps it, nobody else sees it any "
                "more."
            )
        else:
            message = _(
                "Someone has paid for %(titles)s or its course, or is about to, so it can't be deleted. "
                "Unpublish it instead: those who bought it on its own keep it, nobody else sees it any "
                "more."
            )
        titles = ", ".join(_("“%(title)s”") % {"title": subject} for subject in subjects)
        super().__init__(message % {"titles": titles})


class LessonKept(Conflict):
    code = "has_payments"
    message = _(
        "Someone has paid for this lesson or its course, or is about to, so it can't be moved to another "
        "course. You can unpublish it here and add a new one there."
    )


# What subscribers are told of. Order and pictures are not materials.
COURSE_TOLD = {
    "title": ChangeKind.COURSE_RENAMED,
    "description": ChangeKind.COURSE_TEXT,
    "price": ChangeKind.COURSE_PRICE,
}
LESSON_TOLD = {
    "title": ChangeKind.LESSON_RENAMED,
    "description": ChangeKind.LESSON_TEXT,
    "video_url": ChangeKind.VIDEO_REPLACED,
    "price": ChangeKind.LESSON_PRICE,
}


@transaction.atomic
def create_course(*, owner: User, fields: Mapping[str, object], by: User | None = None) -> Course:
    """Create a course of `owner`; `by` is who does it for them. Raises ValidationError for a
    field."""
    # Whoever renames them at the same moment finds this course, or is waited for.
    owner = User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    course = Course(owner=owner, **fields)
    course.changed_by = by or owner
    course.clean_fields(exclude={"owner"})
    course.save()
    return course


@transaction.atomic
def update_course(
    *,
    course: Course,
    changes: Mapping[str, object],
    by: User,
    notify: bool = True,
    expected: Expected = None,
) -> Course:
    """Change the given fields of a course; a minor edit (`notify` false) is no update for its
    subscribers. Raises ValidationError for a field, ChangedMeanwhile."""
    course = Course.objects.select_for_update().get(pk=course.pk)
    check_version(course, expected)
    course.changed_by = by
    changed = _apply(course, changes)
    if changed:
        told = told_of(COURSE_TOLD, changed) if notify else {}
        save_course(course=course, by=by, fields=[*changed], told=told)
    return course


@transaction.atomic
def change_owner(*, course: Course, owner: User, by: User) -> Course:
    """Make another active person the author of a course. It is no update for its subscribers. Raises
    DoesNotExist if the course is gone or the person blocked meanwhile."""
    # As in `create_course`; and whoever locks a person and a course locks the person first.
    owner = User.objects.active().select_for_update(no_key=True).get(pk=owner.pk)
    course = Course.objects.select_for_update().get(pk=course.pk)
    if owner.pk != course.owner_id:
        course.owner, course.changed_by = owner, by
        save_course(course=course, by=by, fields=["owner", "searched"])
    return course


@transaction.atomic
def delete_course(*, course: Course, by: User, expected: Expected = None) -> None:
    """Delete a course with its lessons and pictures. Raises HasPayments, ChangedMeanwhile."""
    _lock_referring(course)
    course = Course.objects.select_for_update().get(pk=course.pk)
    check_version(course, expected)
    course.changed_by = by
    # The lessons locked as well: a picture that just comes for one of them is among these.
    lessons = course.lessons.select_for_update()
    pictures = [course.preview, *(lesson.preview for lesson in lessons)]
    if is_kept(course):
        raise HasPayments(course)
    course.delete()
    for picture in pictures:
        discard_file(picture)


@transaction.atomic
def create_lesson(
    *, course: Course, fields: Mapping[str, object], by: User, notify: bool = True
) -> Lesson:
    """Add a lesson to a course, at its end unless `position` is given; a minor edit (`notify`
    false) is no update for its subscribers. Raises ValidationError for a field."""
    course = Course.objects.select_for_update().get(pk=course.pk)
    fields = dict(fields)
    place = fields.pop("position", None)
    lesson = Lesson(course=course, position=course.lessons.count(), **fields)
    lesson.changed_by = by
    lesson.clean_fields(exclude={"course"})
    lesson.save()
    move_lesson(lesson, to=place)
    told = told_of_lesson(lesson, {}, came=True) if notify else {}
    save_course(course=course, by=by, told=told, lesson=lesson)
    return lesson


class LessonMoved(Exception):
    """The lesson is in another course than the one that was locked."""


def again_if_moved[**P, R](service: Callable[P, R]) -> Callable[P, R]:
    """Run a service in a transaction, and again in a new one after LessonMoved. The first lets go of
    its locks: whoever held them could lock another course only out of order, and deadlock."""

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        while True:
            with suppress(LessonMoved), transaction.atomic():
                return service(*args, **kwargs)

    return run


@again_if_moved
def update_lesson(
    *,
    lesson: Lesson,
    changes: Mapping[str, object],
    by: User,
    notify: bool = True,
    expected: Expected = None,
) -> Lesson:
    """Change the given fields of a lesson; a minor edit (`notify` false) is no update for the
    subscribers of its course. Raises ValidationError for a field, LessonKept, ChangedMeanwhile."""
    target = changes.get("course")
    lesson, courses = _locked(lesson, *([target.pk] if isinstance(target, Course) else []))
    check_version(lesson, expected)
    if isinstance(target, Course) and target.pk != lesson.course_id and is_kept(lesson):
        raise LessonKept
    lesson.changed_by = by
    changes = dict(changes)
    place = changes.pop("position", None)
    changed = _apply(lesson, changes)
    is_moved = "course" in changed
    reorders = place is not None and not is_moved and move_lesson(lesson, to=place, by=by)
    if changed or reorders:
        lesson.updated_at = now_after(lesson.updated_at)
        lesson.save(update_fields=[*changed, "updated_at"])
        if is_moved:
            for course in courses.values():
                close_gaps(course)
            move_lesson(lesson, to=place)
        for course in courses.values():
            left = course.pk != lesson.course_id
            told = told_of_lesson(lesson, changed, came=is_moved and not left, left=left)
            named = as_told(lesson, told, changed)
            save_course(course=course, by=by, told=told if notify else {}, lesson=named)
    return lesson


@again_if_moved
def delete_lesson(
    *, lesson: Lesson, by: User, notify: bool = True, expected: Expected = None
) -> None:
    """Delete a lesson with its picture; a minor edit (`notify` false) is no update for the
    subscribers of its course. Raises HasPayments, ChangedMeanwhile."""
    _lock_referring(lesson)
    lesson, courses = _locked(lesson)
    check_version(lesson, expected)
    if is_kept(lesson):
        raise HasPayments(lesson)
    removed = copy(lesson)  # keeps its key
    lesson.changed_by = by
    lesson.delete()
    discard_file(lesson.preview)
    course = courses[lesson.course_id]
    close_gaps(course)
    told = told_of_lesson(removed, {}, left=True) if notify else {}
    save_course(course=course, by=by, told=told, lesson=removed)


def is_kept(subject: Course | Lesson) -> bool:
    """Whether somebody has paid for it, for a lesson of the course or for the course of the lesson,
    or is about to: then it is not deleted, and a lesson not moved to another course."""
    if isinstance(subject, Course):
        course, lessons = subject.pk, subject.lessons.all()
    else:
        course, lessons = subject.course_id, Lesson.objects.filter(pk=subject.pk)
    materials = Course.objects.filter(pk=course), lessons
    return any(rows.keeping().exists() for of in materials for rows in _referring(of))


def _lock_referring(subject: Course | Lesson) -> None:
    """Before the course is locked: who moves a payment locks it first, and then gives the access."""
    lessons = subject.lessons.all() if isinstance(subject, Course) else Lesson.objects.none()
    for of in (type(subject)._default_manager.filter(pk=subject.pk), lessons):  # noqa: SLF001 - documented
        for rows in _referring(of):
            list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk"))


def _referring(materials: QuerySet[Any]) -> Iterator[KeepingQuerySet[Any]]:
    """Rows with a key to these that may keep them, whichever app they belong to."""
    for relation in materials.model._meta.related_objects:
        if relation.on_delete is protect_or_set_null:
            others = relation.related_model._default_manager  # noqa: SLF001 - documented
            yield others.filter(**{f"{relation.field.name}__in": materials})


def set_preview[S: (Course, Lesson)](
    *, subject: S, picture: Picture | None, expected: Expected = None
) -> S:
    """Replace the preview of a course or lesson by a cleaned picture; None removes it. Raises
    ChangedMeanwhile.

    Not in a transaction of its own: storing may be slow.
    """
    with stored_image(subject, "preview", picture) as name:
        return _exchange_preview(subject, name, expected)


@again_if_moved
def _exchange_preview[S: (Course, Lesson)](subject: S, name: str, expected: Expected) -> S:
    if isinstance(subject, Lesson):
        row, courses = _locked(subject)
        course = courses[row.course_id]
    else:
        row = course = Course.objects.select_for_update().get(pk=subject.pk)
    check_version(row, expected)
    if name or row.preview:
        exchange_image(row, "preview", name, updated_at=now_after(row.updated_at))
        if isinstance(row, Lesson):
            course.updated_at = now_after(course.updated_at)
            course.save(update_fields=["updated_at"])
    return row


def _locked(lesson: Lesson, *targets: int) -> tuple[Lesson, dict[int, Course]]:
    """Lock a lesson with its course and those that it is to move to: courses first, by their keys.
    Raises DoesNotExist; LessonMoved if it moved while we waited for its course."""
    here = Lesson.objects.filter(pk=lesson.pk).order_by().values("course_id")
    # An OR of the two would have PostgreSQL look at every course.
    there = Course.objects.filter(pk__in=targets).order_by().values("pk")
    wanted = here.union(there) if targets else here
    courses = Course.objects.select_for_update().filter(pk__in=wanted).order_by("pk").in_bulk()
    if not courses.keys() >= {*targets}:
        raise Course.DoesNotExist
    found = Lesson.objects.select_for_update().get(pk=lesson.pk)
    if found.course_id not in courses:
        raise LessonMoved
    found.course = courses[found.course_id]
    return found, {pk: courses[pk] for pk in dict.fromkeys([found.course_id, *targets])}


def _apply(subject: Course | Lesson, changes: Mapping[str, object]) -> dict[str, object]:
    """Set what differs and check it; return the changed fields with the values that they had. What is
    another spelling of what is there already, as of a video's address, is no change."""
    before = {name: getattr(subject, name) for name in changes}
    given = {name: value for name, value in changes.items() if value != before[name]}
    for name, value in given.items():
        setattr(subject, name, value)
    fields = {field.name for field in subject._meta.get_fields()}
    subject.clean_fields(exclude=fields - given.keys())
    return {name: before[name] for name in given if getattr(subject, name) != before[name]}


def told_of(kinds: Mapping[str, ChangeKind], changed: Mapping[str, object]) -> Told:
    """What of the changed fields subscribers are told of."""
    return {kind: changed[field] for field, kind in kinds.items() if field in changed}


def told_of_lesson(
    lesson: Lesson, changed: Mapping[str, object], *, came: bool = False, left: bool = False
) -> Told:
    """What subscribers of a course are told of the changed fields of a lesson, which may have come into
    the course or left it. While it is a draft it is not there for them."""
    was_there = not came and changed.get("is_published", lesson.is_published)
    is_there = not left and lesson.is_published
    if was_there and is_there:
        return told_of(LESSON_TOLD, changed)
    if was_there:
        return {ChangeKind.LESSON_REMOVED: None}
    return {ChangeKind.LESSON_ADDED: None} if is_there else {}


def as_told(lesson: Lesson, told: Told, changed: Mapping[str, object]) -> Lesson:
    """The lesson under the name that subscribers know: one that is gone has that of before."""
    if ChangeKind.LESSON_REMOVED not in told:
        return lesson
    named = copy(lesson)
    named.title = str(changed.get("title", lesson.title))
    return named
