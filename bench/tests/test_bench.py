"""The parts of the measurements that can rot unseen: that all three still say the same, and that a
comparison sees what changed."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.test import override_settings
from django.utils import timezone

from bench import limit, parity
from bench.comparison import compare
from bench.jobs import Job
from bench.load import Request
from bench.targets import verdicts
from bench.usual_settings import MIDDLEWARE
from lms.models import Access, AccessSource, Subscription
from lms.tests.factories import CourseFactory, LessonFactory
from payments.tests.factories import PaymentFactory
from people.models import User
from people.tokens import issue_access_token


@pytest.fixture
def askers(
    settings: Any, monkeypatch: pytest.MonkeyPatch, db: None
) -> Iterator[dict[str, parity.Asker]]:
    """The three in this process, on the connection of the test."""
    monkeypatch.setenv("SECRET_KEY", settings.SECRET_KEY)
    # A request would take the transaction of the test for a forgotten one.
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    connection.ensure_connection()
    limit.use(connection.connection, is_sqlite=connection.vendor == "sqlite")

    def usual(request: Request) -> parity.Answer:
        with override_settings(ROOT_URLCONF="bench.usual", MIDDLEWARE=MIDDLEWARE):
            return parity.in_process(WSGIHandler())(request)

    yield {
        "application": parity.in_process(WSGIHandler()),
        "limit": parity.in_process(limit.application),
        "usual way": usual,
    }
    limit.forget()
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.filterwarnings("ignore:No directory at")
def test_application_limit_and_usual_way_give_the_same_answers(
    askers: dict[str, parity.Asker],
    author: User,
    learner: User,
    moderator: User,
    administrator: User,
) -> None:
    course, other = CourseFactory.create_batch(2, owner=author, is_published=True, title="Bread")
    LessonFactory.create_batch(3, course=course, price=Decimal("9.90"))
    LessonFactory(course=other, video_url="", price=None)
    CourseFactory(title="Bread, a draft", is_published=False, preview="courses/draft.jpg")
    Subscription.objects.create(user=author, course=course)
    Access.objects.create(user=learner, course=course, source=AccessSource.GRANT)
    until = timezone.now() + timedelta(days=1)
    PaymentFactory(payer=learner, course=course, status="pending", method="cash")
    PaymentFactory(
        payer=learner,
        course=other,
        status="pending",
        method="stripe",
        session_id="cs_1",
        session_url="https://checkout.stripe.com/c/pay/cs_1",
        session_expires_at=until,
    )
    paths = [
        "courses",
        "courses?page=1",
        f"courses/{course.pk}",
        f"lessons?course_id={course.pk}",
        "catalog/courses?search=bread",
        "payments?status=pending&ordering=-amount",
        "payments?method=stripe&ordering=paid_at",
    ]
    tokens = {user.pk: issue_access_token(user) for user in (moderator, administrator)}
    requests = [
        Request("GET", f"/api/v1/{path}", token)
        for path in paths[:4]
        for token in [issue_access_token(author), *tokens.values()]
    ]
    requests += [
        Request("GET", f"/api/v1/{path}", issue_access_token(learner)) for path in paths[4:]
    ]
    requests += [Request("GET", f"/api/v1/{path}", tokens[administrator.pk]) for path in paths[4:]]

    parity.check(Job("reading", requests), askers, sample=len(requests))

    again = Request("POST", f"/api/v1/courses/{course.pk}/subscription", issue_access_token(author))
    parity.check(Job("subscribing", [again]), askers)


def test_parity_refuses_answers_that_differ() -> None:
    job = Job("list", [Request("GET", "/api/v1/courses")])

    with pytest.raises(parity.Disagreement, match="courses"):
        parity.check(job, {"one": lambda _: (200, {"id": 1}), "two": lambda _: (200, {"id": 2})})


def result(*, share: tuple[float, float, float]) -> dict[str, Any]:
    low, median, high = share
    spread = {"min": low, "median": median, "max": high}
    operations = {"course list": {"share": spread, "multiple": spread}}
    return {"databases": {"sqlite": {"operations": operations, "further": {}}}}


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ((0.38, 0.42, 0.50), "the same within noise"),
        ((0.50, 0.55, 0.60), "better"),
        ((0.20, 0.25, 0.30), "WORSE"),
    ],
)
def test_comparison_tells_a_change_from_noise(
    after: tuple[float, float, float], verdict: str
) -> None:
    (line,) = compare(result(share=(0.35, 0.40, 0.45)), result(share=after))

    assert line.endswith(verdict)


def test_a_missed_target_is_called_missed() -> None:
    measured = result(share=(0.30, 0.39, 0.50))["databases"]["sqlite"]
    measured["further"] = {"start": {"seconds": 1.2}}

    lines = [str(verdict) for verdict in verdicts(measured)]

    assert [line.split()[0] for line in lines] == ["MISSED", "MISSED", "reached"]
