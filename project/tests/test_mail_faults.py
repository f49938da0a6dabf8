"""Workers and clusters are killed in the middle of a mailing, or the mail server is down: nobody
goes without a mail, at once or daily or about the account, and a kill repeats one at most. Time is not slept through: leases and delays
are moved into the past.

Not part of the default run: `uv run pytest -m faults`, on the database that DATABASE_URL names.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django_q.models import OrmQ

from lms.models import Digest, Subscription
from lms.services import authoring, subscriptions
from lms.tests.factories import CourseFactory
from people.models import CourseMails, User
from people.tests.factories import UserFactory
from project.common.background.queue import enqueue
from project.mail.batches import AWAITED
from project.mail.models import Delivery, DeliveryStatus, Mailing, MailServer
from project.mail.services import send_to_audience, send_to_one, start_delivery
from project.mail.tests.sink import MailHost
from project.school.tests.factories import SchoolFactory
from project.tests.processes import KEY, Running, environment, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

SUBSCRIBERS = 60


class Stage:
    """A course with subscribers, a mail server, and the time that can be moved."""

    def __init__(self, host: MailHost, folder: Path) -> None:
        self.host = host
        self.sink = host.sink
        self.folder = folder
        self.kills = 0
        author = UserFactory.create()
        self.course = CourseFactory.create(
            owner=author,
            is_published=True,
            materials_updated_at=author.date_joined - timedelta(days=1),
        )
        people = User.objects.bulk_create(
            User(
                email=f"reader{number}@school.example",
                language=("en", "ru")[number % 2],
                email_confirmed_at=author.date_joined,
            )
            for number in range(SUBSCRIBERS)
        )
        Subscription.objects.bulk_create(
            Subscription(user=person, course=self.course) for person in people
        )
        self.expected = {person.email for person in people}
        self.running: list[Running] = []

    def change_the_course(self) -> None:
        authoring.update_course(
            course=self.course, changes={"description": "New"}, by=self.course.owner
        )

    def start_cluster(self) -> Running:
        """The worker cluster on the database of the tests, with the real kinds of mail."""
        name = str(connection.settings_dict["NAME"])
        url = f"sqlite:///{name}"
        if connection.vendor == "postgresql":
            url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
        folder = self.folder / f"cluster{len(self.running)}"
        folder.mkdir()
        mail = f"smtp://127.0.0.1:{self.sink.port}"
        variables = environment(folder, DATABASE_URL=url, SECRET_KEY=KEY, EMAIL_URL=mail)
        cluster = Running(folder, "qcluster", variables=variables)
        self.running.append(cluster)
        return cluster

    def advance(self, *, leases: bool = True, minutes: float) -> None:
        """Move all that waits for a moment towards it, as if time had passed; then do what the
        clock does once a minute. The `leases` of workers that live are to be left alone."""
        passed = timedelta(minutes=minutes)
        free = Delivery.objects.waiting().filter(claim=None)
        (Delivery.objects.waiting() if leases else free).update(due_at=F("due_at") - passed)
        MailServer.objects.update(retry_at=F("retry_at") - passed)
        if leases:
            MailServer.objects.update(sender_until=F("sender_until") - passed)
        OrmQ.objects.update(lock=F("lock") - passed)
        start_delivery()

    def slow_down(self) -> None:
        """So that there is time to kill in the middle."""
        self.sink.before_accepting = lambda _address: time.sleep(0.05)

    def has_arrived(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.sink.counts) >= count

    def rest_is_sent(self, *apart: str) -> Callable[[], bool]:
        """What ends a connection repeats any mail that is in flight on it: only these may be."""
        rest = self.expected - {*apart}
        sent = Delivery.objects.filter(status=DeliveryStatus.SENT, recipient__email__in=rest)
        return lambda: sent.count() == len(rest)

    def nothing_waits(self) -> bool:
        ours = Delivery.objects.filter(recipient__email__in=self.expected)
        return ours.exclude(status=DeliveryStatus.WAITING).count() == len(self.expected)


class MixedStage(Stage):
    """Five courses that all follow, half of them once a day, and a mail about the account for each."""

    def __init__(self, host: MailHost, folder: Path) -> None:
        super().__init__(host, folder)
        SchoolFactory.create(daily_mail_hour=0)
        long_ago = self.course.materials_updated_at
        fields = {"owner": self.course.owner, "is_published": True}
        others = CourseFactory.create_batch(4, materials_updated_at=long_ago, **fields)
        self.courses = [self.course, *others]
        self.readers = list(User.objects.filter(email__in=self.expected).order_by("pk"))
        Subscription.objects.bulk_create(
            Subscription(user=person, course=course) for person in self.readers for course in others
        )
        daily = [person.pk for person in self.readers[::2]]
        User.objects.filter(pk__in=daily).update(course_mails=CourseMails.DAILY)
        Subscription.objects.filter(user__in=daily).update(digested_up_to=0)
        # How many different mails each gets: of each course or of all, and the other one.
        self.numbers = {
            person.email: 2 if person.pk in daily else len(self.courses) + 1
            for person in self.readers
        }

    def change_everything(self) -> None:
        for course in self.courses:
            changes = {"description": "New"}
            authoring.update_course(course=course, changes=changes, by=course.owner)
        for person in self.readers:
            send_to_one("password_reset", person)
        self.start_daily_mail()

    def start_daily_mail(self) -> None:
        """As the clock does every few minutes."""
        enqueue("lms.tasks.send_daily_mail")

    def advance(self, *, leases: bool = True, minutes: float) -> None:
        self.start_daily_mail()
        super().advance(leases=leases, minutes=minutes)

    def have_arrived(self, share: float) -> Callable[[], bool]:
        number = share * sum(self.numbers.values())
        return lambda: len(self.sink.received) >= number

    def all_is_done(self) -> bool:
        """Nobody is to be listed, and nothing waits."""
        everything = Delivery.objects.filter(status=DeliveryStatus.SENT).count()
        return everything == sum(self.numbers.values())

    def check(self) -> None:
        """Each mail arrived, and a kill repeated one at most."""
        different = Counter(address for address, _identity in set(self.mails()))
        assert different == Counter(self.numbers)
        assert len(self.mails()) - different.total() <= self.kills
        assert Mailing.objects.filter(kind="course_digest").count() == 1

    def mails(self) -> list[tuple[str, str]]:
        """Of all that arrived the address and the Message-ID."""
        return [
            (address, str(message_from_bytes(content)["Message-ID"]))
            for address, content in self.sink.received
        ]


@pytest.fixture
def mixed(mail_host: MailHost, tmp_path: Path) -> Iterator[MixedStage]:
    stage = MixedStage(mail_host, tmp_path)
    yield stage
    for cluster in stage.running:
        cluster.end()
    stage.check()


@pytest.fixture
def stage(mail_host: MailHost, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(mail_host, tmp_path)
    yield stage
    for cluster in stage.running:
        cluster.end()
    counts = stage.sink.counts
    assert stage.expected - counts.keys() == set()
    assert counts.total() - len(stage.expected) <= stage.kills


def sender_to(port: int) -> int:
    """The process that has a connection to this port: the worker that is sending. Waits for it."""
    found: list[int] = []

    def is_there() -> bool:
        found[:] = connected_to(port)
        return bool(found)

    wait_until(is_there)
    return found[0]


def connected_to(port: int) -> list[int]:
    """Processes, but this one, that have a connection to this port."""
    remote = f":{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{line[9]}]" for line in lines if line[2].endswith(remote)}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            links = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
            if links & sockets and int(process.name) != os.getpid():
                found.append(int(process.name))
    return found


# First, so that the others run beside it where there are two processes (.ci/run).
def test_a_server_that_answers_after_two_minutes_gets_each_mail_once(stage: Stage) -> None:
    """Nobody else waits for it, and meanwhile the clock starts the sender as each minute."""
    slow = min(stage.expected)
    stage.sink.answers[slow] = (120, "250 OK")
    stage.change_the_course()
    stage.start_cluster()
    wait_until(stage.rest_is_sent(slow))
    assert of(slow).get().status == DeliveryStatus.WAITING
    for _time in range(3):
        start_delivery()
        time.sleep(20)
    wait_until(stage.nothing_waits, seconds=120)
    assert of(slow).get().status == DeliveryStatus.SENT
    assert stage.sink.counts[slow] == 1


def test_a_worker_that_is_killed_repeats_one_mail_at_most_and_loses_none(stage: Stage) -> None:
    stage.slow_down()
    stage.change_the_course()
    stage.start_cluster()
    for part in range(1, 6):
        wait_until(stage.has_arrived(SUBSCRIBERS * part // 7))
        os.kill(sender_to(stage.sink.port), signal.SIGKILL)
        stage.kills += 1
        stage.advance(minutes=6)
    wait_until(stage.nothing_waits)


def test_a_cluster_that_is_killed_repeats_one_mail_at_most_and_loses_none(stage: Stage) -> None:
    stage.slow_down()
    stage.change_the_course()
    for part in range(1, 3):
        cluster = stage.start_cluster()
        wait_until(stage.has_arrived(SUBSCRIBERS * part // 4))
        cluster.end()
        stage.kills += 1
        stage.advance(minutes=6)
    stage.start_cluster()
    wait_until(stage.nothing_waits)


def test_two_clusters_send_each_mail_once_however_often_the_mailing_is_enqueued(
    stage: Stage,
) -> None:
    stage.change_the_course()
    mailing = Mailing.objects.get()
    for _time in range(5):
        start_delivery()
        send_to_audience(mailing.kind, mailing.subject_id or 0)
    stage.start_cluster()
    stage.start_cluster()
    wait_until(stage.has_arrived(SUBSCRIBERS // 2))
    for _time in range(5):
        start_delivery()
    wait_until(stage.nothing_waits)


def test_a_mail_server_that_was_down_or_refuses_gets_the_mails_later(stage: Stage) -> None:
    """It is down for ten minutes, then refuses one address for good and one for a while."""
    refused, postponed = sorted(stage.expected)[:2]
    stage.host.down()
    stage.change_the_course()
    stage.start_cluster()
    for _minute in range(10):
        wait_until(MailServer.objects.filter(failures__gt=0).exists)
        stage.advance(leases=False, minutes=1)
    stage.sink.refused = {refused: "550 5.1.1 No mailbox", postponed: "451 4.2.0 Later"}
    stage.host.up()
    stage.advance(leases=False, minutes=10)
    wait_until(stage.has_arrived(SUBSCRIBERS - 2))
    wait_until(Delivery.objects.filter(status=DeliveryStatus.REFUSED).exists)
    wait_until(Delivery.objects.filter(status=DeliveryStatus.WAITING, refusals=1).exists)
    del stage.sink.refused[postponed]
    stage.advance(leases=False, minutes=2)
    wait_until(stage.nothing_waits)
    stage.expected.remove(refused)


def test_who_unsubscribed_meanwhile_gets_no_mail(stage: Stage) -> None:
    stage.change_the_course()
    leaver = min(stage.expected)
    Subscription.objects.filter(course=stage.course, user__email=leaver).delete()
    stage.expected.remove(leaver)
    stage.start_cluster()
    wait_until(stage.nothing_waits)


def of(reader: str) -> QuerySet[Delivery]:
    return Delivery.objects.filter(recipient__email=reader)


def test_a_server_that_takes_mails_and_does_not_say_so_gets_them_twice_at_most(
    stage: Stage,
) -> None:
    """It hangs up after the message, says *later* after it, and is killed before its answer."""
    hung_up, postponed, killed, *_others = sorted(stage.expected)
    stage.sink.answers = {hung_up: (0, ""), postponed: (0, "451 4.7.1 Later"), killed: (600, "")}
    stage.change_the_course()
    stage.start_cluster()
    wait_until(stage.rest_is_sent(hung_up, postponed, killed))
    for _time in range(2):
        wait_until(of(killed).filter(error=AWAITED).exists)
        stage.host.down()
        wait_until(of(killed).filter(claim=None).exists)
        stage.host.up()
        stage.advance(leases=False, minutes=2)
        stage.sink.answers.pop(postponed, None)
    wait_until(stage.nothing_waits)
    perhaps = Delivery.objects.filter(status=DeliveryStatus.PERHAPS)
    assert set(perhaps.values_list("recipient__email", flat=True)) == {hung_up, killed}
    assert [stage.sink.counts[reader] for reader in (hung_up, killed, postponed)] == [2, 2, 1]
    stage.kills = 2


def test_a_mail_whose_worker_is_killed_before_the_answer_goes_out_twice_at_most(
    stage: Stage,
) -> None:
    slow = min(stage.expected)
    stage.sink.answers[slow] = (600, "250 OK")
    stage.change_the_course()
    stage.start_cluster()
    wait_until(stage.rest_is_sent(slow))
    for _time in range(2):
        wait_until(of(slow).filter(error=AWAITED).exclude(claim=None).exists)
        os.kill(sender_to(stage.sink.port), signal.SIGKILL)
        stage.advance(minutes=13)
    wait_until(stage.nothing_waits)
    assert of(slow).get().status == DeliveryStatus.PERHAPS
    assert stage.sink.counts[slow] == 2
    stage.kills = 1


# --- Mails at once, daily ones and those about accounts ------------------------------------------


def test_workers_that_are_killed_lose_none_of_many_kinds(mixed: MixedStage) -> None:
    mixed.slow_down()
    mixed.start_cluster()
    mixed.change_everything()
    for part in range(1, 6):
        wait_until(mixed.have_arrived(part / 7))
        os.kill(sender_to(mixed.sink.port), signal.SIGKILL)
        mixed.kills += 1
        mixed.advance(minutes=6)
    wait_until(mixed.all_is_done)


def test_clusters_that_are_killed_lose_none_of_many_kinds(mixed: MixedStage) -> None:
    mixed.slow_down()
    mixed.change_everything()
    for part in range(1, 4):
        cluster = mixed.start_cluster()
        wait_until(mixed.have_arrived(part / 5))
        cluster.end()
        mixed.kills += 1
        mixed.advance(minutes=6)
    mixed.start_cluster()
    wait_until(mixed.all_is_done)


def test_two_clusters_send_one_daily_mail_however_often_it_is_asked_for(mixed: MixedStage) -> None:
    for _time in range(5):
        mixed.start_daily_mail()
    mixed.start_cluster()
    mixed.start_cluster()
    mixed.change_everything()
    for part in range(1, 5):
        wait_until(mixed.have_arrived(part / 5))
        mixed.start_daily_mail()
        start_delivery()
    wait_until(mixed.all_is_done)


def test_a_server_that_was_down_gets_mails_of_many_kinds_later(mixed: MixedStage) -> None:
    """What people choose meanwhile repeats nothing, and loses nothing."""
    mixed.host.down()
    mixed.change_everything()
    mixed.start_cluster()
    wait_until(MailServer.objects.filter(failures__gt=0).exists)
    wait_until(Digest.objects.filter(is_listed=True).exists)
    for person in mixed.readers[::4]:
        subscriptions.choose_for_all(user=person, how=CourseMails.AT_ONCE)
    mixed.advance(leases=False, minutes=1)
    mixed.host.up()
    mixed.advance(leases=False, minutes=10)
    wait_until(mixed.all_is_done)
