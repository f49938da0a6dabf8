"""A mail server that takes a message and answers late, or never: nobody else waits, and no mail goes
out more than twice."""

import threading
from datetime import timedelta

import pytest
from django.db.models import F

from people.tests.factories import UserFactory
from project.mail import batches, smtp
from project.mail.batches import ANSWER_LEASE, AWAITED, LEASE
from project.mail.models import Delivery, DeliveryStatus, MailServer
from project.mail.services import send_to_audience
from project.mail.tasks import deliver_mail
from project.tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(smtp, "PROMPT_SECONDS", 0.2)


@pytest.fixture
def people(sink):
    """With a mail for each; the first one's is `slow`."""
    people = UserFactory.create_batch(5)
    send_to_audience("notice", 1)
    return people


@pytest.fixture
def slow(people):
    return Delivery.objects.filter(recipient=people[0])


def settled(deliveries):
    return lambda: not deliveries.exclude(claim=None).exists()


def pass_by(time):
    Delivery.objects.update(due_at=F("due_at") - time)
    MailServer.objects.update(retry_at=F("retry_at") - time)


@pytest.mark.parametrize("pipelining", [False, True])
def test_others_get_their_mail_while_an_answer_is_late(people, slow, sink, pipelining):
    sink.pipelining = pipelining
    sink.answers[people[0].email] = (1.5, "250 OK")
    assert deliver_mail() == {"mails_sent": 4}
    row = slow.get()
    assert (row.status, row.reason) == (DeliveryStatus.WAITING, AWAITED)
    # No other worker takes it meanwhile.
    pass_by(LEASE)
    assert deliver_mail() == {"mails_sent": 0}
    wait_until(slow.filter(status=DeliveryStatus.SENT).exists)
    assert sink.counts == {person.email: 1 for person in people}


@pytest.mark.parametrize(
    ("answer", "status", "number"),
    [
        ("451 4.7.1 Later", DeliveryStatus.WAITING, 1),
        ("421 4.3.2 Closing", DeliveryStatus.WAITING, 1),
        ("554 5.7.1 Spam", DeliveryStatus.REFUSED, 0),
    ],
)
@pytest.mark.parametrize("seconds", [0, 0.5])
def test_a_message_that_is_not_taken_counts_as_not_sent(
    people, slow, sink, seconds, answer, status, number
):
    sink.answers[people[0].email] = (seconds, answer)
    deliver_mail()
    wait_until(settled(slow))
    is_about_the_mail = bool(seconds) or answer[:3] != "421"
    row = slow.get()
    assert (row.status, row.unanswered, row.error) == (status, 0, answer * is_about_the_mail)
    del sink.answers[people[0].email]
    pass_by(timedelta(minutes=1))
    deliver_mail()
    assert sink.counts[people[0].email] == number


@pytest.mark.parametrize(
    ("seconds", "answer"), [(0, ""), (0.5, ""), (3, "250 OK")], ids=["at once", "late", "never"]
)
def test_a_message_whose_answer_is_lost_goes_out_once_more_and_then_no_more(
    people, slow, sink, monkeypatch, seconds, answer
):
    monkeypatch.setattr(smtp, "ANSWER_SECONDS", 0.5)
    sink.answers[people[0].email] = (seconds, answer)
    deliver_mail()
    wait_until(settled(slow))
    row = slow.get()
    assert (row.status, row.unanswered, row.refusals) == (DeliveryStatus.WAITING, 1, 1)
    for _time in range(3):
        pass_by(timedelta(minutes=1))
        deliver_mail()
        wait_until(settled(slow))
    row = slow.get()
    assert (row.status, row.claim) == (DeliveryStatus.PERHAPS, None)
    assert row.error.startswith("Connection unexpectedly closed")
    assert sink.counts == {person.email: 1 for person in people} | {people[0].email: 2}


def test_a_mail_whose_worker_ended_before_a_late_answer_goes_out_once_more(people, slow, sink):
    sink.answers[people[0].email] = (2, "250 OK")
    deliver_mail()
    for _time in range(3):
        pass_by(ANSWER_LEASE)
        deliver_mail()
    row = slow.get()
    assert (row.status, row.unanswered) == (DeliveryStatus.PERHAPS, 2)
    assert sink.counts == {person.email: 1 for person in people} | {people[0].email: 2}
    wait_until(lambda: batches.LATE_PLACES._value == 4)


def test_so_many_late_answers_are_waited_for_at_once_and_no_more(people, sink, monkeypatch):
    monkeypatch.setattr(batches, "LATE_PLACES", threading.BoundedSemaphore(2))
    connections, most = [], []
    taken = batches.Batch.hear

    def hear(batch, delivery_id, address, late):
        connections.append(delivery_id)
        most.append(len(connections))
        try:
            taken(batch, delivery_id, address, late)
        finally:
            connections.remove(delivery_id)

    monkeypatch.setattr(batches.Batch, "hear", hear)
    sink.answers = {person.email: (0.8, "250 OK") for person in people}
    deliver_mail()
    wait_until(lambda: Delivery.objects.filter(status=DeliveryStatus.SENT).count() == 5)
    assert max(most) == 2
    assert set(sink.counts.values()) == {1}


@pytest.mark.parametrize("seconds", [0, 0.5], ids=["at once", "late"])
@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize(
    ("step", "answer", "copies"),
    [
        ("address", "550 5.1.1 No such mailbox", 0),
        ("address", "451 4.7.1 Later", 1),
        ("message", "550 5.7.1 Not wanted", 0),
        ("message", "451 4.7.1 Later", 1),
        ("message", "drop", 1),
        ("taken", "250 OK", 1),
    ],
)
def test_whatever_a_server_says_first_no_second_copy_arrives(
    people, slow, sink, step, answer, copies, pipelining, seconds
):
    first, *others = people
    sink.pipelining = pipelining
    if step == "address":
        sink.refused[first.email] = answer
    elif answer == "drop":
        sink.before_accepting = lambda address: "drop" if address == first.email else None
    else:
        sink.answers[first.email] = (seconds, answer)
    deliver_mail()
    wait_until(settled(slow))
    sink.refused, sink.answers, sink.before_accepting = {}, {}, lambda address: None
    for _time in range(3):
        pass_by(timedelta(minutes=5))
        deliver_mail()
    assert sink.counts == {person.email: 1 for person in others} | (
        {first.email: copies} if copies else {}
    )
    assert slow.get().status == (DeliveryStatus.SENT if copies else DeliveryStatus.REFUSED)
