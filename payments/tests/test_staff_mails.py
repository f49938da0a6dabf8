"""The staff who may refund hear at once of what they have to do something about."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from payments.models import Dispute
from payments.permissions import can_refund, who_may_refund
from payments.tests.events import a_dispute, a_refund, an_event
from payments.tests.factories import PaymentFactory
from payments.tests.failures import everything, failing_at
from people.models import User
from people.tests.factories import UserFactory
from project.mail.models import Delivery, Mailing
from project.mail.recipients import list_one_step
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db


@pytest.fixture
def bought(learner):
    return PaymentFactory.create(
        payer=learner, paid=True, title="Bread", method="stripe", payment_intent_id="pi_1"
    )


@pytest.fixture
def clerk(support):
    support.language = "ru"
    support.save()
    return support


def test_those_who_may_refund_are_named_by_one_query(administrator, support, moderator):
    seeing = UserFactory.create(is_staff=True)
    seeing.user_permissions.set(Permission.objects.filter(codename="view_payment"))
    blind = UserFactory.create(is_staff=True)
    blind.user_permissions.set(Permission.objects.filter(codename="refund_payment"))
    UserFactory.create(is_superuser=True, is_staff=True, blocked=True)
    no_staff = UserFactory.create()
    no_staff.user_permissions.set(support.user_permissions.all())
    named = set(who_may_refund())
    assert named == {administrator, support}
    assert named == {user for user in User.objects.all() if can_refund(user) and user.is_staff}


def test_a_dispute_is_told_once_in_each_one_s_language(
    bought, administrator, clerk, deliver, mailoutbox
):
    dispute = a_dispute(bought, id="dp_1", reason="product_not_received")
    for kind in ("created", "updated"):
        for event_id in (f"evt_{kind}", f"evt_{kind}_again"):
            deliver(an_event(f"charge.dispute.{kind}", dispute, id=event_id))
    deliver_mail()
    sent = {message.to[0]: message for message in mailoutbox}
    assert set(sent) == {administrator.email, clerk.email}
    assert len(mailoutbox) == 2
    link = reverse("admin:payments_payment_change", args=[bought.pk])
    english, russian = sent[administrator.email], sent[clerk.email]
    assert english.subject == "A buyer's bank disputes the payment for “Bread”"
    for text in (
        "₽1,990",
        "nothing was received",
        "before",
        f"https://parta.school.example{link}",
    ):
        assert text in english.body
        assert text in english.alternatives[0][0]
    assert "ничего не получено" in russian.body
    assert "1\N{NO-BREAK SPACE}990\N{NO-BREAK SPACE}₽" in russian.body
    assert set(Delivery.objects.values_list("urgent", flat=True)) == {True}
    assert Mailing.objects.get().title == "Bread"


@pytest.mark.parametrize("status", ["won", "lost", "warning_closed", "prevented"])
def test_a_dispute_that_is_over_when_we_hear_of_it_is_no_news(
    bought, administrator, deliver, status
):
    deliver(an_event("charge.dispute.closed", a_dispute(bought, status=status)))
    assert Dispute.objects.get().status == status
    assert not Mailing.objects.exists()


def test_a_refund_that_failed_is_told_once(bought, administrator, clerk, deliver, mailoutbox):
    refund = a_refund(bought, id="re_1", amount=50000)
    deliver(an_event("refund.created", refund | {"status": "succeeded"}))
    failed = refund | {"status": "failed", "failure_reason": "lost_or_stolen_card"}
    deliver(an_event("refund.failed", failed))
    deliver(an_event("refund.updated", failed))
    deliver_mail()
    sent = {message.to[0]: message for message in mailoutbox}
    assert set(sent) == {administrator.email, clerk.email}
    assert len(mailoutbox) == 2
    assert "₽500" in sent[administrator.email].body
    assert "the card was lost or stolen" in sent[administrator.email].body
    assert "карта утеряна или украдена" in sent[clerk.email].body


@pytest.mark.parametrize("reason", ["dealt with", "may not refund"])
def test_what_is_over_and_who_may_not_refund_any_more_get_no_mail(
    bought, support, deliver, mailoutbox, reason
):
    deliver(an_event("charge.dispute.created", a_dispute(bought)))
    list_one_step()
    if reason == "dealt with":
        Dispute.objects.update(status="won")
    else:
        support.user_permissions.clear()
    deliver_mail()
    assert [delivery.error for delivery in Delivery.objects.all()] == [reason]
    assert not mailoutbox


def test_the_mail_and_the_event_are_one_transaction(bought, administrator, deliver):
    """Whatever write fails, nothing of it is there."""
    event = an_event("charge.dispute.created", a_dispute(bought))
    before, number = everything(), 0
    while failing_at(number, lambda: deliver(event)):
        assert everything() == before, number
        number += 1
    assert (number > 3, Mailing.objects.count(), Dispute.objects.count()) == (True, 1, 1)
