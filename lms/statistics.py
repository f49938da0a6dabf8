"""Who learns a course, by which right, and how far they have come, and who follows it: what its author
looks at."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Self

from django.db.models import Count, F, Min, OuterRef, Prefetch, Q, QuerySet, Subquery

from lms.models import Access, Completion, Course, Lesson, Subscription
from lms.models.access import Progress
from people.models import User
from people.models.querysets import LAST_SEEN
from project.common.db.counting import count_rows, number_of
from project.common.db.search import contains

CHUNK = 1000


class Learner(NamedTuple):
    """With their rights to the course or its lessons, the oldest first."""

    person: User
    since: datetime
    progress: Progress
    rights: list[Access]

    @property
    def id(self) -> int:
        return self.person.pk

    @property
    def first_name(self) -> str:
        return self.person.first_name


class Follower(NamedTuple):
    person: User
    since: datetime


class _Participants[P]:
    """Active people; counts and slices like a queryset."""

    # What they are put in order by, each with `-` for descending.
    orders: ClassVar[dict[str, tuple[str, ...]]] = {
        "name": ("last_name", "first_name"),
        "first_name": ("first_name",),
        "seen": ("seen",),
        "since": ("since",),
    }

    def __init__(self, course: Course, people: QuerySet[Any]) -> None:
        self.course = course
        self.people = people
        self.order = "id"

    def matching(self, text: str, *fields: str) -> Self:
        """Leave those with each word of the text in one of the fields."""
        self.people = self.people.filter(contains(text, *fields))
        return self

    def in_order(self, order: str) -> Self:
        """Equal ones by id, in the same direction."""
        self.order = order
        return self

    def count(self) -> int:
        return count_rows(self.people)

    def __getitem__(self, part: slice) -> list[P]:
        is_backwards, name = self.order.startswith("-"), self.order.removeprefix("-")
        keys = [F(key) for key in (*self.orders.get(name, ()), "pk")]
        rows = self._shown().order_by(*(key.desc() if is_backwards else key.asc() for key in keys))
        return [self._one(row) for row in rows[part]]

    def in_chunks(self) -> Iterator[list[P]]:
        """All of them by id, a bounded number at a time."""
        last = 0
        while rows := list(self._shown().filter(pk__gt=last).order_by("pk")[:CHUNK]):
            yield [self._one(row) for row in rows]
            last = rows[-1].pk

    def _shown(self) -> QuerySet[Any]:
        raise NotImplementedError

    def _one(self, person: Any) -> P:
        raise NotImplementedError


class Learners(_Participants[Learner]):
    """The active people with a right to a course or to one of its lessons."""

    orders: ClassVar = {**_Participants.orders, "progress": ("completed",)}

    def __init__(self, course: Course) -> None:
        super().__init__(course, _learners(course))
        self.lessons = Lesson.objects.published().filter(course=course)
        self.total = self.lessons.count()

    def _shown(self) -> QuerySet[Any]:
        finished = Completion.objects.filter(user=OuterRef("pk"), lesson__in=self.lessons)
        rights = _rights(self.course)
        own = rights.filter(user=OuterRef("pk")).order_by().values("user")
        people = self.people.annotate(
            completed=number_of(finished),
            since=Subquery(own.annotate(first=Min("created_at")).values("first")),
            seen=LAST_SEEN,
        )
        in_order = Prefetch("accesses", rights.order_by("created_at", "id"), to_attr="rights")
        shown: QuerySet[Any] = people.prefetch_related(in_order)
        return shown

    def _one(self, person: Any) -> Learner:
        progress = Progress.of(person.completed, self.total)
        return Learner(person, person.since, progress, person.rights)


class Followers(_Participants[Follower]):
    """The active people who hear of updates of a course."""

    def __init__(self, course: Course) -> None:
        followers = Subscription.objects.filter(course=course).values("user")
        super().__init__(course, User.objects.active().filter(pk__in=followers))

    def _shown(self) -> QuerySet[Any]:
        own = Subscription.objects.filter(course=self.course, user=OuterRef("pk"))
        since = Subquery(own.values("created_at"))
        shown: QuerySet[Any] = self.people.annotate(since=since, seen=LAST_SEEN)
        return shown

    def _one(self, person: Any) -> Follower:
        return Follower(person, person.since)


class CourseFigures(NamedTuple):
    learners: int
    subscribers: int
    lessons: list[Lesson]


def figures_of(course: Course) -> CourseFigures:
    """How many learn and follow a course, and how many learners have completed each lesson."""
    learners = _learners(course)
    finished = Count("completions", filter=Q(completions__user__in=learners.values("pk")))
    lessons = course.lessons.annotate(completions_count=finished).order_by("position", "id")
    return CourseFigures(learners.count(), Followers(course).people.count(), list(lessons))


def _learners(course: Course) -> QuerySet[User]:
    """An OR of the two would have PostgreSQL look at every right."""
    whole, single = (
        Access.objects.active().filter(**{of: course}).order_by().values("user")
        for of in ("course", "lesson__course")
    )
    people: QuerySet[User] = User.objects.active()
    return people.filter(pk__in=whole.union(single, all=True))


def _rights(course: Course) -> QuerySet[Access]:
    return Access.objects.active().filter(Q(course=course) | Q(lesson__course=course))
