"""Several workers, requests or members of the staff at once: each mail once all the same."""

import uuid
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ

from people.models import User
from people.tests.factories import UserFactory
from project.mail import batches, recipients
from project.mail.batches import claim_batch
from project.mail.models import Delivery, Mailing, MailingState, MailServer
from project.mail.sending import become_sender
from project.mail.services import list_again, send_to_audience, send_to_one, try_again
from project.tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people():
    return UserFactory.create_batch(5)


@pytest.fixture
def mailing(people):
    """All of its mails are due."""
    mailing = send_to_audience("notice", 1)
    recipients.list_one_step()
    return mailing


@pytest.mark.parametrize("send", [send_to_one, send_to_audience])
def test_a_mail_that_is_asked_for_twice_at_once_is_one(learner, send):
    ask = {
        send_to_one: partial(send_to_one, "notice", learner, key="1"),
        send_to_audience: partial(send_to_audience, "notice", 1),
    }
    mailings = at_once(*[ask[send]] * 4, before_writing=Mailing)
    assert len(set(mailings)) == Mailing.objects.count() == OrmQ.objects.count() == 1
    assert Delivery.objects.count() == (send is send_to_one)


def test_workers_that_list_at_once_list_on_from_one_another(people, monkeypatch):
    monkeypatch.setattr(recipients, "STEP", 2)
    mailing = send_to_audience("notice", 1)
    step = partial(recipients.list_recipients, mailing.pk)
    at_once(step, step, before_writing=Delivery)
    assert mailing.deliveries.count() == 4
    at_once(step, step, before_writing=Delivery)
    mailing.refresh_from_db()
    assert mailing.state == MailingState.LISTED
    assert mailing.deliveries.count() == 5


def test_people_who_are_added_twice_at_once_get_one_mail(people):
    mailing = Mailing.objects.create(kind="notice", key="notice:1", state=MailingState.LISTED)
    add = partial(recipients.add_recipients, mailing, User.objects.all(), "pk")
    assert sorted(at_once(add, add, before_writing=Delivery)) == [0, 5]
    assert mailing.deliveries.count() == 5


def test_workers_that_claim_at_once_claim_different_mails(mailing, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_SIZES", (2, 1, 1))
    claim = partial(claim_batch, timezone.now())
    taken = at_once(*[claim] * 4, before_writing=Delivery)
    claimed = [pk for batch in taken if batch for pk in batch.recipients]
    assert sorted(claimed) == sorted(mailing.deliveries.values_list("pk", flat=True))
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.postgresql
def test_who_finds_all_mails_taken_at_this_moment_does_not_wait(mailing):
    with transaction.atomic():
        batch = claim_batch(timezone.now())
        assert batch is not None
        assert len(batch.recipients) == 5
        assert at_once(partial(claim_batch, timezone.now())) == [None]


def test_of_workers_that_begin_at_once_one_becomes_the_sender():
    acts = [partial(become_sender, uuid.uuid4(), timezone.now()) for _worker in range(4)]
    assert sorted(at_once(*acts, before_writing=MailServer)) == [False] * 3 + [True]


def test_what_two_have_tried_again_at_once_is_tried_once(mailing):
    mailing.deliveries.update(status="refused", finished_at=timezone.now())
    OrmQ.objects.all().delete()
    again = partial(try_again, Delivery.objects.all())
    assert sorted(at_once(again, again, before_writing=Delivery)) == [0, 5]
    assert OrmQ.objects.count() == 1


def test_what_two_have_listed_again_at_once_is_listed_once(mailing):
    Mailing.objects.update(state=MailingState.PARKED)
    OrmQ.objects.all().delete()
    again = partial(list_again, mailing)
    assert sorted(at_once(again, again, before_writing=Mailing)) == [False, True]
    assert OrmQ.objects.count() == 1
