"""The outbox against a real mail server: each mail once, whatever happens on the way."""

import time
import uuid
from contextlib import closing
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest
import time_machine
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from people.models import BlockReason, User
from people.tests.factories import UserFactory
from project.mail import batches, recipients
from project.mail.batches import claim_batch
from project.mail.kinds import UNSUBSCRIBE_MARK, Letter, label_of, mail_kinds
from project.mail.mime import build, prepare
from project.mail.models import Delivery, DeliveryStatus, Mailing, MailingState, MailServer
from project.mail.queries import forget_finished_mailings, oldest_unsent_age
from project.mail.sending import (
    BatchSender,
    become_sender,
    mail_server,
    send_due,
)
from project.mail.services import send_to_audience, send_to_one, try_again
from project.mail.smtp import Transport
from project.mail.tasks import deliver_mail
from project.mail.tests.kinds import Notice
from project.tests.races import at_once
from project.tests.transactions import assert_one_transaction

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[False, True], ids=["one by one", "pipelining"])
def _each_way(sink, request):
    """Servers that hear one command at a time, and those that take several."""
    sink.pipelining = request.param


def addresses(people):
    return {person.email: 1 for person in people}


def statuses():
    return set(Delivery.objects.values_list("status", flat=True))


@pytest.mark.usefixtures("_each_way")
def test_everyone_gets_one_mail_however_often_it_is_asked_for(people, sink):
    for _time in range(2):
        send_to_audience("notice", 1)
        deliver_mail()
        deliver_mail()
    assert sink.counts == addresses(people)
    assert statuses() == {DeliveryStatus.SENT}


@pytest.mark.parametrize("order", ["pk", "-pk"])
def test_recipients_are_listed_in_steps_and_once(people, sink, monkeypatch, order):
    monkeypatch.setattr(recipients, "STEP", 2)
    monkeypatch.setattr(Notice, "audience", lambda *_ask: (User.objects.order_by(order), "pk"))
    mailing = send_to_audience("notice", 1)
    assert recipients.list_one_step()
    assert mailing.deliveries.count() == 2
    deliver_mail()
    mailing.refresh_from_db()
    assert mailing.state == MailingState.LISTED
    assert sink.counts == addresses(people)


def test_a_message_has_both_parts_in_the_right_letters(sink):
    person = UserFactory.create(first_name="Аня", email="anya@school.example")
    send_to_one("notice", person)
    deliver_mail()
    (message,) = sink.messages("anya@school.example")
    text, html = message.get_body(["plain"]), message.get_body(["html"])
    assert (message["Subject"], message["To"]) == ("Привет", "anya@school.example")
    assert (text.get_content().strip(), html.get_content().strip()) == (
        "Привет, Аня",
        "<p>Привет</p>",
    )
    assert message["Message-ID"].endswith("@localhost>")


@pytest.mark.usefixtures("_each_way")
@pytest.mark.django_db(transaction=True)
def test_a_mail_is_marked_before_the_next_one_goes_out(people, sink):
    """So that a worker that is killed leaves one mail, at most, to be repeated."""
    seen = []

    def look():
        seen.append((len(sink.received), Delivery.objects.filter(status="sent").count()))

    def look_elsewhere(address):
        # The server's thread runs a loop, in which Django asks nothing.
        at_once(look)

    sink.before_accepting = look_elsewhere
    send_to_audience("notice", 1)
    deliver_mail()
    assert seen == [(number, number) for number in range(5)]


def test_a_mail_refused_after_it_was_heard_stops_nobody(people, sink):
    sink.before_accepting = lambda address: "554 Spam" if address == people[0].email else None
    send_to_audience("notice", 1)
    deliver_mail()
    assert Delivery.objects.get(recipient=people[0]).error == "554 Spam"
    assert sink.counts == addresses(people[1:])


