"""What becomes of the mails that a worker took: leases, tries, delays and deadlines to the moment,
and whatever goes wrong on the way."""

import uuid
from collections import Counter as Counts
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from people.models import User
from people.tests.factories import UserFactory
from project.mail import batches, recipients
from project.mail.batches import Batch, ClaimLost, claim_batch
from project.mail.models import Delivery, DeliveryStatus, Mailing, MailServer
from project.mail.sending import (
    become_sender,
    mail_server,
    note_failure,
    send_due,
    server_may_answer,
    stop_sending,
)
from project.mail.services import send_to_audience, send_to_one
from project.mail.tasks import deliver_mail
from project.tests.races import elsewhere

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
WAITING, SENT, REFUSED, PARKED, SKIPPED = (
    DeliveryStatus.WAITING,
    DeliveryStatus.SENT,
    DeliveryStatus.REFUSED,
    DeliveryStatus.PARKED,
    DeliveryStatus.SKIPPED,
)
ON_POSTGRESQL = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite locks the whole database"
)


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def listed(subject_id=1, kind="notice"):
    mailing = send_to_audience(kind, subject_id)
    assert recipients.list_one_step()
    return mailing


def claimed() -> Batch:
    batch = claim_batch(timezone.now())
    assert batch is not None
    return batch


def rows(**fields):
    """What the ledger says of each mail, in the order in which they were put in: status, tries,
    answers "later", when it is due (if it waits), claim, when it was finished, reason."""
    return [
        (
            row.status,
            row.attempts,
            row.refusals,
            row.due_at if row.status == WAITING else None,
            row.claim,
            row.finished_at,
            row.error,
        )
        for row in Delivery.objects.filter(**fields).order_by("id")
    ]


def sent(at=NOW):
    return (SENT, 1, 0, None, None, at, "")


def untouched(due_at=NOW):
    return (WAITING, 0, 0, due_at, None, None, "")


# --- Claims ---------------------------------------------------------------------------------------


def test_a_claim_is_a_lease_of_two_minutes_on_mails_of_one_mailing(people, clock):
    first, second = listed(1), listed(2)
    batch = claimed()
    assert batch.mailing == first
    assert batch.recipients == dict(first.deliveries.order_by("id").values_list("id", "recipient"))
    lease = NOW + timedelta(minutes=2)
    assert rows(mailing=first) == [(WAITING, 1, 0, lease, batch.claim, None, "")] * 5
    assert rows(mailing=second) == [untouched()] * 5
    assert claimed().mailing == second
    clock.shift(timedelta(minutes=2) - MOMENT)
    assert claim_batch(timezone.now()) is None
    clock.shift(MOMENT)
    again = claimed()
    assert (again.mailing, again.recipients) == (first, batch.recipients)
    assert again.claim != batch.claim
    assert {row[1] for row in rows(mailing=first)} == {2}


@pytest.mark.parametrize("number", [2, 20])
def test_a_claim_takes_the_same_queries_for_any_number(number, clock, django_assert_num_queries):
    UserFactory.create_batch(number)
    listed()
    # A savepoint (2), the rows, the claim, the mailing.
    with django_assert_num_queries(5):
        assert len(claimed().recipients) == number


def test_what_has_waited_longest_is_sent_first_and_what_somebody_waits_for_before_it(people, clock):
    send_to_one("notice", people[0])
    send_to_one("notice", people[1])
    send_to_one("urgent", people[2])
    Delivery.objects.filter(recipient=people[1]).update(due_at=NOW - MOMENT)
    order = [claimed().recipients.values() for _time in range(3)]
    assert [list(one) for one in order] == [[people[2].pk], [people[1].pk], [people[0].pk]]


@pytest.mark.parametrize(("crashes", "size"), [(0, 500), (1, 20), (2, 1), (3, 1), (4, 1)], ids=str)
def test_what_crashed_is_taken_with_fewer_others(clock, crashes, size):
    UserFactory.create_batch(size + 1)
    listed()
    Delivery.objects.update(attempts=crashes + 7, refusals=7)
    assert len(claimed().recipients) == size


