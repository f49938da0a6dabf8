"""Prints which of our functions run for a request, a mail and a payment, in their order.

`uv run python -m docs.trace` works on a temporary database with one course, one lesson and one
subscriber. A *change of file* is a call of a function that is not in the file of the call before;
our middleware is left out. `docs/architecture.md` tells the same in words.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from inspect import CO_OPTIMIZED
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from django.test import Client

    from people.models import User

ROOT = Path(__file__).resolve().parent.parent
APPS = tuple(f"{ROOT / app}{os.sep}" for app in ("lms", "payments", "people", "project"))
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
JSON: Any = {"content_type": "application/json"}


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.test_settings"
    logging.disable(logging.CRITICAL)
    django.setup()
    from django.conf import settings  # noqa: PLC0415
    from django.test.utils import (  # noqa: PLC0415
        override_settings,
        setup_databases,
        teardown_databases,
    )

    others = [name for name in settings.MIDDLEWARE if not name.startswith("project.")]
    databases = setup_databases(verbosity=0, interactive=False)
    with override_settings(MIDDLEWARE=others):
        trace_requests()
        trace_mail()
        trace_payment()
    teardown_databases(databases, verbosity=0)


@contextmanager
def traced(title: str) -> Iterator[None]:
    """Print the calls of the block."""
    calls: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        # Bodies of classes and modules are no functions; they run when something is imported.
        is_function = frame.f_code.co_flags & CO_OPTIMIZED and not name.startswith("<")
        if event == "call" and is_function and file.startswith(APPS):
            calls.append((str(Path(file).relative_to(ROOT)), name))

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
    parts = [
        (file, [name for _file, name in group])
        for file, group in groupby(calls, key=lambda call: call[0])
    ]
    sys.stdout.write(f"\n{title}: {len(parts)} changes of file\n")
    for file, names in parts:
        shown = [name for name, _same in groupby(names)]
        sys.stdout.write(f"  {file}: {', '.join(shown)}\n")


def client_of(user: "User") -> "Client":
    from django.test import Client  # noqa: PLC0415

    from people.tokens import issue_access_token  # noqa: PLC0415

    return Client(headers={"Authorization": f"Bearer {issue_access_token(user)}"})


def trace_requests() -> None:
    from lms.tests.factories import CourseFactory, LessonFactory  # noqa: PLC0415
    from project.mail.kinds import mail_kind  # noqa: PLC0415

    course = CourseFactory.create(published=True, price=10, materials_updated_at=LONG_AGO)
    lesson = LessonFactory.create(course=course)
    author = client_of(course.owner)
    address = f"/api/v1/lessons/{lesson.pk}"
    # The first requests import modules, compile statements, and look up the kind of mail.
    author.get("/api/v1/courses")
    author.patch(f"{address}?notify=false", {"title": "First"}, **JSON)
    mail_kind("course_update")
    with traced("GET /api/v1/courses"):
        author.get("/api/v1/courses")
    with traced("PATCH /api/v1/lessons/{lesson_id}"):
        author.patch(address, {"title": "Second"}, **JSON)


def trace_mail() -> None:
    from django.conf import settings  # noqa: PLC0415

    from lms.models import Course  # noqa: PLC0415
    from lms.tests.factories import SubscriptionFactory  # noqa: PLC0415
    from project.mail.tasks import deliver_mail  # noqa: PLC0415
    from project.mail.tests.sink import MailHost, Sink  # noqa: PLC0415

    SubscriptionFactory.create(course=Course.objects.get())
    host = MailHost(Sink(), settings)
    host.up()
    with traced("The mail about it to one subscriber, by the worker"):
        deliver_mail()
    host.down()
    assert sum(host.sink.counts.values()) == 1  # noqa: S101


def trace_payment() -> None:
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from lms.models import Course, Subscription  # noqa: PLC0415
    from payments.models import Payment  # noqa: PLC0415
    from payments.stripe_sandbox.server import SandboxServer  # noqa: PLC0415
    from payments.stripe_sandbox.webhooks import signed  # noqa: PLC0415

    buyer = client_of(Subscription.objects.get().user)
    events: list[dict[str, object]] = []
    with SandboxServer() as stripe:
        stripe.sandbox.on_event = events.append
        settings.STRIPE_API_KEY = "sk_test_sandbox"
        settings.STRIPE_WEBHOOK_SECRETS = [stripe.webhook_secret]
        settings.STRIPE_API_BASE = stripe.base_url
        order = {"course_id": Course.objects.get().pk, "method": "stripe"}
        with traced("POST /api/v1/payments"):
            buyer.post("/api/v1/payments", order, **JSON)
        stripe.sandbox.pay(Payment.objects.get().session_id)
        event, signature = signed(events[-1], stripe.webhook_secret)
        address, headers = "/api/v1/payments/stripe/webhook", {"Stripe-Signature": signature}
        with traced("Stripe's event that it is paid"):
            Client().post(address, event, headers=headers, **JSON)
    assert Payment.objects.get().status == "paid"  # noqa: S101


if __name__ == "__main__":
    main()
