"""Who learns a course, by which right, and how far they have come, and who follows it: what its author
looks at."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import batched
from typing import Any, ClassVar, NamedTuple, Self

from django.db.models import Count, F, Max, Min, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import TruncDate

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
    progress: Progress
    rights: list[Access]

    @property
    def id(self) -> int:
        return self.person.pk

    @property
    def first_name(self) -> str:
        return self.person.first_name

    @property
    def since(self) -> datetime | None:
        """None: what they had was taken back at this moment."""
        return self.rights[0].created_at if self.rights else None


class Follower(NamedTuple):
    person: User
    since: datetime


class _Participants[P]:
    """Active people; counts and slices like a queryset. At first only the keys of those on the page are looked for,
    and what is told of these is read afterwards: there may be a hundred thousand others."""

    # What they are put in order by, each with `-` for descending.
    ORDERS: ClassVar[dict[str, tuple[Any, ...]]] = {
        "name": (F("last_name"), F("first_name")),
        "first_name": (F("first_name"),),
        "seen": (LAST_SEEN,),
        "since": (F("since"),),
    }

    order = "id"

    def __init__(self, course: Course) -> None:
        self.course = course
        self.orders = {**self.ORDERS}
        # Their keys, with `since`.
        self.people = self._found()

    def _found(self) -> QuerySet[Any, Any]:
        raise NotImplementedError

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
        return self._told_of(list(self._keys()[part]))

    def in_chunks(self) -> Iterator[list[P]]:
        """All of them, a bounded number at a time."""
        for keys in batched(list(self._keys()), CHUNK, strict=False):
            yield self._told_of(keys)

    def _keys(self) -> QuerySet[Any, int]:
        is_backwards, name = self.order.startswith("-"), self.order.removeprefix("-")
        order = [*self.orders.get(name, ()), F("pk")]
        in_order = [one.desc() if is_backwards else one.asc() for one in order]
        keys: QuerySet[Any, int] = self.people.order_by(*in_order).values_list("pk", flat=True)
        return keys

    def _told_of(self, keys: Sequence[int]) -> list[P]:
        rows = self._with_shown(User.objects.filter(pk__in=keys)).in_bulk()
        return [self._one(rows[key]) for key in keys if key in rows]

    def _with_shown(self, people: QuerySet[Any]) -> QuerySet[Any]:
        raise NotImplementedError

    def _one(self, person: Any) -> P:
        raise NotImplementedError


class Learners(_Participants[Learner]):
    """The active people with a right to a course or to one of its lessons."""

    def __init__(self, course: Course) -> None:
        lessons = course.lessons.values_list("pk", "is_published")
        # Not looked up by the database for each person.
        self.lessons = [key for key, _is_published in lessons]
        self.published = [key for key, is_published in lessons if is_published]
        super().__init__(course)
        self.orders["progress"] = (self._completed(),)

    def _found(self) -> QuerySet[Any, Any]:
        held = self._rights_in("accesses__")
        people = User.objects.active().filter(held, accesses__revoked_at=None).values("pk")
        found: QuerySet[Any, Any] = people.annotate(since=Min("accesses__created_at"))
        return found

    def _rights_in(self, prefix: str) -> Q:
        of_lessons = Q(**{f"{prefix}lesson__in": self.lessons}) if self.lessons else Q()
        return Q(**{f"{prefix}course": self.course}) | of_lessons

    def _completed(self) -> Subquery:
        finished = Completion.objects.filter(user=OuterRef("pk"), lesson__in=self.published)
        return number_of(finished)

    def _with_shown(self, people: QuerySet[Any]) -> QuerySet[Any]:
        rights = Access.objects.active().filter(self._rights_in("")).order_by("created_at", "id")
        counted = people.annotate(completed=self._completed())
        shown: QuerySet[Any] = counted.prefetch_related(
            Prefetch("accesses", rights, to_attr="rights")
        )
        return shown

    def _one(self, person: Any) -> Learner:
        # None where no lesson is published: Django asks nothing then.
        progress = Progress.of(person.completed or 0, len(self.published))
        return Learner(person, progress, person.rights)


class Followers(_Participants[Follower]):
    """The active people who hear of updates of a course."""

    def _found(self) -> QuerySet[Any, Any]:
        people = User.objects.active().filter(subscriptions__course=self.course).values("pk")
        found: QuerySet[Any, Any] = people.annotate(since=F("subscriptions__created_at"))
        return found

    def _with_shown(self, people: QuerySet[Any]) -> QuerySet[Any]:
        own = Subscription.objects.filter(course=self.course, user=OuterRef("pk"))
        shown: QuerySet[Any] = people.annotate(since=Subquery(own.values("created_at")))
        return shown

    def _one(self, person: Any) -> Follower:
        return Follower(person, person.since)


class CourseFigures(NamedTuple):
    learners: int
    subscribers: int
    lessons: list[Lesson]


def figures_of(course: Course) -> CourseFigures:
    """How many learn and follow a course, and how many learners have completed each lesson."""
    learners = Learners(course).people
    finished = Count("completions", filter=Q(completions__user__in=learners.values("pk")))
    lessons = course.lessons.annotate(completions_count=finished).order_by("position", "id")
    return CourseFigures(learners.count(), Followers(course).people.count(), list(lessons))


def completed_per_day(since: datetime) -> list[tuple[date, int, int]]:
    """How many lessons were completed on each day since then, and by how many people, in the active time
    zone."""
    recent = Completion.objects.filter(created_at__gte=since)
    days = recent.annotate(day=TruncDate("created_at")).order_by().values_list("day")
    return list(days.annotate(Count("pk"), Count("user", distinct=True)))


def learners_in(spans: Sequence[tuple[datetime, datetime]]) -> list[int]:
    """How many people completed a lesson in each of these times, all of them asked for at once."""
    people = {
        f"in_{place}": Count(
            "user", distinct=True, filter=Q(created_at__gte=start, created_at__lt=end)
        )
        for place, (start, end) in enumerate(spans)
    }
    return list(Completion.objects.aggregate(**people).values())


def courses_finished(since: datetime) -> Iterator[datetime]:
    """When, since then, somebody completed the last of all published lessons of a course."""
    lessons = Lesson.objects.published().order_by().values_list("course")
    numbers = dict(lessons.annotate(Count("pk")))
    published = Completion.objects.filter(lesson__is_published=True).order_by()
    learnt = published.values_list("user", "lesson__course")
    counted = learnt.annotate(number=Count("pk"), last=Max("created_at")).filter(last__gte=since)
    for _user, course, number, last in counted.iterator():
        if number == numbers[course]:
            yield last
