"""A Stripe for tests: our sandbox over real HTTP, and Stripe's own description as its judge."""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import stripe
from pytest_django import Settings

from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import Payment
from payments.provider import asking
from payments.provider import stripe as gateway
from payments.stripe_sandbox.api import Reply, Request
from payments.stripe_sandbox.forms import Json
from payments.stripe_sandbox.webhooks import signed
from payments.tests import stripe_description
from payments.tests.receiver import Receiver
from payments.tests.sandbox import ControlledServer
from payments.tests.stripe_description import Description
from payments.tests.transport import SpecCheckedClient
from people.models import User


@pytest.fixture(scope="session")
def description(request: pytest.FixtureRequest) -> Description:
    """Stripe's OpenAPI document."""
    cache = request.config.cache
    assert cache is not None
    return stripe_description.load(cache.mkdir("stripe-description"))


@pytest.fixture
def stripe_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings with a test key and short waits; the address is for the test to set."""
    settings.STRIPE_API_KEY = "sk_test_sandbox"
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_sandbox"]
    settings.STRIPE_TIMEOUT = (1.0, 1.0)
    # The SDK sleeps between its tries.
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0)
    asking.client_of.cache_clear()
    gateway._accounts.clear()
    asking.limit_of.cache_clear()
    yield settings
    asking.limit_of.cache_clear()
    asking.client_of.cache_clear()
    gateway._accounts.clear()


@pytest.fixture
def stripe_sandbox(
    stripe_settings: Settings, description: Description, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ControlledServer]:
    """A sandbox that sends no webhooks; every request and answer is checked on the way."""
    monkeypatch.setattr(SpecCheckedClient, "description", description, raising=False)
    monkeypatch.setattr(stripe, "RequestsClient", SpecCheckedClient)
    with ControlledServer() as server:
        stripe_settings.STRIPE_API_BASE = server.base_url
        # What a process asks once, and not at the time of a purchase.
        gateway.ask_account()
        server.api.calls.clear()
        monkeypatch.setattr(SpecCheckedClient, "checked", 0)
        yield server


@pytest.fixture
def switch_mode(stripe_sandbox: ControlledServer, stripe_settings: Settings) -> Callable[..., None]:
    """Take the key of the live or of the test mode; what is in the other one stays there."""

    def switch(*, livemode: bool) -> None:
        key = "sk_live_sandbox" if livemode else "sk_test_sandbox"
        stripe_sandbox.api.api_key = stripe_settings.STRIPE_API_KEY = key
        stripe_sandbox.sandbox.switch_mode(livemode=livemode)

    return switch


@pytest.fixture
def asked(stripe_sandbox: ControlledServer) -> list[str]:
    """The sessions that the sandbox was asked about, in order, as they stand in its addresses."""
    paths: list[str] = []
    answer = stripe_sandbox.api.answer

    def note(request: Request) -> Reply:
        paths.append(request.path.partition("/sessions/")[2])
        return answer(request)

    stripe_sandbox.api.answer = note  # type: ignore[method-assign]
    return paths


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def course(db: None) -> Course:
    return CourseFactory.create(published=True, title="Bread", price=Decimal("1990.00"))


@pytest.fixture
def lesson(course: Course) -> Lesson:
    return LessonFactory.create(course=course)


@pytest.fixture
def buy(
    api: Any, learner: User, course: Course, stripe_sandbox: ControlledServer
) -> Callable[..., Any]:
    """Ask for a page at Stripe as the learner."""

    def ask(**changes: Any) -> Any:
        body = {"course_id": course.pk, "method": "stripe"} | changes
        return api(learner).post("payments", body)

    return ask


@pytest.fixture
def bought(
    api: Any, learner: User, buy: Callable[..., Any], stripe_sandbox: ControlledServer
) -> Payment:
    """A payment that was made at Stripe."""
    payment = Payment.objects.get(pk=buy().json()["id"])
    stripe_sandbox.sandbox.pay(payment.session_id)
    api(learner).get(f"payments/{payment.pk}/status")
    payment.refresh_from_db()
    assert payment.status == "paid"
    return payment


@pytest.fixture
def deliver(api: Any, stripe_settings: Settings) -> Callable[..., Any]:
    """Send one event to our webhook, signed as Stripe does."""

    def send(event: Json, *, secret: str = "whsec_sandbox") -> Any:
        body, signature = signed(event, secret)
        client = api(None).client
        return client.post(
            "/api/v1/payments/stripe/webhook",
            body,
            content_type="application/json",
            headers={"Stripe-Signature": signature},
        )

    return send
