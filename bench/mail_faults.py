"""Kills workers and clusters in the middle of a mailing, and counts what arrives at a mail server.

`uv run python -m bench.mail_faults` (SQLite), `DATABASE_URL=postgres://… uv run python -m
bench.mail_faults`. Exit code 1 if a subscriber got no mail, or if more mails were repeated than
workers were killed. Time is not slept through: leases and delays are moved into the past.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.database import own_database
from project.mail.tests.sink import Port, Sink

PATIENCE = 60.0
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Result:
    """What one scenario did: mails that arrived twice, people who got none, workers killed."""

    name: str
    expected: int
    arrived: int
    repeated: int
    lost: int
    kills: int
    seconds: float

    @property
    def is_good(self) -> bool:
        return self.lost == 0 and self.repeated <= self.kills


class Stage:
    """A course with subscribers, a mail server, and the time that can be moved."""

    def __init__(self, subscribers: int) -> None:
        self.subscribers = subscribers
        self.sink = Sink(port=int(os.environ["SINK_PORT"]))
        self.kills = 0
        self.port: Port | None = None
        self.set_up()

    def set_up(self) -> None:
        from lms.models import Course, Subscription  # noqa: PLC0415 - Django is set up by now
        from people.models import User  # noqa: PLC0415

        mark = time.monotonic_ns()
        author = User.objects.create(email=f"author-{mark}@school.example")
        people = User.objects.bulk_create(
            User(email=f"reader-{mark}-{number}@school.example", language=("en", "ru")[number % 2])
            for number in range(self.subscribers)
        )
        self.course = Course.objects.create(
            owner=author,
            title="Bread",
            is_published=True,
            materials_updated_at=author.date_joined - timedelta(days=1),
        )
        Subscription.objects.bulk_create(
            Subscription(user=person, course=self.course) for person in people
        )
        self.expected = {person.email for person in people}

    def change_the_course(self) -> None:
        from lms.services import authoring  # noqa: PLC0415

        owner = self.course.owner
        authoring.update_course(course=self.course, changes={"description": "New"}, by=owner)

    def server_up(self) -> None:
        self.port = Port(self.sink)
        self.port.start()

    def server_down(self) -> None:
        if self.port is not None:
            self.port.stop()
            self.port = None

    def slow_down(self) -> None:
        """So that there is time to kill in the middle."""

        def wait(address: str) -> None:
            time.sleep(0.004)

        self.sink.before_accepting = wait

    def advance(self, *, leases: bool = True, **delta: float) -> None:
        """Move all that waits for a moment towards it, as if time had passed; then do what the
        clock does once a minute. The `leases` of workers that live are to be left alone."""
        from django.db.models import F  # noqa: PLC0415
        from django_q.models import OrmQ  # noqa: PLC0415

        from project.mail.models import Delivery, MailServer  # noqa: PLC0415
        from project.mail.services import start_delivery  # noqa: PLC0415

        passed = timedelta(**delta)
        free = Delivery.objects.waiting().filter(claim=None)
        (Delivery.objects.waiting() if leases else free).update(due_at=F("due_at") - passed)
        MailServer.objects.update(retry_at=F("retry_at") - passed)
        if leases:
            MailServer.objects.update(sender_until=F("sender_until") - passed)
        OrmQ.objects.update(lock=F("lock") - passed)
        start_delivery()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                message = f"{len(self.sink.received)} of {self.subscribers} mails after {PATIENCE}s"
                raise TimeoutError(message)
            time.sleep(0.01)

    def has_arrived(self, count: int) -> bool:
        return len(self.sink.counts) >= count

    def nothing_waits(self) -> bool:
        from project.mail.models import Delivery, DeliveryStatus  # noqa: PLC0415

        ours = Delivery.objects.filter(recipient__email__in=self.expected)
        finished = ours.exclude(status=DeliveryStatus.WAITING).count()
        return finished == self.subscribers


@contextmanager
def cluster() -> Iterator["subprocess.Popen[bytes]"]:
    """The worker cluster as a process group; killed with all that it forked."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        kill_group(process)


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def sender_of(port: int) -> int | None:
    """The process that has a connection to this port: the worker that is sending."""
    remote = f":{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{line[9]}]" for line in lines if line[2].endswith(remote)}
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            links = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
            if links & sockets:
                return int(process.name)
    return None


def kill_sender(stage: Stage) -> None:
    victim: list[int] = []

    def found() -> bool:
        pid = sender_of(stage.sink.port)
        if pid is not None:
            victim.append(pid)
        return pid is not None

    stage.wait_for(found)
    os.kill(victim[0], signal.SIGKILL)
    stage.kills += 1


