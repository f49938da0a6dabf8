"""The first pages of the lists over 1,000 rows of each kind, and over 1,000,000.

The pages show the same in both cases: what comes later is older, sorts behind, and belongs to other
people. Measured is the CPU of a request, in alternating rounds on two servers of the same kind, one
with a database of each size.
"""

import os
import statistics
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bench.data import analyze
from bench.database import copy_of_own_database
from bench.jobs import API, tokens_of
from bench.load import FailedRequests, Request, load
from bench.multiply import moment, multiply, padded, uuid
from bench.rounds import spread
from bench.serving import Meter, Server, server

FEW, MANY = 1_000, 1_000_000
ROUNDS = 3
PATIENCE = 10
# Rows of each kind that one person has, courses apart.
OWN = 20
NOW = datetime(2026, 11, 1, tzinfo=UTC)
EARLIER = f"{int(NOW.timestamp())} - n"


@dataclass(frozen=True)
class Rows:
    """Row number 0 of each kind: the others are made after it."""

    user: Any
    course: Any
    lesson: Any
    subscription: Any
    access: Any
    payment: Any


def make_first_rows() -> Rows:
    from django.core.management import call_command  # noqa: PLC0415 - Django is set up by now

    from lms.models import Access, AccessSource, Course, Lesson, Subscription  # noqa: PLC0415
    from payments.models import Payment  # noqa: PLC0415
    from people.models import User, moderators_group  # noqa: PLC0415

    call_command("loaddata", "groups", verbosity=0)
    User.objects.create(email="administrator0@school.example", is_superuser=True, is_staff=True)
    moderator = User.objects.create(email="moderator0@school.example", is_staff=True)
    moderators_group().user_set.add(moderator)
    user = User.objects.create(email="learner0@school.example", first_name="Nora 0000000")
    course = Course.objects.create(
        owner=user, title="Course 0000000", price=1, is_published=True, description="Bread. " * 20
    )
    lesson = Lesson.objects.create(course=course, title="Lesson 0000000", description="Salt. " * 20)
    subscription = Subscription.objects.create(user=user, course=course)
    access = Access.objects.create(user=user, course=course, source=AccessSource.GRANT)
    payment = Payment.objects.create(
        payer=user,
        course=course,
        title=course.title,
        amount=Decimal(99_000_000),
        currency="RUB",
        method="transfer",
        status="paid",
        paid_at=NOW,
    )
    Course.objects.update(created_at=NOW, updated_at=NOW)
    return Rows(user, course, lesson, subscription, access, payment)


def grow(rows: Rows, first: int, last: int) -> None:
    """Add the rows of these numbers of each kind."""
    earlier, number = moment(EARLIER), padded()
    whose = f"{rows.user.pk} + n / {OWN}"
    which = f"{rows.course.pk} + n"
    multiply(
        rows.user,
        first,
        last,
        email=f"'learner' || {number} || '@school.example'",
        first_name=f"'Nora ' || {number}",
        date_joined=earlier,
    )
    multiply(
        rows.course,
        first,
        last,
        owner_id=whose,
        title=f"'Course ' || {number}",
        price="1 + n / 100",
        created_at=earlier,
        updated_at=earlier,
    )
    multiply(
        rows.lesson,
        first,
        last,
        course_id=f"{rows.course.pk} + n / 10",
        title=f"'Lesson ' || {number}",
        position="n % 10",
    )
    multiply(rows.subscription, first, last, user_id=whose, course_id=which, created_at=earlier)
    multiply(rows.access, first, last, user_id=whose, course_id=which, created_at=earlier)
    multiply(
        rows.payment,
        first,
        last,
        payer_id=whose,
        course_id=which,
        title=f"'Course ' || {number}",
        amount="99000000 - n",
        created_at=earlier,
        paid_at=earlier,
        token=uuid(),
    )
    analyze()