def test_of_a_dead_worker_only_the_mail_that_it_was_at_may_have_gone_out(people, counter, clock):
    listed()
    batch = claimed()
    first, second, *others = batch.recipients
    batch.mark_sent(first)
    batch.give_back(others[2:])
    clock.shift(timedelta(minutes=2))
    batches.give_up(timezone.now())
    assert dict(Delivery.objects.waiting().order_by("id").values_list("id", "unanswered")) == {
        second: 1
    } | dict.fromkeys(others, 0)
    assert set(Delivery.objects.values_list("claim", flat=True)) == {None}
    # It is taken alone, and not counted again while somebody has it.
    assert {second} in [set(claimed().recipients) for _time in range(3)]
    batches.give_up(timezone.now())
    assert Delivery.objects.get(pk=second).unanswered == 1


def test_what_crashed_is_not_taken_with_what_did_not(people, clock):
    listed()
    crashed = Delivery.objects.filter(recipient__in=people[1:3])
    crashed.update(attempts=1)
    assert len(claimed().recipients) == 3
    assert set(claimed().recipients) == {row.pk for row in crashed}


@pytest.mark.parametrize(
    ("attempts", "refusals", "status"), [(4, 0, SENT), (5, 0, PARKED), (7, 3, SENT), (7, 2, PARKED)]
)
def test_five_crashes_are_enough(people, counter, clock, attempts, refusals, status):
    listed()
    suspect = Delivery.objects.filter(recipient=people[2])
    suspect.update(attempts=attempts, refusals=refusals, claim=uuid.uuid4())
    due_later = Delivery.objects.filter(recipient=people[3])
    due_later.update(attempts=9, due_at=NOW + MOMENT)
    assert deliver_mail() == {"mails_sent": 4 if status == SENT else 3}
    row = suspect.get()
    assert (row.status, row.finished_at, row.claim) == (status, NOW, None)
    # It may be with a worker still.
    assert due_later.get().status == WAITING


@ON_POSTGRESQL
@pytest.mark.django_db(transaction=True)
def test_two_workers_take_different_mails_and_neither_waits(people, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_SIZES", (3, 1, 1))
    listed()
    with transaction.atomic():
        mine = claimed()
        theirs = elsewhere(claimed)
        assert elsewhere(lambda: claim_batch(timezone.now())) is None
    assert (len(mine.recipients), len(theirs.recipients)) == (3, 2)
    assert not set(mine.recipients) & set(theirs.recipients)
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


@ON_POSTGRESQL
@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_commits_wait_for_the_disk_but_while_mails_are_sent(people, counter, error):
    """Whatever ends the sending."""
    seen = []

    def look(address):
        seen.append(synchronous_commit())
        if error:
            raise error

    counter.meanwhile = look
    listed()
    with pytest.raises(error) if error else nullcontext():
        deliver_mail()
    assert set(seen) == {"off"}
    assert synchronous_commit() == "on"


def synchronous_commit():
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone()[0]


# --- Deadlines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("takes", "time", "number"),
    [
        # Whether time is left is asked before each mail; one more may be ready.
        (10, 25, 3),
        (10, 20, 2),
        (0.25, 0.375, 2),
        (0.25, 0.5, 3),
        (0.25, 0, 0),
    ],
)
def test_what_the_deadline_leaves_is_due_as_before(
    people, counter, clock, ticks, takes, time, number
):
    def take(address):
        ticks.now += takes

    counter.meanwhile = take
    listed()
    clock.shift(timedelta(minutes=1))
    assert send_due(ticks.now + time) == len(counter.taken) == number
    assert rows() == [sent(timezone.now())] * number + [untouched()] * (5 - number)
    assert send_due(ticks.now + 1000) == 5 - number
    assert counter.taken == [person.email for person in people]