@pytest.mark.parametrize("body", ["Plain\n\ntext", "Привет, мир\n" * 40, "x" * 3000, "a\n.\nb"])
def test_the_fast_way_builds_the_message_that_django_builds(body):
    letter = Letter(
        "Курс «Хлеб»", f"{body}\n{UNSUBSCRIBE_MARK}\n", f"<p>{body}</p>\n", "https://u/1/"
    )
    message = prepare(letter, "anya@school.example", "<1@school.example>")
    assert message.content is not None
    ours = message_from_bytes(message.content, policy=default)
    theirs = message_from_bytes(build(message).message().as_bytes(), policy=default)
    for header in set(theirs.keys()) - {"Content-Type", "Date"}:
        assert ours[header] == theirs[header]
    for kind in ("plain", "html"):
        our_part, their_part = ours.get_body([kind]), theirs.get_body([kind])
        assert our_part is not None
        assert their_part is not None
        assert our_part.get_content().split() == their_part.get_content().split()
        assert our_part["Content-Type"] == their_part["Content-Type"]
        assert len(our_part.get_all("Content-Transfer-Encoding", [])) == 1
    assert max(len(line) for line in message.content.splitlines()) < 998
    assert not ours.defects


def test_an_address_that_needs_encoding_is_written_to(sink):
    person = UserFactory.create(email="anya@школа.example")
    send_to_one("notice", person)
    deliver_mail()
    assert list(sink.counts) == ["anya@xn--80aa3abkk.example"] or sink.counts.total() == 1


def test_the_server_is_down_for_ten_minutes(people, mail_host):
    send_to_audience("notice", 1)
    mail_host.down()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _minute in range(10):
            deliver_mail()
            clock.shift(timedelta(minutes=1))
        server = MailServer.objects.get()
        assert 0 < server.failures < 6
        assert oldest_unsent_age(timezone.now()) == timedelta(minutes=10)
        assert set(Delivery.objects.values_list("attempts", flat=True)) == {0}
        mail_host.up()
        clock.shift(timedelta(minutes=10))
        deliver_mail()
    assert mail_host.sink.counts == addresses(people)
    assert MailServer.objects.get().failures == 0


@pytest.mark.usefixtures("_each_way")
def test_what_was_refused_in_the_end_is_not_offered_again(people):
    send_to_audience("notice", 1)
    recipients.list_one_step()
    Delivery.objects.filter(recipient=people[0]).update(refusals=1)
    Delivery.objects.filter(recipient=people[1]).update(
        refusals=30, status=DeliveryStatus.REFUSED, finished_at=timezone.now()
    )
    assert Delivery.objects.postponed().get().recipient == people[0]


def test_a_kind_is_called_by_its_label_or_its_name(monkeypatch):
    assert label_of("long_gone") == "long_gone"
    assert label_of("notice") == "notice"
    monkeypatch.setattr(Notice, "label", "A notice")
    assert label_of("notice") == "A notice"


def test_an_address_refused_for_good_stops_nobody(people, sink):
    sink.refused[people[1].email] = "550 5.1.1 No such mailbox"
    send_to_audience("notice", 1)
    deliver_mail()
    refused = Delivery.objects.get(recipient=people[1])
    assert (refused.status, refused.error) == ("refused", "550 5.1.1 No such mailbox")
    assert sink.counts == addresses(people[:1] + people[2:])
    sink.refused.clear()
    assert try_again(Delivery.objects.filter(pk=refused.pk)) == 1
    deliver_mail()
    assert sink.counts == addresses(people)


@pytest.mark.usefixtures("_each_way")
def test_an_address_refused_for_a_while_gets_its_mail_later(people, sink):
    sink.refused[people[1].email] = "450 4.2.0 Greylisted"
    send_to_audience("notice", 1)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        deliver_mail()
        deliver_mail()
        postponed = Delivery.objects.get(recipient=people[1])
        assert (postponed.status, postponed.refusals) == ("waiting", 1)
        clock.shift(timedelta(minutes=1))
        deliver_mail()
        postponed.refresh_from_db()
        assert postponed.due_at == timezone.now() + timedelta(minutes=2)
        sink.refused.clear()
        clock.shift(timedelta(minutes=2))
        deliver_mail()
    assert sink.counts == addresses(people)