def pages() -> dict[str, Request]:
    """What is asked for, by name."""
    [(_, moderator)] = tokens_of("moderator", 1)
    [(_, administrator)] = tokens_of("administrator", 1)
    [(_, learner)] = tokens_of("learner", 1)
    asked = {
        "courses, moderator": ("courses", moderator),
        "courses, moderator, by title": ("courses?ordering=title", moderator),
        "courses, moderator, page 50": ("courses?page=50", moderator),
        "courses, moderator, rare word": ("courses?search=0000042", moderator),
        "courses, moderator, word of all": ("courses?search=course", moderator),
        "courses, author": ("courses", learner),
        "lessons, moderator": ("lessons", moderator),
        "catalog": ("catalog/courses", learner),
        "catalog, by price": ("catalog/courses?ordering=price", learner),
        "catalog, rare word": ("catalog/courses?search=0000042", learner),
        "catalog, word of all": ("catalog/courses?search=course", learner),
        "catalog, mine": ("catalog/courses?mine=true", learner),
        "payments, administrator": ("payments", administrator),
        "payments, administrator, filtered": (
            "payments?method=transfer&status=paid&ordering=-amount",
            administrator,
        ),
        "payments, own": ("payments?status=paid&ordering=-amount", learner),
        "people": ("users", learner),
        "people, rare word": ("users?search=0000042", learner),
        "subscriptions, own": ("subscriptions", learner),
        "learning, own": ("learning/courses", learner),
    }
    found = {name: Request("GET", f"{API}/{path}", token) for name, (path, token) in asked.items()}
    cookie = {"Cookie": f"sessionid={session_of('administrator0@school.example')}"}
    for name, path in {
        "admin: payments": "/admin/payments/payment/",
        "admin: courses": "/admin/lms/course/",
        "admin: people": "/admin/people/user/",
    }.items():
        found[name] = Request("GET", path, headers=cookie)
    return found


def session_of(email: str) -> str:
    """The cookie of somebody who is logged in to the admin."""
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from people.models import User  # noqa: PLC0415

    client = Client()
    client.force_login(User.objects.get(email=email))
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def measure() -> dict[str, Any]:
    rows = make_first_rows()
    grow(rows, 1, FEW - 1)
    asked = pages()
    with copy_of_own_database() as small:
        sys.stderr.write(f"{MANY:,} rows of each kind …\n")
        grow(rows, FEW, MANY - 1)
        with served("few", small) as few, served("many", os.environ["DATABASE_URL"]) as many:
            return summary(
                {name: measure_page(request, few, many) for name, request in asked.items()}
            )


def served(name: str, database: str) -> AbstractContextManager[Server]:
    settings = "project.settings"
    return server(name, "project.wsgi", DJANGO_SETTINGS_MODULE=settings, DATABASE_URL=database)


def measure_page(request: Request, *servers: Server) -> list[dict[str, dict[str, float]]]:
    """What the page costs on each of the servers, one dict for each round."""
    # The first round is a warm-up.
    return [
        {one.name: measure_once(one, request) for one in servers} for _round in range(ROUNDS + 1)
    ][1:]


def measure_once(target: Server, request: Request) -> dict[str, float]:
    """CPU and median time of a request, in milliseconds."""
    meter = Meter(target)
    try:
        seen = load(target.address, [request], seconds=1, connections=2)
    except FailedRequests:  # too slow for a second
        seen = load(target.address, [request], seconds=PATIENCE, connections=2)
    return {"cpu": meter.read().total * 1000 / seen.requests, "p50": seen.p50}


def summary(found: dict[str, list[dict[str, dict[str, float]]]]) -> dict[str, Any]:
    """For each page the CPU with many rows as a multiple of that with few in the same round."""
    figures: dict[str, Any] = {}
    for name, rounds in found.items():
        figures[name] = spread([one["many"]["cpu"] / one["few"]["cpu"] for one in rounds])
        for server_name in ("few", "many"):
            for unit, kind in (("ms", "cpu"), ("p50 ms", "p50")):
                values = [one[server_name][kind] for one in rounds]
                figures[name][f"{server_name} {unit}"] = statistics.median(values)
    worst = max(figures, key=lambda name: float(figures[name]["median"]))
    return {"worst ratio": figures[worst]["median"], "worst page": worst} | figures
