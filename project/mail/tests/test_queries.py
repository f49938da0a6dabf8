"""How mails get into the ledger, what it says of itself, and when it forgets."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import OperationalError, connection
from django.utils import timezone
from django_q.models import OrmQ

from people.models import User
from people.tests.factories import UserFactory
from project.common.db.bulk import insert_rows
from project.mail import queries, recipients
from project.mail.batches import claim_batch
from project.mail.models import Delivery, Mailing, MailingState
from project.mail.queries import forget_finished_mailings, oldest_unsent_age
from project.mail.recipients import add_recipients, list_one_step
from project.mail.sending import has_work
from project.mail.services import (
    list_again,
    open_mailing,
    send_to_audience,
    send_to_one,
    start_delivery,
    try_again,
)
from project.mail.tasks import forget_old_mails
from project.mail.tests.kinds import Notice
from project.tests.races import elsewhere

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
ON_POSTGRESQL = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite locks the whole database"
)


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def queued(django_capture_on_commit_callbacks):
    """How many tasks something puts into the queue."""

    def count(call):
        OrmQ.objects.all().delete()
        with django_capture_on_commit_callbacks(execute=True):
            call()
        tasks = [row.task["func"] for row in OrmQ.objects.all()]
        assert set(tasks) <= {"project.mail.tasks.deliver_mail"}
        return len(tasks)

    return count


def recipients_of(mailing):
    return list(mailing.deliveries.order_by("id").values_list("recipient_id", flat=True))


# --- Into the outbox ------------------------------------------------------------------------------


def test_one_mail_for_one_person_and_key(people, clock, queued):
    anna, boris, *_others = people

    def send(person, kind="notice", **options):
        return queued(lambda: send_to_one(kind, person, **options))

    assert send(anna, key="a", subject_id=7, title="x" * 300) == 1
    assert send(anna, key="a") == send(boris, key="a") == 0
    assert send(boris, "urgent", key="a") == send(boris, key="b") == send(boris) == send(boris) == 1
    mailing = Mailing.objects.earliest("id")
    assert (mailing.kind, mailing.subject_id, mailing.title, mailing.state) == (
        "notice",
        7,
        "x" * 200,
        MailingState.LISTED,
    )
    columns = ("recipient", "urgent", "status", "due_at")
    assert list(Delivery.objects.order_by("id").values_list(*columns)) == [
        (person.pk, urgent, "waiting", NOW)
        for person, urgent in [(anna, False), (boris, True), *[(boris, False)] * 3]
    ]
    assert Delivery.objects.of("notice", "a").get().recipient == anna
    assert Delivery.objects.of("urgent", "a").get().recipient == boris


def test_a_mail_that_cannot_be_put_in_leaves_no_mailing(people):
    with pytest.raises(ValueError, match="unsaved"):
        send_to_one("notice", User())
    assert not Mailing.objects.exists()


@pytest.mark.parametrize("send", [send_to_one, send_to_audience])
def test_a_mail_of_no_kind_is_an_error_at_once(people, send):
    with pytest.raises(KeyError):
        send("nonsense", people[0])
    assert not Mailing.objects.exists()


def test_one_mailing_for_one_subject(people, clock, queued):
    def send(kind, subject_id):
        return queued(lambda: send_to_audience(kind, subject_id, title="x" * 300))

    assert send("notice", 1) == send("notice", 2) == send("urgent", 1) == 1
    assert send("notice", 1) == 0
    assert list(
        Mailing.objects.order_by("id").values_list("kind", "subject_id", "title", "state")
    ) == [
        (kind, subject, "x" * 200, "listing")
        for kind, subject in [("notice", 1), ("notice", 2), ("urgent", 1)]
    ]
    assert queued(start_delivery) == 1


def test_who_is_added_is_there_once_and_stays_as_they_are(people, clock):
    mailing, other = open_mailing("urgent", "k"), open_mailing("notice", "k")
    assert open_mailing("urgent", "k") == mailing
    assert mailing.state == MailingState.LISTED
    rows = User.objects.filter(pk__in=[person.pk for person in people[:2]])
    assert add_recipients(mailing, rows, "pk") == 2
    Delivery.objects.filter(recipient=people[0]).update(status="sent")
    clock.shift(timedelta(minutes=1))
    assert add_recipients(mailing, User.objects.exclude(pk=people[4].pk), "pk") == 2
    assert add_recipients(other, rows, "pk") == 2
    columns = ("recipient", "status", "urgent", "due_at", "attempts", "refusals", "error")
    later = timezone.now()
    assert set(mailing.deliveries.values_list(*columns)) == {
        (people[0].pk, "sent", True, NOW, 0, 0, ""),
        (people[1].pk, "waiting", True, NOW, 0, 0, ""),
        (people[2].pk, "waiting", True, later, 0, 0, ""),
        (people[3].pk, "waiting", True, later, 0, 0, ""),
    }
    assert set(other.deliveries.values_list("urgent", flat=True)) == {False}


# --- Listing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "steps"), [(5, 3), (4, 3), (1, 1), (0, 1)])
def test_the_oldest_mailing_is_listed_step_by_step_and_then_the_next(
    clock, monkeypatch, number, steps
):
    monkeypatch.setattr(recipients, "STEP", 2)
    people = UserFactory.create_batch(number)
    first, second = send_to_audience("notice", 1), send_to_audience("notice", 2)
    for step in range(1, steps + 1):
        assert list_one_step()
        first.refresh_from_db()
        listed = [person.pk for person in people[: 2 * step]]
        assert recipients_of(first) == listed
        is_last = step == steps
        assert first.state == (MailingState.LISTED if is_last else MailingState.LISTING)
        if not is_last:
            assert first.listed_up_to == listed[-1]
        assert (first.listing_attempts, first.due_at) == (0, NOW)
        assert recipients_of(second) == []
    for _step in range(steps):
        assert list_one_step()
    assert recipients_of(second) == [person.pk for person in people]
    assert not list_one_step()


def test_a_mailing_that_cannot_be_listed_is_given_up_after_five_tries(people, clock):
    broken = send_to_audience("broken_list", 1)
    for tries, minutes in enumerate([1, 2, 4, 8, 16], start=1):
        assert list_one_step()
        broken.refresh_from_db()
        assert (broken.state, broken.listing_attempts) == (MailingState.LISTING, tries)
        assert broken.due_at == timezone.now() + timedelta(minutes=minutes)
        clock.shift(timedelta(minutes=minutes) - MOMENT)
        assert not has_work(timezone.now())
        assert not list_one_step()
        clock.shift(MOMENT)
        assert has_work(timezone.now())
    other = send_to_audience("notice", 1)
    assert Mailing.objects.parked().count() == 0
    assert list_one_step()
    broken.refresh_from_db()
    assert (broken.state, broken.listing_attempts) == (MailingState.PARKED, 5)
    assert (Mailing.objects.parked().count(), recipients_of(other)) == (1, [])
    assert list_one_step()
    assert len(recipients_of(other)) == 5


def test_a_try_that_kills_the_worker_is_counted_before_it_begins(people, clock, monkeypatch):
    def die(kind, subject_id):
        raise SystemExit

    mailing = send_to_audience("notice", 1)
    with monkeypatch.context() as deadly:
        deadly.setattr(Notice, "audience", die)
        with suppress(SystemExit):
            list_one_step()
    mailing.refresh_from_db()
    assert (mailing.listing_attempts, mailing.due_at) == (1, NOW + timedelta(minutes=1))
    clock.shift(timedelta(minutes=1))
    assert list_one_step()
    mailing.refresh_from_db()
    assert (mailing.listing_attempts, len(recipients_of(mailing))) == (0, 5)


def test_a_step_that_fails_in_the_middle_leaves_nothing(people, clock):
    """How far it came and the recipients are written together."""

    def fail(execute, sql, *rest):
        if sql.startswith("UPDATE") and "listed_up_to" in sql:
            raise OperationalError("gone")
        return execute(sql, *rest)

    mailing = send_to_audience("notice", 1)
    with connection.execute_wrapper(fail):
        assert list_one_step()
    assert recipients_of(mailing) == []
    clock.shift(timedelta(minutes=1))
    assert list_one_step()
    assert len(recipients_of(mailing)) == 5


@ON_POSTGRESQL
@pytest.mark.django_db(transaction=True)
def test_nobody_else_lists_a_mailing_meanwhile(people, monkeypatch):
    found: list[str] = []

    def audience(kind, subject_id):
        if not found:
            found.append("once")
            with pytest.raises(OperationalError, match="lock timeout"):
                elsewhere(lambda: Mailing.objects.update(listed_up_to=0))
        return User.objects.all(), "pk"

    monkeypatch.setattr(Notice, "audience", audience)
    mailing = send_to_audience("notice", 1)
    assert list_one_step()
    assert (found, len(recipients_of(mailing))) == (["once"], 5)


@pytest.mark.parametrize("state", [MailingState.LISTED, MailingState.PARKED])
def test_a_mailing_that_was_dealt_with_meanwhile_is_left_alone(people, monkeypatch, state):
    """By another worker, between our look and our lock."""

    def deal_with_it(execute, sql, *rest):
        result = execute(sql, *rest)
        if sql.startswith("UPDATE") and "listing_attempts" in sql:
            with connection.cursor() as cursor:
                cursor.execute("UPDATE mail_mailing SET state = %s", [state])
        return result

    mailing = send_to_audience("notice", 1)
    with connection.execute_wrapper(deal_with_it):
        assert list_one_step()
    assert recipients_of(mailing) == []
    mailing.refresh_from_db()
    assert mailing.state == state


# --- Once more ------------------------------------------------------------------------------------


def test_only_what_failed_is_sent_once_more_and_as_if_it_were_new(people, clock, queued):
    mailing = send_to_audience("notice", 1)
    list_one_step()
    claim_batch(timezone.now())
    statuses = ["refused", "parked", "sent", "skipped", "waiting"]
    for delivery, status in zip(mailing.deliveries.order_by("id"), statuses, strict=True):
        Delivery.objects.filter(pk=delivery.pk).update(
            status=status, attempts=7, refusals=3, finished_at=NOW, error="why"
        )
    clock.shift(timedelta(hours=1))
    results = []
    assert queued(lambda: results.append(try_again(Delivery.objects.all()))) == 1
    assert queued(lambda: results.append(try_again(Delivery.objects.all()))) == 0
    assert results == [2, 0]
    again = (timezone.now(), "waiting", 0, 0, None, None)
    columns = ("due_at", "status", "attempts", "refusals", "claim", "finished_at")
    rows = list(mailing.deliveries.order_by("id").values_list(*columns))
    assert rows[:2] == [again, again]
    assert [row[1:4] for row in rows[2:]] == [(status, 7, 3) for status in statuses[2:]]


def test_only_a_mailing_that_was_given_up_is_listed_once_more(people, clock, queued):
    states = [MailingState.PARKED, MailingState.LISTED, MailingState.PARKED]
    mailings = [
        Mailing.objects.create(
            kind="notice", key=str(number), state=state, listing_attempts=5, listed_up_to=3
        )
        for number, state in enumerate(states)
    ]
    clock.shift(timedelta(hours=1))
    results = []
    assert queued(lambda: results.append(list_again(mailings[0]))) == 1
    assert queued(lambda: results.append(list_again(mailings[1]))) == 0
    assert results == [True, False]
    columns = ("state", "listing_attempts", "due_at", "listed_up_to")
    assert list(Mailing.objects.order_by("id").values_list(*columns)) == [
        ("listing", 0, timezone.now(), 3),
        ("listed", 5, NOW, 3),
        ("parked", 5, NOW, 3),
    ]


# --- Questions ------------------------------------------------------------------------------------


def test_the_age_is_that_of_what_has_been_due_for_longest(people, clock):
    assert oldest_unsent_age(NOW) is None
    send_to_one("notice", people[0])
    send_to_one("notice", people[1])
    send_to_one("notice", people[2])
    first, second, third = Delivery.objects.order_by("id")
    Delivery.objects.filter(pk=first.pk).update(due_at=NOW - timedelta(hours=9), status="sent")
    Delivery.objects.filter(pk=second.pk).update(due_at=NOW - timedelta(minutes=5))
    assert oldest_unsent_age(NOW) == timedelta(minutes=5)
    mailing = send_to_audience("notice", 1)
    Mailing.objects.exclude(pk=mailing.pk).update(created_at=NOW - timedelta(hours=9))
    assert oldest_unsent_age(NOW) == timedelta(minutes=5)
    Mailing.objects.filter(pk=mailing.pk).update(created_at=NOW - timedelta(minutes=7))
    assert oldest_unsent_age(NOW) == timedelta(minutes=7)
    Delivery.objects.filter(pk__in=[second.pk, third.pk]).update(due_at=NOW + MOMENT)
    assert oldest_unsent_age(NOW) == timedelta(minutes=7)
    # The clock was set back.
    Mailing.objects.filter(pk=mailing.pk).update(created_at=NOW + MOMENT)
    assert oldest_unsent_age(NOW) == timedelta(0)
    Mailing.objects.update(state=MailingState.LISTED)
    assert oldest_unsent_age(NOW) is None


def test_something_is_due_if_there_is_a_mail_to_send_or_a_mailing_to_list(people, clock):
    assert not has_work(NOW)
    send_to_one("notice", people[0])
    assert has_work(NOW)
    assert not has_work(NOW - MOMENT)
    Delivery.objects.update(status="sent")
    assert not has_work(NOW)
    send_to_audience("notice", 1)
    assert has_work(NOW)
    assert not has_work(NOW - MOMENT)


def test_failures_of_seven_days_are_lately(people, clock):
    for person in people:
        send_to_one("notice", person)
    ids = Delivery.objects.order_by("id").values_list("id", flat=True)
    week = NOW - timedelta(days=7)
    for pk, (status, at) in zip(
        ids,
        [
            ("refused", week),
            ("parked", NOW),
            ("refused", week - MOMENT),
            ("skipped", NOW),
            ("sent", NOW),
        ],
        strict=True,
    ):
        Delivery.objects.filter(pk=pk).update(status=status, finished_at=at)
    assert Delivery.objects.failed_lately().count() == 2


# --- Forgetting -----------------------------------------------------------------------------------


def test_what_was_finished_ninety_days_ago_is_forgotten(people, clock):
    old, young, waits, unlisted, _given_up = (
        Mailing.objects.create(kind="notice", key=str(number), state=state)
        for number, state in enumerate(["listed", "listed", "listed", "listing", "parked"])
    )
    for mailing in (old, young, waits, unlisted):
        for person in people[:2]:
            Delivery.objects.create(mailing=mailing, recipient=person, status="sent")
    Delivery.objects.filter(mailing=waits, recipient=people[0]).update(status="waiting")
    ninety_days = NOW - timedelta(days=90)
    Mailing.objects.update(created_at=ninety_days - MOMENT)
    Mailing.objects.filter(pk=young.pk).update(created_at=ninety_days)
    assert forget_old_mails() == {"mails_forgotten": 2}
    assert set(Mailing.objects.all()) == {young, waits, unlisted}
    assert Delivery.objects.count() == 6
    assert User.objects.count() == 5


def test_at_most_so_many_steps_are_forgotten_at_once(clock, monkeypatch):
    monkeypatch.setattr(queries, "STEP", 2)
    people = UserFactory.create_batch(45)
    mailing = open_mailing("notice", "k")
    add_recipients(mailing, User.objects.all(), "pk")
    Delivery.objects.update(status="sent")
    tomorrow = NOW + timedelta(days=1)
    # Two in a step, twenty steps.
    assert forget_finished_mailings(tomorrow) == 40
    assert recipients_of(mailing) == [person.pk for person in people[40:]]
    assert forget_finished_mailings(tomorrow, steps=1) == 2
    assert Mailing.objects.exists()
    assert forget_finished_mailings(tomorrow) == 3
    assert not Mailing.objects.exists()


def test_five_thousand_are_listed_and_forgotten_in_a_step(clock):
    rows = ([f"{number}@school.example", timezone.now()] for number in range(5001))
    insert_rows(User, ["email", "email_confirmed_at"], rows)
    mailing = send_to_audience("notice", 1)
    assert list_one_step()
    assert mailing.deliveries.count() == 5000
    assert list_one_step()
    assert not list_one_step()
    Delivery.objects.update(status="sent")
    assert forget_finished_mailings(NOW + MOMENT, steps=1) == 5000
    assert forget_finished_mailings(NOW + MOMENT, steps=1) == 1
