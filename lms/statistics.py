"""Who learns a course, by which right, and how far they have come: what its author looks at."""

from typing import Any, NamedTuple

from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet

from lms.models import Access, Completion, Course, Lesson, Subscription
from lms.models.access import Progress
from people.models import User
from project.common.db.counting import count_rows, number_of


class Learner(NamedTuple):
    id: int
    first_name: str
    progress: Progress
    rights: list[Access]


class Learners:
    """The active people with a right to a course or to one of its lessons; counts and slices like
    a queryset."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.people = _learners(course)

    def count(self) -> int:
        return count_rows(self.people)

    def __getitem__(self, part: slice) -> list[Learner]:
        lessons = Lesson.objects.published().filter(course=self.course)
        finished = Completion.objects.filter(user=OuterRef("pk"), lesson__in=lessons)
        rights = Prefetch("accesses", _rights(self.course).order_by("id"), to_attr="rights")
        people: QuerySet[Any] = self.people.annotate(completed=number_of(finished))
        total = lessons.count()
        return [
            Learner(one.pk, one.first_name, Progress.of(one.completed, total), one.rights)
            for one in people.prefetch_related(rights).order_by("id")[part]
        ]


class CourseFigures(NamedTuple):
    learners: int
    subscribers: int
    lessons: list[Lesson]


def figures_of(course: Course) -> CourseFigures:
    """How many learn and follow a course, and how many learners have completed each lesson."""
    learners = _learners(course)
    finished = Count("completions", filter=Q(completions__user__in=learners.values("pk")))
    followers = Subscription.objects.filter(course=course, user__is_active=True)
    lessons = course.lessons.annotate(completions_count=finished).order_by("position", "id")
    return CourseFigures(learners.count(), followers.count(), list(lessons))


def _learners(course: Course) -> QuerySet[User]:
    people: QuerySet[User] = User.objects.active()
    return people.filter(pk__in=_rights(course).values("user"))


def _rights(course: Course) -> QuerySet[Access]:
    return Access.objects.active().filter(Q(course=course) | Q(lesson__course=course))
