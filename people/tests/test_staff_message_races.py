"""What one of the staff sends at the same moment from two tabs."""

from functools import partial
from uuid import UUID

import pytest

from people.errors import AccountErased, TooManyMessages
from people.messages import send_message
from people.models import StaffMessage, User
from people.services.accounts import erase_account
from people.tests.factories import UserFactory
from project.mail.models import Mailing
from project.tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def sending(by: User, recipient: User, number: int) -> "partial[StaffMessage]":
    key = UUID(int=number)
    return partial(
        send_message, recipient=recipient, by=by, subject="Paid", text="It came.", key=key
    )


def test_the_same_preview_sent_twice_at_once_is_one_mail(administrator, learner):
    again = sending(administrator, learner, 1)
    first, second = at_once(again, again, before_writing=StaffMessage)
    assert first == second
    assert Mailing.objects.count() == 1


def test_requests_at_once_do_not_pass_the_bound(administrator, learner, settings):
    settings.STAFF_MESSAGES_PER_HOUR = 1
    acts = [sending(administrator, learner, number) for number in range(3)]
    outcomes = at_once(*acts, before_writing=StaffMessage, refused=(TooManyMessages,))
    assert sorted(isinstance(one, TooManyMessages) for one in outcomes) == [False, True, True]
    assert StaffMessage.objects.count() == Mailing.objects.count() == 1


def test_two_who_write_to_each_other_at_once_do_not_wait_for_ever():
    one, other = UserFactory.create_batch(2, is_staff=True)
    at_once(sending(one, other, 1), sending(other, one, 2), before_writing=StaffMessage)
    assert Mailing.objects.count() == 2


@pytest.mark.parametrize("is_first", [True, False])
def test_nothing_is_written_into_an_account_that_is_erased_at_the_same_moment(
    administrator, learner, is_first
):
    send, erase = sending(administrator, learner, 1), partial(erase_account, user=learner)
    first, second = (send, erase) if is_first else (erase, send)
    at_once(first, second, before_writing=StaffMessage, refused=(AccountErased,))
    assert not StaffMessage.objects.exists()
