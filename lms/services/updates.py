"""When the subscribers of a course hear of a change (docs/rules.md, 9).

What one request or one saved form changes is one update. It is told at once if the course had been
quiet for more than the period before it, and if no mail about the course went out within the period;
otherwise it is collected. Collected changes go out in one mail as soon as the course has been quiet
for more than the period. So a course sends at most one mail per period, and each recorded change goes
out with exactly one.

Prices are no materials: a change of one sends no mail and starts no period, but is collected, and told by
the next mail about the course.

A draft sends nothing: its changes start the quiet period but are not recorded. Changes that were
collected when a course was unpublished wait, and go out if it is published again; with the course
they are deleted.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from types import MappingProxyType

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.mails import Line, are_mailed, lines_about
from lms.models import ChangeKind, Course, CourseChange, CourseUpdate, Lesson
from lms.models.digests import AT_ONCE_MAIL
from lms.models.updates import PRICES, courses_to_tell
from people.models import User
from project.common.errors import Conflict
from project.common.versions import now_after
from project.mail.services import send_to_audience

# What is told, and what was there before.
type Told = Mapping[ChangeKind, object]
# Courses whose collected changes one task sends off.
COURSES_AT_ONCE = 200
# By how much the clocks of two hosts may differ.
CLOCK_TOLERANCE = timedelta(minutes=1)


class Update:
    """What one request or one saved form changes: the courses of which something is told."""

    def __init__(self) -> None:
        self.courses: dict[int, Course] = {}
        # What was sent off.
        self.told: dict[int, CourseUpdate] = {}
        # Those that had been quiet before the first change, and those that were drafts.
        self.quiet: set[int] = set()
        self.drafts: set[int] = set()

    def tell(self) -> None:
        """Send off what is due at once; the rest is collected."""
        now = timezone.now()
        for course_id, course in self.courses.items():
            if course_id in self.quiet and not was_just_told(course, now):
                self.told[course_id] = _tell(course, now)


def is_quiet(course: Course, now: datetime) -> bool:
    return now - course.materials_updated_at > settings.COURSE_UPDATE_QUIET_PERIOD


def was_just_told(course: Course, now: datetime) -> bool:
    """Whether a mail about the course went out within the period."""
    since = now - settings.COURSE_UPDATE_QUIET_PERIOD
    return course.updates.filter(created_at__range=(since, now)).exists()


_under_way: ContextVar[Update | None] = ContextVar("update", default=None)


@contextmanager
def one_update() -> Iterator[Update]:
    """Make all that is changed inside one update: whether subscribers are told at once is decided at
    its end. Inside another one it is part of that. To be used in the transaction of all changes."""
    outer = _under_way.get()
    if outer is not None:
        yield outer
        return
    update = Update()
    token = _under_way.set(update)
    try:
        yield update
        update.tell()
    finally:
        _under_way.reset(token)


def save_course(
    *,
    course: Course,
    by: User,
    fields: Sequence[str] = (),
    told: Told = MappingProxyType({}),
    lesson: Lesson | None = None,
) -> None:
    """Save the given fields of a course and the time of its change, and write down what
    subscribers are to be told of it, or of its `lesson`. This is an update, or part of the one that
    is under way.

    To be called in the transaction of the change, with the row of the course locked: of two
    simultaneous changes the second sees the first.
    """
    now = timezone.now()
    was_quiet = is_quiet(course, now)
    course.updated_at = now_after(course.updated_at)
    times = ["updated_at"]
    is_update = bool(told.keys() - PRICES)
    if is_update:
        course.materials_updated_at = now
        times.append("materials_updated_at")
    with one_update() as update:
        course.save(update_fields=[*fields, *times])
        if "is_published" in fields:
            update.drafts.add(course.pk)
        was_draft = course.pk in update.drafts
        changes = changes_of(course, told, lesson, by=by, at=now, was_draft=was_draft)
        if changes:
            CourseChange.objects.bulk_create(changes)
            update.courses[course.pk] = course
            if was_quiet and is_update:
                update.quiet.add(course.pk)


def tell_collected() -> int:
    """Send off the collected changes of courses that are quiet again, COURSES_AT_ONCE at most.
    Returns the number of courses."""
    at = timezone.now()
    # A clock that ran ahead and was set back left times in the future: the quiet period of these
    # courses starts now, or their subscribers would hear nothing until then.
    Course.objects.filter(
        materials_updated_at__gt=at + CLOCK_TOLERANCE,
        pk__in=CourseChange.objects.filter(update=None).values("course"),
    ).update(materials_updated_at=at)
    told = 0
    for course_id in list(courses_to_tell(at=at).values_list("pk", flat=True)[:COURSES_AT_ONCE]):
        with transaction.atomic():
            Course.objects.select_for_update().filter(pk=course_id).first()
            # Asked again under the lock: somebody may have changed the course, or told of it.
            course = courses_to_tell(at=at).filter(pk=course_id).first()
            if course is None:
                continue
            lines = lines_about(course, list(course.changes.collected()))
            if are_mailed(lines):
                _tell(course, at)
                told += 1
            else:
                _settle_undone(course, prices=not lines)
    return told


def changes_of(
    course: Course,
    told: Told,
    lesson: Lesson | None,
    *,
    by: User,
    at: datetime,
    was_draft: bool,
) -> list[CourseChange]:
    """What is written down for the subscribers of a course; nothing of a draft. Of one that was a draft
    nobody knew what was there before."""
    if not course.is_published:
        return []
    return [
        CourseChange.of(course, kind, None if was_draft else before, lesson, by=by, at=at)
        for kind, before in told.items()
        if not (was_draft and kind in PRICES)
    ]


class NothingWaits(Conflict):
    code = "nothing_waits"
    message = _("No changes of this course wait any more: they were sent, dropped or undone.")


@transaction.atomic
def hasten(course: Course) -> None:
    """Send off what was collected of a published course now. Raises NothingWaits."""
    course = Course.objects.select_for_update().get(pk=course.pk)
    if not (course.is_published and lines_about(course, list(course.changes.collected()))):
        raise NothingWaits
    _tell(course, timezone.now())


@transaction.atomic
def drop(course: Course, *, up_to: int) -> list[Line]:
    """Forget what was collected of a course up to this change, the last that somebody saw, so that nobody
    is mailed; return what that was. Raises NothingWaits."""
    course = Course.objects.select_for_update().get(pk=course.pk)
    changes = list(course.changes.collected().filter(pk__lte=up_to))
    if not changes:
        raise NothingWaits
    CourseChange.objects.filter(pk__in=[change.pk for change in changes]).delete()
    return lines_about(course, changes)


def _settle_undone(course: Course, *, prices: bool) -> None:
    """Of changes that were undone there is nothing to mail; they count as told when they were made. Prices
    wait on, unless they were undone as well."""
    update = CourseUpdate.objects.create(course=course, created_at=course.materials_updated_at)
    undone = course.changes.collected()
    (undone if prices else undone.of_materials()).update(update=update)


def _tell(course: Course, at: datetime) -> CourseUpdate:
    """Put all that was collected into one mail; nothing at all if nobody subscribed."""
    update = CourseUpdate.objects.create(course=course, created_at=at)
    course.changes.collected().update(update=update)
    send_to_audience(AT_ONCE_MAIL, update.pk, title=course.title)
    return update