def worker_killed(stage: Stage) -> None:
    """SIGKILL of the worker that is sending, five times in one mailing."""
    stage.slow_down()
    stage.change_the_course()
    with cluster():
        for part in range(1, 6):
            stage.wait_for(lambda part=part: stage.has_arrived(stage.subscribers * part // 7))  # type: ignore[misc]
            kill_sender(stage)
            stage.advance(minutes=6)
        stage.wait_for(stage.nothing_waits)


def cluster_killed(stage: Stage) -> None:
    """SIGKILL of all processes of the cluster, which is then started again, twice."""
    stage.slow_down()
    stage.change_the_course()
    for part in range(1, 3):
        with cluster() as process:
            stage.wait_for(lambda part=part: stage.has_arrived(stage.subscribers * part // 4))  # type: ignore[misc]
            kill_group(process)
            stage.kills += 1
        stage.advance(minutes=6)
    with cluster():
        stage.wait_for(stage.nothing_waits)


def two_clusters(stage: Stage) -> None:
    """Two clusters on one database, and the same fan-out enqueued again and again."""
    from project.mail.models import Mailing  # noqa: PLC0415
    from project.mail.services import send_to_audience, start_delivery  # noqa: PLC0415

    stage.change_the_course()
    mailing = Mailing.objects.latest("pk")
    for _time in range(5):
        start_delivery()
        send_to_audience(mailing.kind, mailing.subject_id or 0)
    with cluster(), cluster():
        stage.wait_for(lambda: stage.has_arrived(stage.subscribers // 2))
        for _time in range(5):
            start_delivery()
        stage.wait_for(stage.nothing_waits)


def server_down(stage: Stage) -> None:
    """The mail server is down for ten minutes, then refuses one address for good and one for a
    while."""
    from project.mail.models import Delivery, MailServer  # noqa: PLC0415

    refused, postponed = sorted(stage.expected)[:2]
    stage.server_down()
    stage.change_the_course()
    with cluster():
        for _minute in range(10):
            failures = MailServer.objects.filter(failures__gt=0)
            stage.wait_for(failures.exists)
            stage.advance(leases=False, minutes=1)
        stage.sink.refused = {refused: "550 5.1.1 No mailbox", postponed: "451 4.2.0 Later"}
        stage.server_up()
        stage.advance(leases=False, minutes=10)
        stage.wait_for(lambda: stage.has_arrived(stage.subscribers - 2))
        stage.wait_for(Delivery.objects.filter(status="refused").exists)
        stage.wait_for(Delivery.objects.filter(status="waiting", refusals=1).exists)
        del stage.sink.refused[postponed]
        stage.advance(leases=False, minutes=2)
        stage.wait_for(stage.nothing_waits)
    stage.expected.remove(refused)


def unsubscribed_meanwhile(stage: Stage) -> None:
    """Somebody unsubscribes after the fan-out was enqueued."""
    from lms.models import Subscription  # noqa: PLC0415

    stage.change_the_course()
    leaver = min(stage.expected)
    Subscription.objects.filter(course=stage.course, user__email=leaver).delete()
    stage.expected.remove(leaver)
    stage.subscribers -= 1
    with cluster():
        stage.wait_for(stage.nothing_waits)


SCENARIOS = [worker_killed, cluster_killed, two_clusters, server_down, unsubscribed_meanwhile]


def play(scenario: Callable[[Stage], None], subscribers: int) -> Result:
    stage = Stage(subscribers)
    started = time.monotonic()
    stage.advance(minutes=6)  # the cluster of the scenario before was killed, with its lease
    stage.server_up()
    try:
        scenario(stage)
    finally:
        stage.server_down()
    counts = stage.sink.counts
    unexpected = counts.total() - sum(counts[address] for address in stage.expected)
    return Result(
        name=scenario.__name__,
        expected=len(stage.expected),
        arrived=counts.total(),
        repeated=sum(counts[address] > 1 for address in stage.expected) + unexpected,
        lost=sum(counts[address] == 0 for address in stage.expected),
        kills=stage.kills,
        seconds=time.monotonic() - started,
    )


def free_port() -> int:
    port = Port(Sink())
    port.start()
    number: int = port.port
    port.stop()
    return number


def measure(
    subscribers: int = 500, scenarios: Sequence[Callable[[Stage], None]] = SCENARIOS
) -> dict[str, Any]:
    """What each scenario did, by its name."""
    number = free_port()
    # The clusters read it when they start.
    os.environ |= {"EMAIL_URL": f"smtp://127.0.0.1:{number}", "SINK_PORT": str(number)}
    results = [play(scenario, subscribers) for scenario in scenarios]
    return {result.name: asdict(result) | {"good": result.is_good} for result in results}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=500)
    parser.add_argument("--scenario", choices=[scenario.__name__ for scenario in SCENARIOS])
    options = parser.parse_args()
    chosen = [each for each in SCENARIOS if options.scenario in (None, each.__name__)]
    with own_database():
        found = measure(options.subscribers, chosen)
    sys.stdout.write("scenario                 expected arrived repeated lost kills  seconds\n")
    for name, result in found.items():
        sys.stdout.write(
            f"{name:24} {result['expected']:8} {result['arrived']:7} {result['repeated']:8} "
            f"{result['lost']:4} {result['kills']:5} {result['seconds']:8.1f}"
            f"{'' if result['good'] else '  FAILED'}\n"
        )
    return 0 if all(result["good"] for result in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
