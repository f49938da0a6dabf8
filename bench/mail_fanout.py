"""Measures a mailing to many subscribers, beside a bare loop over one SMTP connection.

`uv run python -m bench.mail_fanout --subscribers 100000`, on SQLite or (DATABASE_URL) PostgreSQL.
Both send the same messages to the same sink, in alternating rounds of one run. Also measured: the
request that changes the course (with ten subscribers and with all), and the memory of the sender.
"""

import argparse
import contextlib
import json
import resource
import smtplib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from bench.database import own_database
from bench.mail_faults import free_port

# Mails of a round of the bare loop, and seconds of one of ours.
ROUND = 1000
ROUND_SECONDS = 2.0


@contextlib.contextmanager
def sink(port: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "bench.mail_sink", str(port)])
    try:
        for _attempt in range(200):
            with contextlib.suppress(OSError), smtplib.SMTP("127.0.0.1", port):
                break
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def subscribe(course: Any, count: int, prefix: str) -> None:
    from lms.models import Subscription  # noqa: PLC0415 - Django is set up by now
    from people.models import User  # noqa: PLC0415

    for start in range(0, count, 5000):
        people = User.objects.bulk_create(
            User(
                email=f"{prefix}{start + number}@school.example", language=("en", "ru")[number % 2]
            )
            for number in range(min(5000, count - start))
        )
        Subscription.objects.bulk_create(
            Subscription(user=person, course=course) for person in people
        )


def new_course(title: str) -> Any:
    from django.utils import timezone  # noqa: PLC0415

    from lms.models import Course  # noqa: PLC0415
    from people.models import User  # noqa: PLC0415

    author = User.objects.create(email=f"author-of-{title}@school.example")
    quiet = timezone.now() - timedelta(days=1)
    return Course.objects.create(
        owner=author, title=title, is_published=True, materials_updated_at=quiet
    )


def time_request(course: Any) -> tuple[list[float], int]:
    """Milliseconds and queries of the request that changes the course, told at once each time."""
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from lms.models import Course, CourseUpdate  # noqa: PLC0415
    from people.tokens import issue_access_token  # noqa: PLC0415

    client, durations, queries = Client(), [], 0
    headers = {"Authorization": f"Bearer {issue_access_token(course.owner)}"}
    for number in range(15):
        CourseUpdate.objects.filter(course=course).delete()
        quiet = timezone.now() - timedelta(days=1)
        Course.objects.filter(pk=course.pk).update(materials_updated_at=quiet)
        with CaptureQueriesContext(connection) as captured:
            started = time.perf_counter()
            client.patch(
                f"/api/v1/courses/{course.pk}",
                {"description": f"Text {number}"},
                content_type="application/json",
                headers=headers,
            )
            durations.append((time.perf_counter() - started) * 1000)
        queries = len(captured)
    return durations, queries


def bare_round(port: int, messages: list[tuple[str, bytes]]) -> float:
    """Mails per second of a loop over one connection."""
    started = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as server:
        for address, content in messages:
            server.sendmail("noreply@localhost", [address], content)
    return len(messages) / (time.perf_counter() - started)


def our_round() -> float:
    """Mails per second of the worker, claiming, writing and marking included."""
    from project.mail.sending import send_due  # noqa: PLC0415

    started = time.perf_counter()
    sent = send_due(time.monotonic() + ROUND_SECONDS)
    return sent / (time.perf_counter() - started)


def example_messages() -> list[tuple[str, bytes]]:
    """Mails of the mailing as the worker sends them."""
    from project.mail.kinds import Letter, mail_kind  # noqa: PLC0415
    from project.mail.mime import message_id, prepare  # noqa: PLC0415
    from project.mail.models import Delivery  # noqa: PLC0415

    messages = []
    deliveries = Delivery.objects.select_related("mailing", "recipient").order_by("pk")[:ROUND]
    people = [delivery.recipient for delivery in deliveries]
    mailing = deliveries[0].mailing
    letters = mail_kind(mailing.kind).write(mailing.subject_id, people)
    for person in people:
        letter = letters[person.pk]
        if isinstance(letter, Letter):
            identity = message_id(person.pk, mailing.created_at, "x")
            messages.append((person.email, prepare(letter, person.email, identity).content or b""))
    return messages


def measure(subscribers: int = 100_000) -> dict[str, Any]:
    """The mailing beside the bare loop, the request that starts it, and the memory it takes."""
    from django.test import override_settings  # noqa: PLC0415

    port = free_port()
    options = {"host": "127.0.0.1", "port": port}
    backend = "django.core.mail.backends.smtp.EmailBackend"
    with (
        sink(port),
        override_settings(
            MAILERS={"default": {"BACKEND": backend, "OPTIONS": options}},
            ALLOWED_HOSTS=["testserver"],
            SECURE_SSL_REDIRECT=False,
        ),
    ):
        return measure_requests(subscribers) | measure_sending(port)


def measure_requests(subscribers: int) -> dict[str, Any]:
    """Of the request that changes a course with few subscribers, and one with many."""
    courses = {10: new_course("few"), subscribers: new_course("many")}
    for count, course in courses.items():
        subscribe(course, count, str(course.title))
    durations: dict[int, list[float]] = {count: [] for count in courses}
    found: dict[str, Any] = {}
    for _round in range(4):
        for count, course in courses.items():
            measured, found[f"queries, {count} subscribers"] = time_request(course)
            durations[count] += measured
    for count, measured in durations.items():
        found[f"request ms, {count} subscribers"] = statistics.median(measured)
    report(str(found))
    return found


def measure_sending(port: int) -> dict[str, Any]:
    """The course with many subscribers changes, and all of them are written to."""
    from lms.models import Course, Subscription  # noqa: PLC0415
    from lms.services import authoring  # noqa: PLC0415
    from project.mail.models import Delivery, Mailing  # noqa: PLC0415
    from project.mail.recipients import list_one_step  # noqa: PLC0415

    Mailing.objects.all().delete()
    target = new_course("target")
    many = Course.objects.get(title="many")
    Subscription.objects.filter(course=many).update(course=target)
    authoring.update_course(course=target, changes={"title": "Bread"}, by=target.owner)
    started = time.perf_counter()
    while list_one_step():
        continue
    listed = time.perf_counter() - started
    report(f"listing {Delivery.objects.count()} recipients: {listed:.1f} s")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rounds: list[tuple[float, float]] = []
    messages = example_messages()
    while Delivery.objects.waiting().count() >= ROUND:
        rounds.append((bare_round(port, messages), our_round()))
        bare, ours = rounds[-1]
        report(f"bare {bare:7.0f}/s   ours {ours:7.0f}/s   ratio {ours / bare:.2f}")
    ratios = [ours / bare for bare, ours in rounds]
    return {
        "ratio": statistics.median(ratios),
        "quartiles": statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios,
        "rounds": len(rounds),
        "bare per second": statistics.median(bare for bare, _ours in rounds),
        "ours per second": statistics.median(ours for _bare, ours in rounds),
        "listing s": listed,
        "memory MiB": memory,
        "memory grown MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - memory,
    }


def report(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=100_000)
    options = parser.parse_args()
    with own_database():
        found = measure(options.subscribers)
    sys.stdout.write(f"{json.dumps(found, indent=2)}\n")


if __name__ == "__main__":
    main()
