"""Addresses that the mail server refuses for good, and what ends and begins there."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from people.models import User
from people.services import accounts
from people.tests.factories import RefusedAddressFactory, UserFactory
from project.mail.batches import claim_batch
from project.mail.models import Delivery, DeliveryStatus, RefusedAddress
from project.mail.refusals import STOPPED, allow_mail
from project.mail.services import send_to_audience, send_to_one, try_again
from project.mail.smtp import NoMailbox
from project.mail.tasks import deliver_mail, forget_old_mails
from project.tests.processes import wait_until

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
GONE = "550 5.1.1 No such mailbox"


@pytest.fixture(autouse=True)
def _kinds(settings):
    settings.MAIL_KINDS = ["project.mail.tests.kinds", "people.mails"]


@pytest.fixture
def clock():
    with time_machine.travel("2026-05-04T09:00:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def sink(mail_host):
    return mail_host.sink


def mail_to(person, kind="notice"):
    """Send one mail; return what became of it."""
    mailing = send_to_one(kind, person)
    deliver_mail()
    delivery = mailing.deliveries.get()
    return delivery.status, delivery.error


def stopped(person):
    row = RefusedAddress.objects.filter(recipient=person).first()
    return row is not None and row.stopped_at is not None


SENT = (DeliveryStatus.SENT, "")
REFUSED = (DeliveryStatus.REFUSED, GONE)
SKIPPED = (DeliveryStatus.SKIPPED, STOPPED)


@pytest.mark.parametrize("pipelining", [False, True])
def test_refused_on_two_days_an_address_gets_no_more_mail(sink, clock, learner, pipelining):
    sink.pipelining, sink.refused = pipelining, {learner.email: GONE}
    assert mail_to(learner) == REFUSED
    clock.shift(timedelta(hours=11))  # 23:00 in Moscow
    assert mail_to(learner) == REFUSED
    assert not stopped(learner)
    clock.shift(timedelta(hours=2))
    assert mail_to(learner) == REFUSED
    sink.refused = {}
    assert mail_to(learner) == SKIPPED
    assert sink.received == []
    row = RefusedAddress.objects.get()
    assert (row.first_words, row.last_words) == (GONE, GONE)
    assert (row.last_at - row.first_at, row.stopped_at) == (timedelta(hours=13), row.last_at)


@pytest.mark.parametrize("answer", [GONE, "550 5.1.2 No such domain", "550 No such user"])
def test_a_refusal_after_the_message_counts_as_well(sink, clock, learner, answer):
    sink.answers = {learner.email: (0, answer)}
    for _day in range(2):
        assert mail_to(learner) == (DeliveryStatus.REFUSED, answer)
        clock.shift(DAY)
    assert mail_to(learner) == SKIPPED


@pytest.mark.django_db(transaction=True)
def test_a_refusal_that_came_late_counts_as_well(sink, monkeypatch, learner):
    monkeypatch.setattr("project.mail.smtp.PROMPT_SECONDS", 0.05)
    sink.answers = {learner.email: (0.3, GONE)}
    mail_to(learner)
    wait_until(lambda: Delivery.objects.filter(status=DeliveryStatus.REFUSED).exists())
    assert RefusedAddress.objects.get().first_words == GONE


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("451 4.3.0 Later", DeliveryStatus.WAITING),
        ("450 4.1.1 Unknown as yet", DeliveryStatus.WAITING),
        ("550 5.7.1 Your address is on a list", DeliveryStatus.REFUSED),
        ("552 5.2.2 Mailbox full", DeliveryStatus.REFUSED),
        ("552 5.3.4 Too big", DeliveryStatus.REFUSED),
    ],
)
def test_what_says_nothing_of_the_address_stops_nothing(sink, clock, learner, answer, status):
    sink.refused = {learner.email: answer}
    for _day in range(3):
        assert mail_to(learner) == (status, answer)
        clock.shift(DAY)
    assert not RefusedAddress.objects.exists()


def test_a_mail_that_arrives_takes_the_refusal_back(sink, clock, learner):
    sink.refused = {learner.email: GONE}
    assert mail_to(learner) == REFUSED
    clock.shift(DAY)
    sink.refused = {}
    assert mail_to(learner) == SENT
    assert not RefusedAddress.objects.exists()
    clock.shift(DAY)
    sink.refused = {learner.email: GONE}
    assert mail_to(learner) == REFUSED
    assert not stopped(learner)


def test_the_address_is_stopped_and_not_the_account(sink, clock, learner):
    RefusedAddressFactory.create(recipient=learner)
    old = learner.email
    assert mail_to(learner) == SKIPPED
    User.objects.filter(pk=learner.pk).update(email="new@school.example")
    assert mail_to(learner) == SENT
    # Back again, in another spelling.
    User.objects.filter(pk=learner.pk).update(email=old.upper())
    assert mail_to(learner) == SKIPPED


def test_each_address_of_an_account_counts_for_itself(sink, clock, learner):
    sink.refused = {learner.email: GONE, "new@school.example": GONE}
    assert mail_to(learner) == REFUSED
    clock.shift(DAY)
    User.objects.filter(pk=learner.pk).update(email="new@school.example")
    assert mail_to(learner) == REFUSED
    assert RefusedAddress.objects.count() == 2
    assert not stopped(learner)


def test_of_many_recipients_only_who_is_stopped_is_left_out(sink, clock, people):
    for person in people[:2]:
        RefusedAddressFactory.create(recipient=person)
    RefusedAddressFactory.create(recipient=people[2], stopped_at=None)
    RefusedAddressFactory.create(recipient=people[3], address="former@school.example")
    send_to_audience("notice", 1)
    deliver_mail()
    assert set(sink.counts) == {person.email for person in people[2:]}
    skipped = Delivery.objects.filter(status=DeliveryStatus.SKIPPED, error=STOPPED)
    assert {delivery.recipient for delivery in skipped} == set(people[:2])
    kept = RefusedAddress.objects.values_list("recipient", flat=True)
    assert set(kept) == {people[0].pk, people[1].pk, people[3].pk}


def test_tried_again_by_staff_a_mail_to_a_stopped_address_is_not_sent(sink, clock, learner):
    sink.refused = {learner.email: GONE}
    for _day in range(2):
        assert mail_to(learner) == REFUSED
        clock.shift(DAY)
    sink.refused = {}
    assert try_again(Delivery.objects.all()) == 2
    deliver_mail()
    assert {(one.status, one.error) for one in Delivery.objects.all()} == {SKIPPED}


def test_a_mail_that_waited_when_the_address_was_stopped_is_not_sent(sink, clock, learner):
    sink.refused = {learner.email: "451 4.3.0 Later"}
    assert mail_to(learner)[0] == DeliveryStatus.WAITING
    RefusedAddressFactory.create(recipient=learner)
    sink.refused = {}
    clock.shift(DAY)
    deliver_mail()
    assert Delivery.objects.get().error == STOPPED


def test_a_mail_that_was_asked_for_tries_once_more_after_a_week(sink, clock, learner):
    learner.last_login = timezone.now()  # or one such mail in a day would be all
    learner.save()
    sink.refused = {learner.email: GONE}
    for _day in range(2):
        mail_to(learner)
        clock.shift(DAY)
    assert mail_to(learner, "password_reset") == SKIPPED
    clock.shift(6 * DAY)
    assert mail_to(learner) == SKIPPED
    assert mail_to(learner, "password_reset") == REFUSED
    assert mail_to(learner, "password_reset") == SKIPPED  # for another week
    sink.refused = {}
    clock.shift(7 * DAY)
    assert mail_to(learner) == SKIPPED
    assert mail_to(learner, "password_reset") == SENT
    assert mail_to(learner) == SENT


def test_lifted_the_address_is_as_if_never_refused(sink, clock, learner):
    RefusedAddressFactory.create(recipient=learner)
    former = RefusedAddressFactory.create(recipient=learner, address="former@school.example")
    allow_mail(learner)
    assert RefusedAddress.objects.get() == former
    assert mail_to(learner) == SENT


def test_whoever_was_refused_is_forgotten_with_the_account(clock, learner):
    RefusedAddressFactory.create(recipient=learner)
    accounts.erase_account(user=learner)
    assert not RefusedAddress.objects.exists()


def test_a_refusal_of_an_erased_account_is_not_written_down(clock, learner):
    send_to_one("notice", learner)
    batch = claim_batch(timezone.now())
    assert batch is not None
    (delivery_id,) = batch.recipients
    address = learner.email
    accounts.erase_account(user=learner)
    batch.settle(delivery_id, address, NoMailbox(GONE))
    assert not RefusedAddress.objects.exists()


def test_old_refusals_are_forgotten_unless_they_stop_mail(clock, learner):
    long_ago = timezone.now() - 91 * DAY
    rows = [
        RefusedAddressFactory.create(last_at=long_ago, stopped_at=None),
        RefusedAddressFactory.create(last_at=long_ago, address="former@school.example"),
        RefusedAddressFactory.create(last_at=long_ago),
        RefusedAddressFactory.create(last_at=timezone.now() - 89 * DAY, stopped_at=None),
    ]
    forget_old_mails()
    assert list(RefusedAddress.objects.order_by("pk")) == rows[2:]


def test_the_profile_tells_the_person(api, learner):
    assert api(learner).get("users/me").json()["is_email_reachable"] is True
    RefusedAddressFactory.create(recipient=learner, stopped_at=None)
    assert api(learner).get("users/me").json()["is_email_reachable"] is True
    RefusedAddress.objects.update(stopped_at=timezone.now())
    assert api(learner).get("users/me").json()["is_email_reachable"] is False
    assert (
        api(learner).patch(f"users/{learner.pk}", {"city": "Riga"}).json()["is_email_reachable"]
        is False
    )
    User.objects.filter(pk=learner.pk).update(email="new@school.example")
    learner.refresh_from_db()
    assert api(learner).get("users/me").json()["is_email_reachable"] is True


@pytest.mark.parametrize("number", [2, 20])
def test_a_batch_asks_once_for_what_was_refused(sink, clock, number):
    people = UserFactory.create_batch(number)
    RefusedAddressFactory.create(recipient=people[0])
    send_to_audience("notice", 1)
    with CaptureQueriesContext(connection) as queries:
        deliver_mail()
    assert len(sink.received) == number - 1
    asked = [query for query in queries if "mail_refusedaddress" in query["sql"]]
    assert len(asked) == 1