def test_a_task_sends_for_twenty_seconds_and_leaves_the_rest_to_the_next(
    people, counter, ticks, run_worker, django_capture_on_commit_callbacks
):
    def take(address):
        ticks.now += 10

    counter.meanwhile = take
    send_to_audience("notice", 1)
    with django_capture_on_commit_callbacks(execute=True):
        assert deliver_mail() == {"mails_sent": 2, "continued": 1}
    token = MailServer.objects.get().sender
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"]) == ("project.mail.tasks.deliver_mail", (str(token),))
    assert deliver_mail() == {"mails_sent": 0}  # somebody else's turn is not now
    with django_capture_on_commit_callbacks(execute=True):
        assert deliver_mail(str(token)) == {"mails_sent": 2, "continued": 1}
        assert deliver_mail(str(token)) == {"mails_sent": 1}
    assert MailServer.objects.get().sender is None


@pytest.mark.parametrize(("blocked", "sent"), [(4, 5), (5, 5), (6, 6)], ids=str)
def test_whom_to_skip_is_asked_again_after_a_second(people, counter, ticks, clock, blocked, sent):
    """Five mails are a second and a quarter, and the fifth was ready when the second was over."""
    everybody = [*people, *UserFactory.create_batch(2)]

    def take(address):
        User.objects.filter(pk=everybody[blocked].pk).update(is_active=False)
        ticks.now += 0.25

    counter.meanwhile = take
    listed()
    deliver_mail()
    skipped = everybody[blocked]
    assert (skipped.email in counter.taken) == (blocked < sent)
    status = SENT if blocked < sent else SKIPPED
    row = Delivery.objects.get(recipient=skipped)
    assert (row.status, row.finished_at, row.claim) == (status, NOW, None)
    assert len(counter.taken) == 7 - (blocked >= sent)


# --- Outcomes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "statements"), [("shared", 1), ("notice", 2)])
def test_each_mail_is_marked_by_one_statement_and_a_letter_of_its_own_kept_by_another(
    counter, kind, statements
):
    used = []
    for number in (2, 20):
        Delivery.objects.all().delete()
        Mailing.objects.all().delete()
        User.objects.all().delete()
        UserFactory.create_batch(number)
        listed(kind=kind)
        with CaptureQueriesContext(connection) as captured:
            send_due(monotonic() + 100)
        used.append(len(captured))
    assert used[1] - used[0] == (20 - 2) * statements


@pytest.mark.parametrize("lost", [0, 2, 4])
def test_a_mail_that_another_worker_took_over_is_theirs(people, counter, clock, lost):
    """The lease ran out while the mail was with the server: it is the only one to be repeated."""
    theirs = uuid.uuid4()
    taken_over = Delivery.objects.filter(recipient=people[lost])

    def take(address):
        if address == people[lost].email:
            taken_over.update(claim=theirs, attempts=2)

    counter.meanwhile = take
    listed()
    assert deliver_mail() == {"mails_sent": lost + 1}
    assert taken_over.get().claim == theirs
    assert taken_over.get().status == WAITING
    counter.meanwhile = lambda address: None
    clock.shift(timedelta(minutes=2))
    deliver_mail()
    assert Counts(counter.taken) == {person.email: 1 for person in people} | {people[lost].email: 2}


@pytest.mark.parametrize(
    "write",
    [
        lambda batch, pk: batch.finish([pk], REFUSED, "no"),
        lambda batch, pk: batch.postpone(pk, "later"),
        lambda batch, pk: batch.crash([pk], "error"),
        lambda batch, pk: batch.give_back([pk]),
        Batch.mark_sent,
    ],
    ids=["finish", "postpone", "crash", "give back", "mark sent"],
)
def test_only_what_we_still_hold_is_written_down_and_of_nobody_else(people, clock, write):
    listed()
    batch = claimed()
    ours, lost, *_others = batch.recipients
    Delivery.objects.filter(pk=lost).update(claim=uuid.uuid4())
    before = dict(Delivery.objects.values_list("id", "claim"))
    with suppress(ClaimLost):
        write(batch, lost)
    assert dict(Delivery.objects.values_list("id", "claim")) == before
    assert len(set(rows())) == 2  # but for the claim they are alike
    write(batch, ours)
    assert [pk for pk, claim in before.items() if Delivery.objects.get(pk=pk).claim != claim] == [
        ours
    ]


