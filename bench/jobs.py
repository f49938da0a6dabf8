"""The requests that are measured."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from bench.data import PASSWORD, SUBJECTS, people
from bench.load import Request

API = "/api/v1"


@dataclass(frozen=True)
class Job:
    """A kind of request, from several people; `put_back` undoes what a round of it wrote."""

    name: str
    requests: list[Request]
    put_back: Callable[[], None] | None = None
    shape_only: bool = False
    # Slow ones need longer rounds, and as many connections as there are cores.
    seconds_factor: float = 1.0
    connections: int = 8


def all_jobs() -> list[Job]:
    """Made for a database with the data set."""
    return [
        Job("course list", course_lists()),
        Job("course detail", course_details()),
        Job("lesson list", lesson_lists()),
        Job("payments list", payment_lists()),
        Job("catalog search", catalog_searches()),
        Job("log in", log_ins(), shape_only=True, seconds_factor=3, connections=2),
        Job("subscribe", subscriptions(), put_back=forget_followers),
    ]


def tokens_of(role: str, count: int) -> list[tuple[int, str]]:
    """Ids and access tokens; they are made to last as long as the measurement."""
    from people.tokens import AccessToken  # noqa: PLC0415 - Django is set up by now

    found = []
    for person in people(role, count):
        token = AccessToken.for_user(person)
        token.set_exp(lifetime=timedelta(days=1))
        found.append((person.pk, str(token)))
    return found


def course_lists() -> list[Request]:
    """First and second pages of authors, and pages of moderators, who see all courses."""
    authors = [
        Request("GET", f"{API}/courses?page={page}", token)
        for _pk, token in tokens_of("author", 16)
        for page in (1, 2)
    ]
    moderators = [
        Request("GET", f"{API}/courses?page={page}", token)
        for _pk, token in tokens_of("moderator", 4)
        for page in (1, 3)
    ]
    return _mixed(authors + moderators)


def course_details() -> list[Request]:
    from lms.models import Course  # noqa: PLC0415

    return _mixed(
        [
            Request("GET", f"{API}/courses/{course_id}", token)
            for pk, token in tokens_of("author", 16)
            for course_id in Course.objects.filter(owner=pk).values_list("pk", flat=True)
        ]
    )


def lesson_lists() -> list[Request]:
    from lms.models import Course  # noqa: PLC0415

    return _mixed(
        [
            Request("GET", f"{API}/lessons?course_id={course_id}", token)
            for pk, token in tokens_of("author", 16)
            for course_id in Course.objects.filter(owner=pk).values_list("pk", flat=True)
        ]
    )


def payment_lists() -> list[Request]:
    filters = ["status=paid&ordering=-paid_at", "status=paid&ordering=-amount", "ordering=paid_at"]
    return _mixed(
        [
            Request("GET", f"{API}/payments?{condition}", token)
            for _pk, token in tokens_of("learner", 32)
            for condition in filters
        ]
    )


def catalog_searches() -> list[Request]:
    return _mixed(
        [
            Request("GET", f"{API}/catalog/courses?search={quote(word.lower())}", token)
            for _pk, token in tokens_of("learner", 16)
            for word in SUBJECTS
        ]
    )


def log_ins() -> list[Request]:
    return [
        Request(
            "POST",
            f"{API}/auth/token",
            body=json.dumps({"email": person.email, "password": PASSWORD}),
        )
        for person in people("learner", 100)
    ]


def subscriptions() -> list[Request]:
    """Each one is new, as long as a round makes fewer than there are."""
    from lms.models import Course  # noqa: PLC0415

    courses = list(Course.objects.filter(is_published=True).values_list("pk", flat=True))
    return _mixed(
        [
            Request("POST", f"{API}/courses/{course_id}/subscription", token)
            for _pk, token in tokens_of("follower", 50)
            for course_id in courses
        ]
    )


def forget_followers() -> None:
    from lms.models import Subscription  # noqa: PLC0415

    Subscription.objects.filter(user__email__startswith="follower").delete()


def _mixed(requests: list[Request]) -> list[Request]:
    return random.Random(1).sample(requests, len(requests))  # noqa: S311 - the same each time
