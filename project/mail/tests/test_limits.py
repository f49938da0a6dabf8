"""What an address gets in a day of the mails that anybody can have sent there."""

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from people.models import User
from people.tests.factories import UserFactory
from project.mail.limits import EnoughForToday, count_mail
from project.mail.models import AddressCount, Delivery, DeliveryStatus
from project.mail.services import send_to_one, try_again
from project.mail.tasks import deliver_mail, forget_old_mails
from project.tests.races import at_once

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def passes(address: str = "anna@school.example", sort: str = "reset", *, is_trusted: bool = False):
    try:
        count_mail(address, sort, is_trusted=is_trusted)
    except EnoughForToday:
        return False
    return True


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


@pytest.mark.parametrize(("is_trusted", "most"), [(False, 1), (True, 3)])
def test_so_many_pass_in_the_day_that_begins_with_the_first(settings, clock, is_trusted, most):
    settings.MAILS_PER_ADDRESS = 3
    assert [passes(is_trusted=is_trusted) for _time in range(5)] == [True] * most + [False] * (
        5 - most
    )
    clock.shift(DAY - timedelta(seconds=1))
    with pytest.raises(EnoughForToday) as refusal:
        count_mail("anna@school.example", "reset", is_trusted=is_trusted)
    assert refusal.value.retry_after == 1
    clock.shift(timedelta(seconds=1))
    assert [passes(is_trusted=is_trusted) for _time in range(5)].count(True) == most


def test_each_sort_and_each_mailbox_counts_for_itself(settings):
    assert passes()
    assert passes(sort="confirmation")
    assert passes("other@school.example")
    assert passes("anna@школа.рф")
    for spelling in ("ANNA@School.example", " anna@school.example"):
        assert not passes(spelling)
    assert not passes("anna@xn--80atdl2c.xn--p1ai")


def test_what_follows_a_plus_makes_no_other_mailbox(settings):
    settings.MAILS_PER_ADDRESS = 3
    assert [passes(f"anna+{number}@school.example") for number in range(5)].count(True) == 3
    assert passes("anna@school.example")
    assert not passes("anna+0@school.example", is_trusted=True)


def test_no_address_is_kept():
    passes()
    assert "anna" not in str(AddressCount.objects.values().get())


def test_a_count_is_forgotten_when_its_day_is_over(clock):
    passes()
    clock.shift(DAY - timedelta(seconds=1))
    forget_old_mails()
    assert AddressCount.objects.count() == 1
    clock.shift(timedelta(seconds=1))
    forget_old_mails()
    assert AddressCount.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_there", [False, True])
def test_of_many_at_once_only_so_many_pass(settings, is_there):
    settings.MAILS_PER_ADDRESS = 3
    if is_there:
        passes(is_trusted=True)
    outcomes = at_once(*[lambda: passes(is_trusted=True)] * 8, before_writing=AddressCount)
    assert outcomes.count(True) == 3 - is_there


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({"last_login": timezone.now()}, 5),
        ({"last_login": timezone.now(), "email_confirmed_at": None}, 1),
        # Staff made the account: nobody has been here yet.
        ({"last_login": None}, 1),
    ],
)
def test_who_has_shown_that_they_read_their_mail_gets_more(fields, most):
    person = UserFactory.create(**fields)
    sent = 0
    for _time in range(7):
        try:
            send_to_one("counted", person)
        except EnoughForToday:
            continue
        sent += 1
    assert Delivery.objects.count() == sent == most


def test_another_address_than_their_own_is_unknown(learner):
    User.objects.update(last_login=timezone.now())
    learner.refresh_from_db()
    send_to_one("counted", learner, other_address="new@school.example")
    with pytest.raises(EnoughForToday):
        send_to_one("counted", learner, other_address="new@school.example")
    deliver_mail()
    assert [message.to for message in mail.outbox] == [["new@school.example"]]


def test_a_request_that_is_repeated_counts_once(learner):
    for _time in range(3):
        send_to_one("counted", learner, key="1")
    assert AddressCount.objects.get().mails == 1


@pytest.mark.parametrize(
    ("status", "again"), [(DeliveryStatus.PERHAPS, 0), (DeliveryStatus.REFUSED, 1)]
)
def test_what_an_address_perhaps_got_is_not_sent_again_that_day(clock, learner, status, again):
    send_to_one("counted", learner)
    Delivery.objects.update(status=status)
    assert try_again(Delivery.objects.all()) == again
    Delivery.objects.update(status=status)
    clock.shift(DAY)
    assert try_again(Delivery.objects.all()) == 1