def test_a_worker_hears_that_its_claim_is_lost(people, clock):
    listed()
    batch = claimed()
    pk, *_others = batch.recipients
    Delivery.objects.update(claim=None)
    with pytest.raises(ClaimLost):
        batch.mark_sent(pk)


@pytest.mark.parametrize(
    ("refusals", "minutes"),
    [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (7, 128), (8, 240), (28, 240), (29, None)],
    ids=str,
)
def test_five_soft_refusals_and_more_wait_twice_as_long_each_time(
    people, sink, clock, refusals, minutes
):
    """Four hours at the most; after thirty of them the address is given up."""
    sink.refused[people[2].email] = f"450 {'later ' * 200}"
    listed()
    Delivery.objects.filter(recipient=people[2]).update(refusals=refusals, attempts=refusals)
    assert deliver_mail() == {"mails_sent": 4}
    words = f"450 {'later ' * 200}"[:500]
    if minutes:
        due_at = NOW + timedelta(minutes=minutes)
        expected = (WAITING, refusals + 1, refusals + 1, due_at, None, None, words)
        assert rows(recipient=people[2]) == [expected]
    else:
        row = Delivery.objects.get(recipient=people[2])
        assert (row.status, row.finished_at, row.error) == (REFUSED, NOW, words)
    assert {row[0] for row in rows(recipient__in=[*people[:2], *people[3:]])} == {SENT}


@pytest.mark.parametrize(("attempts", "minutes"), [(0, 1), (1, 2), (3, 8)])
def test_an_error_of_ours_is_a_crash_of_one_mail(people, counter, clock, attempts, minutes):
    def take(address):
        if address == people[2].email:
            raise ZeroDivisionError("x" * 600)

    counter.meanwhile = take
    listed()
    listed(2)
    Delivery.objects.filter(recipient=people[2]).update(attempts=attempts + 3, refusals=3)
    assert deliver_mail() == {"mails_sent": 8}
    due_at = NOW + timedelta(minutes=minutes)
    reason = f"ZeroDivisionError('{'x' * 600}')"[:500]
    assert rows(recipient=people[2]) == [(WAITING, attempts + 4, 3, due_at, None, None, reason)] * 2
    assert set(rows(status=SENT)) == {sent()}


def test_mails_that_crash_together_wait_as_long_as_the_worst_of_them(people, clock):
    listed()
    batch = claimed()
    first, second, third, *_others = batch.recipients
    Delivery.objects.filter(pk=second).update(attempts=5, refusals=2)
    Delivery.objects.filter(pk=third).delete()  # with its person
    batch.crash([third], "gone")
    batch.crash([first, second], "error")
    due = dict(Delivery.objects.filter(error="error").values_list("id", "due_at"))
    assert due == dict.fromkeys([first, second], NOW + timedelta(minutes=4))


@pytest.mark.parametrize(
    ("kind", "error"),
    [("broken_for", "ZeroDivisionError()"), ("gone", "KeyError('gone')")],
    ids=["writes nothing", "unknown"],
)
def test_a_batch_that_cannot_be_written_crashes_as_a_whole_and_no_other(
    people, counter, clock, kind, error
):
    UserFactory.create(first_name="Poison")
    listed(1, "notice")
    broken = listed(2, "notice" if kind == "gone" else kind)
    Mailing.objects.filter(pk=broken.pk).update(kind=kind)
    assert deliver_mail() == {"mails_sent": 6}
    assert (
        rows(mailing=broken) == [(WAITING, 1, 0, NOW + timedelta(minutes=1), None, None, error)] * 6
    )