def test_an_address_refused_for_days_is_given_up(sink, monkeypatch):
    monkeypatch.setattr(batches, "MAX_REFUSALS", 2)
    person = UserFactory.create()
    sink.refused[person.email] = "450 4.2.0 Greylisted"
    send_to_one("notice", person)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _time in range(3):
            deliver_mail()
            clock.shift(timedelta(hours=5))
    assert Delivery.objects.get().status == DeliveryStatus.REFUSED


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("answer", ["421 4.3.2 Closing", "drop"])
def test_a_server_that_goes_away_in_the_middle(people, sink, answer):
    taken = []

    def stop_after_two(address):
        taken.append(address)
        return answer if len(taken) > 2 else None

    sink.before_accepting = stop_after_two
    send_to_audience("notice", 1)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        deliver_mail()
        assert MailServer.objects.get().failures == 1
        sink.before_accepting = lambda address: None
        clock.shift(timedelta(minutes=1))
        deliver_mail()
    assert sink.counts == addresses(people)


def test_a_server_that_always_hangs_up_is_left_alone_longer_each_time(people, sink):
    sink.before_accepting = lambda address: "drop"
    send_to_audience("notice", 1)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for failures in (1, 2):
            deliver_mail()
            assert MailServer.objects.get().failures == failures
            clock.shift(timedelta(minutes=1))


@pytest.mark.usefixtures("_each_way")
def test_a_mail_that_makes_the_server_hang_up_stops_nobody(people, sink):
    sink.before_accepting = lambda address: "drop" if address == people[1].email else None
    send_to_audience("notice", 1)
    deliver_mail()
    assert sink.counts == addresses(people[:1] + people[2:])
    assert Delivery.objects.get(recipient=people[1]).refusals == 1


def test_a_person_blocked_meanwhile_gets_none(people, sink):
    send_to_audience("notice", 1)
    people[0].block(BlockReason.STAFF)
    people[0].save()
    deliver_mail()
    assert sink.counts == addresses(people[1:])
    skipped = Delivery.objects.get(recipient=people[0])
    assert (skipped.status, skipped.error) == (DeliveryStatus.SKIPPED, "blocked")


def test_a_batch_whose_worker_died_is_sent_after_its_lease(people, sink):
    send_to_audience("notice", 1)
    recipients.list_one_step()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        dead = claim_batch(timezone.now())
        deliver_mail()
        assert not sink.received
        clock.shift(batches.LEASE)
        deliver_mail()
    assert sink.counts == addresses(people)
    assert dead is not None
    assert len(dead.recipients) == 5


def test_a_worker_that_lost_its_claim_stops(people, sink):
    send_to_audience("notice", 1)
    recipients.list_one_step()
    batch = claim_batch(timezone.now())
    assert batch is not None
    Delivery.objects.update(claim=None)
    with closing(Transport()) as transport:
        assert BatchSender(batch, transport, time.monotonic() + 20).send() == 1
    # The one in flight, and no other.
    assert len(sink.received) == 1


def test_what_kills_its_worker_is_soon_alone_and_given_up(people, sink):
    """Whether it was sent is not known."""
    mailing = send_to_audience("notice", 1)
    recipients.list_one_step()
    poison = Delivery.objects.get(recipient=people[0])
    sizes = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _time in range(20):
            batch = claim_batch(timezone.now())
            if batch is None:
                break
            sizes.append(len(batch.recipients))
            if poison.pk not in batch.recipients:
                Delivery.objects.filter(pk__in=batch.recipients).update(status="sent")
            clock.shift(batches.LEASE)
            send_due(deadline=0)  # sends nothing, but gives up what crashed too often
    poison.refresh_from_db()
    assert (poison.status, poison.attempts) == (DeliveryStatus.PERHAPS, 2)
    assert sizes == [5, 1, 4]
    assert mailing.deliveries.filter(status="sent").count() == 4


