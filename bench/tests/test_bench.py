"""The parts of the measurements that can rot unseen: that all three still say the same, and that a
comparison sees what changed."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone

from bench import large, parity
from bench.load import Request
from bench.results import compare, verdicts
from bench.usual_settings import MIDDLEWARE
from lms.models import Access, AccessSource, Completion, Subscription
from lms.tests.factories import CourseFactory, LessonFactory
from payments.tests.factories import PaymentFactory
from people.models import User
from people.tokens import issue_pair


def ask_django(request: Request) -> parity.Answer:
    response = Client(headers={"Authorization": f"Bearer {request.token}"}).get(request.path)
    return response.status_code, response.json()


def ask_usual_way(request: Request) -> parity.Answer:
    with override_settings(ROOT_URLCONF="bench.usual", MIDDLEWARE=MIDDLEWARE):
        return ask_django(request)


@pytest.fixture(params=["limit", "usual way"])
def twin(request: pytest.FixtureRequest, settings: Any, monkeypatch: Any) -> parity.Asker:
    """One of those that the application is compared with, on the connection of the test."""
    if request.param == "usual way":
        reason = "Django REST Framework is in the group `bench` of uv"
        pytest.importorskip("rest_framework", reason=reason)
        return ask_usual_way
    monkeypatch.setenv("SECRET_KEY", settings.SECRET_KEY)
    monkeypatch.setenv("SITE_URL", settings.SITE_URL)
    from bench import limit  # noqa: PLC0415 - it reads the key when it is imported

    connection.ensure_connection()
    database = limit.Database(connection.connection)
    monkeypatch.setattr(limit, "own_database", lambda: database)

    def ask(asked: Request) -> parity.Answer:
        factory = RequestFactory(headers={"Authorization": f"Bearer {asked.token}"})
        lines: list[str] = []
        body = limit.application(
            factory.get(asked.path).environ, lambda line, _headers: lines.append(line)
        )
        return int(lines[0].split()[0]), orjson.loads(b"".join(body))

    return ask


def test_application_limit_and_usual_way_give_the_same_answers(
    twin: parity.Asker,
    author: User,
    learner: User,
    moderator: User,
    administrator: User,
) -> None:
    course, other = CourseFactory.create_batch(2, owner=author, is_published=True, title="Bread")
    LessonFactory.create_batch(3, course=course, price=Decimal("9.90"))
    LessonFactory(course=other, video_url="", price=None)
    CourseFactory(title="Bread, a draft", is_published=False, preview="courses/draft-500x300.webp")
    Subscription.objects.create(user=author, course=course)
    Access.objects.create(user=learner, course=course, source=AccessSource.GRANT)
    single = LessonFactory.create(preview="lessons/a-40x30.webp")
    Access.objects.create(user=learner, lesson=single, source=AccessSource.GRANT)
    Completion.objects.create(user=learner, lesson=course.lessons.earliest("position"))
    Subscription.objects.create(user=learner, course=course)
    PaymentFactory(payer=learner, course=course, status="pending", method="cash")
    PaymentFactory(
        payer=learner,
        course=other,
        status="pending",
        method="stripe",
        session_id="cs_1",
        session_url="https://checkout.stripe.com/c/pay/cs_1",
        session_expires_at=timezone.now() + timedelta(days=1),
    )
    courses = f"courses courses?page=1 courses/{course.pk} lessons?course_id={course.pk}"
    others = "catalog/courses?search=bread payments?status=pending&ordering=-amount "
    others += "payments?method=stripe&ordering=paid_at"
    asked = {author: courses, moderator: courses, administrator: f"{courses} {others}"}
    learnt = f"learning/courses learning/courses/{course.pk} users/me subscriptions "
    learnt += " ".join(f"learning/lessons/{lesson.pk}" for lesson in course.lessons.all())
    requests = [
        Request(f"/api/v1/{path}", issue_pair(user).access)
        for user, paths in (asked | {learner: f"{others} {learnt}"}).items()
        for path in paths.split()
    ]
    askers = {"application": ask_django, "twin": twin}

    assert len(requests) <= parity.SAMPLE
    parity.check(requests, askers)


def test_parity_lets_new_fields_pass_and_refuses_answers_that_differ() -> None:
    requests = [Request("/api/v1/courses", "")]
    ours = {"items": [{"id": 1, "updated_at": "2026-01-01T00:00:00Z", "new": True}]}

    def check(theirs: dict[str, Any]) -> None:
        parity.check(requests, {"one": lambda _: (200, ours), "two": lambda _: (200, theirs)})

    check({"items": [{"id": 1, "updated_at": "2026-01-01T03:00:00+03:00"}]})
    different: list[dict[str, Any]] = [
        {"items": [{"id": 2}]},
        {"items": [{"id": 1, "old": 1}]},
        {"items": []},
    ]
    for theirs in different:
        with pytest.raises(parity.Disagreement, match="courses"):
            check(theirs)


def result(*, share: tuple[float, float, float]) -> dict[str, Any]:
    low, median, high = share
    spread = {"min": low, "median": median, "max": high}
    operations = {"course list": {"share": spread, "multiple": spread}}
    return {"databases": {"sqlite": {"operations": operations}}}


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
    measured = result(share=(0.30, 0.40, 0.50))["databases"]["sqlite"]

    lines = verdicts(measured["operations"])

    assert [line.split()[0] for line in lines] == ["reached", "MISSED"]


@pytest.mark.postgresql
@pytest.mark.django_db
def test_pages_over_many_rows_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    size = {"courses": 60, "people": 60, "payments": 200}
    large.fill({"courses": 40, "people": 40, "payments": 100})
    large.fill(size, after={"courses": 40, "people": 40, "payments": 100})
    clients = large.clients()

    found = {
        address: large.measure_once(clients[person], address).queries
        for address, person in large.pages().items()
        if "=" not in address
    }

    assert min(found.values()) > 0
