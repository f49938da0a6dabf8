"""The requests that are measured."""

import random
from datetime import timedelta
from urllib.parse import quote

from bench.data import SUBJECTS, people
from bench.load import Request

API = "/api/v1"


def all_jobs() -> dict[str, list[Request]]:
    """Made for a database with the data set: each kind of request, from several people."""
    payments = ("status=paid&ordering=-paid_at", "status=paid&ordering=-amount", "ordering=paid_at")
    words = [quote(word.lower()) for word in SUBJECTS]
    jobs = {
        # First and second pages of authors, and pages of moderators, who see all courses.
        "course list": _asked("author", 16, ["courses?page=1", "courses?page=2"])
        + _asked("moderator", 4, ["courses?page=1", "courses?page=3"]),
        "course detail": _about_own_courses("courses/{}"),
        "lesson list": _about_own_courses("lessons?course_id={}"),
        "payments list": _asked("learner", 32, [f"payments?{one}" for one in payments]),
        "catalog search": _asked("learner", 16, [f"catalog/courses?search={one}" for one in words]),
        "learning list": _asked("learner", 64, ["learning/courses"]),
        "learning course": _about_learnt("learning/courses/{}", "pk"),
        "learning lesson": _about_learnt("learning/lessons/{}", "lessons"),
        "own profile": _asked("learner", 64, ["users/me"]),
        "subscriptions": _asked("learner", 32, ["subscriptions", "subscriptions?page=2"]),
    }
    return {
        name: random.Random(1).sample(requests, len(requests))  # noqa: S311 - the same each time
        for name, requests in jobs.items()
    }


def tokens_of(role: str, count: int) -> list[tuple[int, str]]:
    """Ids and access tokens; they are made to last as long as the measurement."""
    from people.tokens import AccessToken, issue_pair  # noqa: PLC0415 - Django is set up by now

    found = []
    for person in people(role, count):
        token = AccessToken(issue_pair(person).access)
        token.set_exp(lifetime=timedelta(days=1))
        found.append((person.pk, str(token)))
    return found


def _asked(role: str, count: int, paths: list[str]) -> list[Request]:
    """Each of these people asks for each of the paths."""
    return [
        Request(f"{API}/{path}", token) for _pk, token in tokens_of(role, count) for path in paths
    ]


def _about_own_courses(path: str) -> list[Request]:
    from lms.models import Course  # noqa: PLC0415

    return [
        Request(f"{API}/{path.format(course_id)}", token)
        for pk, token in tokens_of("author", 16)
        for course_id in Course.objects.filter(owner=pk).values_list("pk", flat=True)
    ]


def _about_learnt(path: str, field: str) -> list[Request]:
    from lms.models import Course  # noqa: PLC0415

    return [
        Request(f"{API}/{path.format(found)}", token)
        for pk, token in tokens_of("learner", 16)
        for found in Course.objects.filter(accesses__user=pk).values_list(field, flat=True)
    ]