def test_who_the_kind_writes_no_letter_to_is_skipped(people, counter, clock):
    poison = UserFactory.create(first_name="Poison")
    listed(1, "forgetful")
    assert deliver_mail() == {"mails_sent": 5}
    assert rows(recipient=poison) == [(SKIPPED, 1, 0, None, None, NOW, "no letter for this person")]
    assert poison.email not in counter.taken


# --- The mail server ------------------------------------------------------------------------------


def test_a_connection_lost_in_mid_batch_gives_back_what_was_not_tried(people, sink, clock):
    """Both mails that it took along were taken or not: each is sent once more."""
    heard = []

    def hang_up(address):
        heard.append(address)
        return "drop" if len(heard) in {3, 4} else None

    sink.before_accepting = hang_up
    listed()
    clock.shift(timedelta(minutes=1))
    now = timezone.now()
    assert deliver_mail() == {"mails_sent": 2}
    lost = "Connection unexpectedly closed"
    postponed = (WAITING, 1, 1, now + timedelta(minutes=1), None, None, lost)
    assert rows() == [sent(now), sent(now), postponed, postponed, untouched()]
    assert list(Delivery.objects.filter(unanswered=1)) == list(Delivery.objects.postponed())
    server = MailServer.objects.get()
    assert (server.failures, server.failing_since, server.error) == (1, now, lost)


def test_the_server_is_left_alone_for_longer_and_longer(clock):
    waits = [1, 2, 4, 8, 10, 10, 10]
    for number, minutes in enumerate(waits):
        note_failure("x" * 600, timezone.now())
        server = MailServer.objects.get()
        assert (server.failures, server.failing_since) == (number + 1, NOW)
        assert server.retry_at == timezone.now() + timedelta(minutes=minutes)
        assert server.error == "x" * 500
        clock.shift(timedelta(minutes=minutes) - MOMENT)
        assert not server_may_answer(timezone.now())
        clock.shift(MOMENT)
        assert server_may_answer(timezone.now())


@pytest.mark.parametrize("answer", [None, "550 No such mailbox", "450 Later"])
def test_the_server_answers_again_once_it_took_or_refused_a_mail(people, sink, clock, answer):
    if answer:
        sink.refused = {person.email: answer for person in people}
    note_failure("gone", NOW - timedelta(minutes=1))
    listed()
    deliver_mail()
    server = MailServer.objects.get()
    told = (server.failures, server.retry_at, server.failing_since, server.error)
    is_later = answer == "450 Later"
    assert told == (
        (1, NOW, NOW - timedelta(minutes=1), "gone") if is_later else (0, None, None, "")
    )


@pytest.mark.parametrize(
    ("until", "is_free"),
    [
        (timedelta(0), True),
        (MOMENT, False),
        (timedelta(seconds=90), False),
        (timedelta(seconds=180), False),
        # The clock was set back.
        (timedelta(seconds=180) + MOMENT, True),
    ],
    ids=str,
)
def test_one_worker_sends_until_its_lease_is_over(clock, until, is_free):
    ours, theirs = uuid.uuid4(), uuid.uuid4()
    mail_server()
    MailServer.objects.update(sender=theirs, sender_until=NOW + until)
    assert become_sender(ours, NOW) == is_free
    server = MailServer.objects.get()
    lease = (ours, NOW + timedelta(seconds=90)) if is_free else (theirs, NOW + until)
    assert (server.sender, server.sender_until) == lease
    # Whoever sends may go on, and nobody else ends it.
    assert become_sender(lease[0], NOW)
    stop_sending(uuid.uuid4())
    assert MailServer.objects.get().sender == lease[0]
    stop_sending(lease[0])
    server = MailServer.objects.get()
    assert (server.sender, server.sender_until) == (None, None)