def test_a_letter_that_cannot_be_written_stops_nobody(people, sink):
    poison = UserFactory.create(first_name="Poison")
    send_to_audience("broken_for", 1)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _time in range(10):
            deliver_mail()
            clock.shift(timedelta(hours=1))
    assert sink.counts == addresses(people)
    parked = Delivery.objects.get(recipient=poison)
    assert (parked.status, parked.error) == (DeliveryStatus.PARKED, "ZeroDivisionError()")


def test_a_mailing_that_cannot_be_listed_is_parked_and_stops_nobody(people, sink):
    broken = send_to_audience("broken_list", 1)
    send_to_audience("notice", 1)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        deliver_mail()
        assert sink.counts == addresses(people)
        for _time in range(6):
            clock.shift(timedelta(hours=1))
            deliver_mail()
    broken.refresh_from_db()
    assert broken.state == MailingState.PARKED


def test_urgent_mails_overtake(people, sink):
    send_to_audience("notice", 1)
    recipients.list_one_step()
    person = UserFactory.create()
    send_to_one("urgent", person)
    deliver_mail()
    assert sink.received[0][0] == person.email


def test_one_worker_sends_at_a_time_and_a_dead_one_is_succeeded(people, sink):
    send_to_audience("notice", 1)
    mail_server()
    other = uuid.uuid4()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert become_sender(other, timezone.now())
        assert deliver_mail() == {"mails_sent": 0}
        clock.shift(timedelta(seconds=90))
        assert deliver_mail() == {"mails_sent": 5}


def test_a_long_mailing_is_sent_slice_by_slice(
    people, sink, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr("project.mail.tasks.SLICE", 0.0)
    send_to_audience("notice", 1)
    with django_capture_on_commit_callbacks() as callbacks:
        assert deliver_mail() == {"mails_sent": 0, "continued": 1}
    assert not Delivery.objects.exists()
    assert len(callbacks) == 1
    token = str(MailServer.objects.get().sender)
    monkeypatch.undo()
    assert deliver_mail() == {"mails_sent": 0}
    assert deliver_mail(token) == {"mails_sent": 5}


@pytest.mark.django_db(transaction=True)
def test_many_senders_at_once_send_each_mail_once(mail_host, monkeypatch):
    people = UserFactory.create_batch(40)
    send_to_audience("notice", 1)
    recipients.list_one_step()
    monkeypatch.setattr(batches, "BATCH_SIZES", (3, 1, 1))
    at_once(*[lambda: send_due(time.monotonic() + 20)] * 4)
    assert mail_host.sink.counts == addresses(people)


def test_old_mailings_are_forgotten_unless_something_waits(people, sink):
    done = send_to_audience("notice", 1)
    deliver_mail()
    waiting = send_to_audience("notice", 2)
    recipients.list_one_step()
    assert forget_finished_mailings(timezone.now() + timedelta(days=1)) == 5
    assert list(Mailing.objects.all()) == [waiting]
    assert not Mailing.objects.filter(pk=done.pk).exists()
    assert User.objects.count() == 5


def test_a_mail_to_one_is_written_down_in_one_transaction(learner):
    assert_one_transaction(lambda: send_to_one("notice", learner, key="1"))
    assert Delivery.objects.get().recipient == learner


def test_two_kinds_of_one_name_are_refused(monkeypatch, settings):
    settings.MAIL_KINDS = ["people.mails", "project.mail.tests.kinds"]
    monkeypatch.setattr(Notice, "name", "invitation")
    with pytest.raises(ImproperlyConfigured, match=r"the same name: invitation$"):
        mail_kinds()
