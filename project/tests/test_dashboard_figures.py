"""Figures of large tables are counted from time to time, and not by who looks at them."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from lms.models import Access, AccessSource, Completion
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from people.tests.factories import UserFactory
from project.admin_site import statistics
from project.admin_site.models import Figure
from project.admin_site.tasks import count_figures

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock():
    # Half past one in Moscow, a day later than in Greenwich.
    with time_machine.travel(datetime(2026, 11, 23, 22, 30, tzinfo=UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def drafts(client_of, administrator):
    """What the dashboard says at the moment of the number of drafts."""

    def read():
        panels = client_of(administrator).get(reverse("admin:index")).context["panels"]
        [figure] = [entry for panel in panels for entry in panel.figures if entry.title == "Drafts"]
        return figure.value

    return read


def age(*, took, **by):
    counted_at = timezone.now() - timedelta(**by)
    Figure.objects.update(counted_at=counted_at, seconds=took)


@pytest.mark.parametrize(
    ("by", "took", "expected"),
    [
        ({"seconds": 60}, 0.049, 0),
        ({"seconds": 60, "microseconds": 1}, 0.049, 1),
        ({"seconds": 90}, 0.05, 0),
        ({"minutes": 60}, 2.0, 0),
        ({"minutes": 60, "microseconds": 1}, 2.0, 1),
    ],
    ids=["fresh", "quick to count", "slow to count", "the worker's turn", "there is no worker"],
)
def test_what_is_slow_to_count_is_left_to_the_worker(drafts, clock, by, took, expected):
    assert drafts() == 0
    CourseFactory.create()
    age(took=took, **by)
    assert drafts() == expected


def test_worker_counts_what_is_slow(drafts):
    assert drafts() == 0
    CourseFactory.create()
    age(took=2.0, minutes=5)
    number = Figure.objects.count()
    assert count_figures() == {"figures_counted": number}
    assert drafts() == 1


@pytest.mark.parametrize(("took", "number"), [(0.049, 0), (0.05, 1)])
def test_slow_is_what_takes_a_twentieth_of_a_second(clock, ticks, monkeypatch, took, number):
    def count():
        ticks.now += took
        return 7

    ticks.now = 0.0
    monkeypatch.setitem(statistics.COUNTERS, "content", count)
    assert statistics.count("content") == 7
    figure = Figure.objects.get()
    assert (figure.value, figure.counted_at, figure.seconds) == (7, timezone.now(), took)
    assert count_figures() == {"figures_counted": number}


def test_people_are_counted_by_the_day_and_blocked_ones_apart(clock):
    now, month = timezone.now(), timedelta(days=30)
    UserFactory.create(date_joined=now - 2 * month, last_login=now)
    UserFactory.create(date_joined=now - month, last_login=now - timedelta(hours=2))
    UserFactory.create(date_joined=now - month - timedelta(seconds=1))
    UserFactory.create(date_joined=now, last_login=now, blocked=True)
    UserFactory.create(date_joined=datetime(2024, 12, 31, 20, 59, tzinfo=UTC), blocked=True)
    assert statistics.count("people") == {
        "active": 3,
        "blocked": 2,
        "joined": {"2026-09-25": 1, "2026-10-25": 2, "2026-11-24": 1},
    }


def test_content_is_counted_drafts_apart_and_the_most_followed_first(author):
    courses = [
        CourseFactory.create(owner=author, title=f"{number} {'x' * 30}", is_published=number > 1)
        for number in range(13)
    ]
    LessonFactory.create_batch(3, course=courses[0])
    for number, course in enumerate(courses[:12]):
        SubscriptionFactory.create_batch(1 + (number == 5), course=course)
    counted = statistics.count("content")
    assert [counted[name] for name in ("published", "drafts", "lessons", "subscriptions")] == [
        11,
        2,
        3,
        13,
    ]
    # Ten; of equals the newer one.
    followed = [courses[place] for place in (5, 11, 10, 9, 8, 7, 6, 4, 3, 2)]
    numbers = [2] + [1] * 9
    assert counted["top"] == [
        (course.pk, course.title, number) for course, number in zip(followed, numbers, strict=True)
    ]


def test_completion_is_of_those_who_may_learn_the_course_today(author):
    """What those finished whose right was taken back, or who have a lesson only, is not counted."""
    now = timezone.now()
    for title, finished in [("Bread", 1), ("Cheese", 3), ("Butter", 0)]:
        course = CourseFactory.create(owner=author, title=title, published=True)
        lessons = LessonFactory.create_batch(2, course=course)
        people = UserFactory.create_batch(4)
        SubscriptionFactory.create(course=course)
        for person, revoked_at in zip(people, [None, None, now, now], strict=True):
            Access.objects.create(
                user=person, course=course, source=AccessSource.GRANT, revoked_at=revoked_at
            )
        for number in range(finished):
            Completion.objects.create(user=people[number // 2], lesson=lessons[number % 2])
        for person in people[2:]:
            Completion.objects.create(user=person, lesson=lessons[0])
    no_lessons = CourseFactory.create(owner=author, title="No lessons")
    Access.objects.create(user=author, course=no_lessons, source=AccessSource.GRANT)
    no_learners = LessonFactory.create(course__title="No learners").course
    for course in (no_lessons, no_learners):
        SubscriptionFactory.create(course=course)
    completion = statistics.count("content")["completion"]
    assert [entry[1:] for entry in completion] == [("Cheese", 75), ("Bread", 25), ("Butter", 0)]


def test_learning_is_counted_by_the_day_and_by_people(clock, author):
    """Each learner once in a period, however much they learn; a course is finished with the last of its
    published lessons, once."""
    now = timezone.now()
    course = CourseFactory.create(owner=author, published=True)
    lessons = LessonFactory.create_batch(2, course=course)
    LessonFactory.create(course=course, is_published=False)
    first, second = UserFactory.create_batch(2)
    for user, lesson, days in [
        (first, lessons[0], 31),
        (first, lessons[1], 0),
        (second, lessons[0], 0),
        (second, LessonFactory.create(), 6),
    ]:
        Completion.objects.create(user=user, lesson=lesson, created_at=now - timedelta(days=days))
    counted = statistics.count("learning")
    assert counted["completed"] == {"2026-10-24": 1, "2026-11-18": 1, "2026-11-24": 2}
    assert counted["active"] == {"2026-10-24": 1, "2026-11-18": 1, "2026-11-24": 2}
    # A draft is no part of its course.
    assert counted["finished"] == {"2026-11-24": 1, "2026-11-18": 1}
    learners = {name: tuple(both) for name, both in counted["learners"].items()}
    assert learners == {
        "7-days": (2, 0),
        "30-days": (2, 1),
        "month": (2, 1),
        "last-month": (1, 0),
        "quarter": (2, 0),
        "year": (2, 0),
    }


def test_worker_leaves_alone_what_is_quick_and_what_is_unknown(drafts):
    drafts()
    age(took=0.001, minutes=5)
    Figure.objects.create(name="of an older version", value=1, counted_at=timezone.now(), seconds=9)
    assert count_figures() == {"figures_counted": 0}


def test_each_panel_s_figures_survive_json(client_of, administrator):
    for _time in range(2):  # as they were counted, and as they were kept
        assert client_of(administrator).get(reverse("admin:index")).status_code == 200
    assert set(Figure.objects.values_list("name", flat=True)) == set(statistics.COUNTERS)
