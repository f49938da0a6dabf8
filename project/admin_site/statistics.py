"""Numbers about large tables, counted from time to time.

What staff have to decide about is not among them: that is asked for each time, and its queries do
not grow with the tables.
"""

import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from lms.models import Course, Lesson, Subscription
from payments.models import LedgerEntry
from people.models import User
from project.admin_site.models import Figure
from project.school.current import current_school

DAYS = 30
RANKED = 10
TITLE_LENGTH = 32
# A figure of this age is shown without a second thought.
FRESH = timedelta(seconds=60)
# What was counted in less is counted again as soon as it is not fresh; the rest by the worker,
# each ten minutes; and if there is none, by whoever finds it older than this.
QUICK_SECONDS = 0.05
STALE = timedelta(hours=1)


def last_days() -> list[date]:
    """The last DAYS days, today included, in the active time zone."""
    today = timezone.localdate()
    return [today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]


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


def count_payments() -> list[tuple[str, str, str]]:
    """Day, method and sum of each."""
    revenue = LedgerEntry.objects.revenue_per_day(since=last_days()[0])
    return [(day.isoformat(), method, str(total)) for day, method, total in revenue]


def revenue_of(rows: list[tuple[str, str, str]]) -> list[tuple[date, str, Decimal]]:
    return [(date.fromisoformat(day), method, Decimal(total)) for day, method, total in rows]


def count_content() -> dict[str, Any]:
    top: Any = list(Course.objects.by_subscribers()[:RANKED])
    learnt: Any = Course.objects.filter(pk__in=[course.pk for course in top]).with_completion()
    completion = [
        (
            _shortened(course.title),
            round(100 * course.completions_count / (course.learners_count * course.lessons_count)),
        )
        for course in learnt
        if course.learners_count and course.lessons_count
    ]
    return {
        "published": Course.objects.published().count(),
        "drafts": Course.objects.filter(is_published=False).count(),
        "lessons": Lesson.objects.count(),
        "subscriptions": Subscription.objects.count(),
        "top": [(_shortened(course.title), course.subscribers_count) for course in top],
        "completion": sorted(completion, key=lambda entry: -entry[1]),
    }


def _shortened(title: str) -> str:
    return title if len(title) <= TITLE_LENGTH else f"{title[: TITLE_LENGTH - 1]}…"


def count_people() -> dict[str, Any]:
    since = timezone.now() - timedelta(days=DAYS)
    return {
        "active": User.objects.active().count(),
        "blocked": User.objects.blocked().count(),
        "joined": _by_iso_day(User.objects.per_day("date_joined", since=since)),
        "seen": _by_iso_day(User.objects.per_day("last_login", since=since)),
    }


def _by_iso_day(numbers: dict[date, int]) -> dict[str, int]:
    return {day.isoformat(): number for day, number in numbers.items()}


COUNTERS: dict[str, Callable[[], Any]] = {
    "payments": count_payments,
    "content": count_content,
    "people": count_people,
}
