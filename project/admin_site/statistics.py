"""Numbers about large tables, counted from time to time.

What staff have to decide about is not among them: that is asked for each time, and its queries do
not grow with the tables.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import batched
from typing import Any

from django.utils import timezone

from lms.models import Course, Lesson, Subscription
from lms.models.courses import CourseQuerySet
from lms.statistics import completed_per_day, courses_finished, learners_in
from payments import statistics as accounts
from payments.models.ledger import DaySum
from payments.statistics import Sums
from people.models import User
from project.admin_site.models import Figure
from project.admin_site.periods import DAY, PERIODS, counted_since, period_of
from project.common.admin.filters import midnight
from project.school.current import current_school

RANKED = 10
# A figure of this age is shown without a second thought.
FRESH = timedelta(seconds=60)
# What was counted in less is counted again as soon as it is not fresh; the rest by the worker,
# each ten minutes; and if there is none, by whoever finds it older than this.
QUICK_SECONDS = 0.05
STALE = timedelta(hours=1)


def kept(name: str) -> Any:
    """What the counter of this name returned not long ago. The same for everybody who asks."""
    figure = Figure.objects.filter(name=name).first()
    if figure is None:
        return count(name)
    age = timezone.now() - figure.counted_at
    is_due = age > (FRESH if figure.seconds < QUICK_SECONDS else STALE)
    return count(name) if is_due else figure.value


def count(name: str) -> Any:
    """Count anew, and keep it. A day is one of the school's, whoever counts."""
    now, began = timezone.now(), time.monotonic()
    with timezone.override(current_school().zone):
        value = COUNTERS[name]()
    taken = {"value": value, "counted_at": now, "seconds": time.monotonic() - began}
    Figure.objects.update_or_create(name=name, defaults=taken)
    return value


def count_slow_ones() -> int:
    """Count anew what somebody has asked for and takes long; return how many those are."""
    slow = Figure.objects.filter(seconds__gte=QUICK_SECONDS, name__in=COUNTERS)
    names = list(slow.values_list("name", flat=True))
    for name in names:
        count(name)
    return len(names)


def count_payments() -> list[tuple[str, str, str, str, int]]:
    """What moved on each day, however it was paid."""
    found: dict[tuple[date, str, str], tuple[Decimal, int]] = {}
    for row in accounts.days_since(counted_since()).rows:
        key = (row.day, row.kind, row.currency)
        amount, entries = found.get(key, (Decimal(0), 0))
        found[key] = (amount + row.amount, entries + row.entries)
    return [
        (day.isoformat(), kind, currency, str(amount), entries)
        for (day, kind, currency), (amount, entries) in found.items()
    ]


def sums_of(rows: Iterable[tuple[str, str, str, str, int]]) -> Sums:
    """What `count_payments` counted."""
    return Sums(
        tuple(
            DaySum(date.fromisoformat(day), "", kind, currency, Decimal(amount), entries)
            for day, kind, currency, amount, entries in rows
        )
    )


def count_content() -> dict[str, Any]:
    return content_of(Course.objects.all())


def content_of(courses: CourseQuerySet) -> dict[str, Any]:
    """How many there are of these courses, and those that most people follow, each with its key."""
    top: Any = list(courses.by_subscribers()[:RANKED])
    learnt: Any = Course.objects.filter(pk__in=[course.pk for course in top]).with_completion()
    completion = [
        (
            course.pk,
            course.title,
            round(100 * course.completions_count / (course.learners_count * course.lessons_count)),
        )
        for course in learnt
        if course.learners_count and course.lessons_count
    ]
    return {
        "published": courses.published().count(),
        "drafts": courses.filter(is_published=False).count(),
        "lessons": Lesson.objects.filter(course__in=courses).count(),
        "subscriptions": Subscription.objects.filter(course__in=courses).count(),
        "top": [(course.pk, course.title, course.subscribers_count) for course in top],
        "completion": sorted(completion, key=lambda entry: -entry[2]),
    }


def count_people() -> dict[str, Any]:
    since = midnight(counted_since())
    return {
        "active": User.objects.active().count(),
        "blocked": User.objects.blocked().count(),
        "joined": _by_iso_day(User.objects.per_day("date_joined", since=since)),
    }


def count_learning() -> dict[str, Any]:
    """Of each day: the lessons that were completed, by how many people, and the courses of which somebody
    completed the last lesson. And how many people learnt in each period, and before it."""
    since = midnight(counted_since())
    days = completed_per_day(since)
    finished = Counter(timezone.localdate(moment) for moment in courses_finished(since))
    periods = [period_of(name) for name in PERIODS]
    spans = [span for period in periods for span in (period.shown, period.before)]
    learners = learners_in([(midnight(one.first), midnight(one.last + DAY)) for one in spans])
    return {
        "completed": _by_iso_day({day: lessons for day, lessons, _people in days}),
        "active": _by_iso_day({day: people for day, _lessons, people in days}),
        "finished": _by_iso_day(finished),
        "learners": dict(zip(PERIODS, batched(learners, 2), strict=True)),
    }


def _by_iso_day(numbers: Mapping[date, int]) -> dict[str, int]:
    return {day.isoformat(): number for day, number in numbers.items()}


COUNTERS: dict[str, Callable[[], Any]] = {
    "payments": count_payments,
    "content": count_content,
    "people": count_people,
    "learning": count_learning,
}
