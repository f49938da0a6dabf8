"""Who will hear of changes of a course, and when: what staff see before and after they save."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from django.conf import settings
from django.db.models import Case, Count, F, Value, When
from django.utils import timezone

from lms.mails import Line, are_mailed, lessons_by_course, lessons_of, lines_of
from lms.models import Course, CourseChange, CourseUpdate, Lesson, Subscription
from lms.models.subscriptions import CHOICE
from lms.models.updates import PRICES
from lms.services.updates import is_quiet, was_just_told
from people.models import CourseMails

DAILY = Value(CourseMails.DAILY.value)

type Part = tuple[Course, Sequence[CourseChange], Mapping[int, Lesson | None], datetime | None]


@dataclass(frozen=True)
class Forecast:
    """What becomes of changes of a course: what the mail says, to how many people it goes, and when;
    None: at once. And how many read of them in their daily mail instead."""

    course: Course
    changes: Sequence[CourseChange]
    lines: Sequence[Line]
    number: int
    daily: int
    at: datetime | None

    @property
    def is_sent(self) -> bool:
        """False: a draft sends nothing, and what was undone neither; prices wait for another change."""
        return self.course.is_published and are_mailed(self.lines)


def of_update(update: CourseUpdate) -> Forecast:
    """Of what was just sent off."""
    changes = list(update.changes.all())
    [forecast] = _forecasts([(update.course, changes, lessons_of(update.course, changes), None)])
    return forecast


def of_edit(
    course: Course, made: Sequence[CourseChange], lessons: Mapping[int, Lesson | None]
) -> Forecast:
    """Of what waits and of changes that somebody is about to make, none of which is saved: neither
    these, nor what they make of the course and its `lessons`."""
    now = timezone.now()
    is_update = any(change.kind not in PRICES for change in made)
    at = (now if is_update else course.materials_updated_at) + settings.COURSE_UPDATE_QUIET_PERIOD
    is_told_at_once = is_update and is_quiet(course, now) and not was_just_told(course, now)
    collected = list(course.changes.collected())
    known = {**lessons_of(course, collected), **lessons}
    [forecast] = _forecasts([(course, [*collected, *made], known, None if is_told_at_once else at)])
    return forecast


def of_collected(courses: Iterable[Course]) -> list[Forecast]:
    """Of what waits, if nobody changes the courses again."""
    courses = list(courses)
    waiting: dict[int, list[CourseChange]] = defaultdict(list)
    collected = CourseChange.objects.collected().filter(course__in=courses)
    for change in collected.select_related("changed_by"):
        waiting[change.course_id].append(change)
    lessons = lessons_by_course(courses, chain(*waiting.values()))
    period = settings.COURSE_UPDATE_QUIET_PERIOD
    return _forecasts(
        [
            (course, waiting[course.pk], lessons[course.pk], course.materials_updated_at + period)
            for course in courses
        ]
    )


def _forecasts(parts: Sequence[Part]) -> list[Forecast]:
    numbers = _numbers(
        {
            course.pk: _hear_nothing(course, changes, lessons)
            for course, changes, lessons, _at in parts
        },
        {
            course.pk: min(change.pk for change in changes if change.pk)
            for course, changes, _lessons, _at in parts
            if any(change.pk for change in changes)
        },
    )
    return [
        Forecast(
            course,
            changes,
            lines_of(course, changes, lessons),
            number=numbers[course.pk, CourseMails.AT_ONCE],
            daily=numbers[course.pk, CourseMails.DAILY],
            at=at,
        )
        for course, changes, lessons, at in parts
    ]


def _hear_nothing(
    course: Course, changes: Sequence[CourseChange], lessons: Mapping[int, Lesson | None]
) -> set[int]:
    """Those who made the changes, if nothing is left to tell them of the changes of others."""
    authors = {change.changed_by_id for change in changes if change.changed_by_id}
    return {
        author
        for author in authors
        if not lines_of(course, [one for one in changes if one.changed_by_id != author], lessons)
    }


def _numbers(
    without: Mapping[int, set[int]], firsts: Mapping[int, int]
) -> dict[tuple[int, str], int]:
    """How many subscribers of each course, but for those people, hear of it in which way. `firsts` are
    the first changes that are saved."""
    reached = Subscription.objects.reached().alias(choice=CHOICE).filter(course__in=without)
    # Whom a daily mail told of the beginning, that tells the rest (`CourseUpdateMail.audience`).
    begun = [
        When(course=course, digested_up_to__gte=first, choice=CourseMails.AT_ONCE, then=DAILY)
        for course, first in firsts.items()
    ]
    reached = reached.annotate(way=Case(*begun, default=F("choice")))
    rows = reached.order_by().values("course", "way").annotate(number=Count("pk"))
    numbers: dict[tuple[int, str], int] = defaultdict(int)
    for course, way, number in rows.values_list("course", "way", "number"):
        numbers[course, way] = number
    people = set().union(*without.values())
    for course, way, person in reached.filter(user__in=people).values_list("course", "way", "user"):
        numbers[course, way] -= person in without[course]
    return numbers
