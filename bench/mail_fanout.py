"""Measures a mailing to many subscribers, beside a bare loop over one SMTP connection.

`uv run python -m bench.mail_fanout --subscribers 100000`, on SQLite or (DATABASE_URL) PostgreSQL.
Both send the same messages to the same sink, in alternating rounds of one run. Also measured: the
request that changes the course (with ten subscribers and with all), and the memory of the sender.
"""

import argparse
import contextlib
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


def time_request(course: Any) -> tuple[float, int]:
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
    return statistics.median(durations), queries


def bare_round(port: int, messages: list[tuple[str, bytes]]) -> float:
    """Mails per second of a loop over one connection."""
    started = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as server:
        for address, content in messages:
            server.sendmail("noreply@localhost", [address], content)
    return len(messages) / (time.perf_counter() - started)


def our_round() -> float:
    """Mails per second of the worker, claiming, writing and marking included."""
    from project.mail.office import send_due  # noqa: PLC0415

    started = time.perf_counter()
    sent = send_due(time.monotonic() + ROUND_SECONDS)
    return sent / (time.perf_counter() - started)


def example_messages() -> list[tuple[str, bytes]]:
    """Mails of the mailing as the worker sends them."""
    from project.mail.kinds import Letter, mail_kind  # noqa: PLC0415
    from project.mail.message import Envelope, Press, message_id  # noqa: PLC0415
    from project.mail.models import Delivery  # noqa: PLC0415

    press = Press()
    messages = []
    deliveries = Delivery.objects.select_related("mailing", "recipient").order_by("pk")[:ROUND]
    people = [delivery.recipient for delivery in deliveries]
    mailing = deliveries[0].mailing
    letters = mail_kind(mailing.kind).write(mailing.subject_id, people)
    for person in people:
        letter = letters[person.pk]
        if isinstance(letter, Letter):
            envelope = Envelope(
                letter, person.email, message_id(person.pk, mailing.created_at, "x")
            )
            messages.append((person.email, press.content_of(envelope) or b""))
    return messages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=100_000)
    options = parser.parse_args()
    port = free_port()
    environment = {"EMAIL_URL": f"smtp://127.0.0.1:{port}", "ALLOWED_HOSTS": "testserver"}
    with own_database(HTTPS="off", **environment), sink(port):
        report(options.subscribers, port)


def report(subscribers: int, port: int) -> None:
    from lms.services import update_course  # noqa: PLC0415
    from project.mail.listing import list_one_step  # noqa: PLC0415
    from project.mail.models import Delivery, Mailing  # noqa: PLC0415

    write = sys.stdout.write
    few, many = new_course("few"), new_course("many")
    subscribe(few, 10, "few")
    subscribe(many, subscribers, "many")
    for course, count in ((few, 10), (many, subscribers), (few, 10), (many, subscribers)):
        duration, queries = time_request(course)
        write(f"request with {count:6} subscribers: {duration:6.1f} ms, {queries} queries\n")
    Mailing.objects.all().delete()
    target = new_course("target")
    from lms.models import Subscription  # noqa: PLC0415

    Subscription.objects.filter(course=many).update(course=target)
    update_course(course=target, changes={"title": "Bread"}, by=target.owner)
    started = time.perf_counter()
    while list_one_step():
        continue
    listed = time.perf_counter() - started
    write(f"listing {Delivery.objects.count()} recipients: {listed:.1f} s\n")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ratios = []
    messages = example_messages()
    while Delivery.objects.waiting().count() >= ROUND:
        bare = bare_round(port, messages)
        ours = our_round()
        ratios.append(ours / bare)
        if len(ratios) <= 5 or len(ratios) % 10 == 0:
            write(f"bare {bare:7.0f}/s   ours {ours:7.0f}/s   ratio {ours / bare:.2f}\n")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - memory
    quartiles = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    write(
        f"median ratio {statistics.median(ratios):.2f} "
        f"(quartiles {quartiles[0]:.2f}, {quartiles[2]:.2f}) in {len(ratios)} rounds of {ROUND}; "
        f"memory {memory:.0f} MB, grown by {grown:.1f} MB while sending\n"
    )


if __name__ == "__main__":
    main()
