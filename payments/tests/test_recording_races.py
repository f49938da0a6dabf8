"""Two of the staff who book the same money at once, and the buyer who pays at that moment."""

from collections import Counter
from decimal import Decimal
from functools import partial
from uuid import uuid4

import pytest
from django.test import Client

from lms.models import Access
from payments.models import Finding, Payment, PaymentMethod, PaymentMove
from payments.services import consistency, staff
from payments.tests.factories import PaymentFactory
from people.models import User
from people.tests.factories import UserFactory
from project.mail.models import Mailing
from project.tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def record(administrator, learner, course):
    """Record the same transfer; with a key of its own each time, as two pages do."""

    def act(key=None):
        received = staff.Received(
            payer=User(pk=learner.pk),
            target=course,
            amount=Decimal("1990.00"),
            method=PaymentMethod.TRANSFER,
        )
        return staff.record_payment(received=received, by=administrator, reason="came", key=key)

    return act


def kinds(outcomes):
    return Counter(map(type, outcomes))


def test_of_two_colleagues_who_record_the_same_at_once_one_is_told(record):
    outcomes = at_once(*[record] * 4, before_writing=Payment, refused=(staff.PaidByAnother,))
    assert kinds(outcomes) == {Payment: 1, staff.PaidByAnother: 3}
    assert Payment.objects.count() == Access.objects.count() == Mailing.objects.count() == 1


@pytest.mark.reported("Two clicks on the button booked two payments (dolibarr 7721, 8933).")
def test_a_form_that_is_sent_twice_at_once_records_one_payment(record):
    key = uuid4()
    outcomes = at_once(*[partial(record, key)] * 4, before_writing=Payment)
    assert len({payment.pk for payment in outcomes}) == Payment.objects.count() == 1
    assert PaymentMove.objects.count() == 1


def test_what_is_recorded_while_the_order_is_confirmed_is_booked_once(
    record, administrator, learner, course
):
    order = PaymentFactory.create(payer=learner, course=course, method="transfer")
    confirm = partial(staff.confirm_payment, payment=order, by=administrator, reason="came")
    refused = (staff.OrderWaits, staff.PaidByAnother)
    at_once(record, confirm, record, before_writing=PaymentMove, refused=refused)
    assert [payment.status for payment in Payment.objects.all()] == ["paid"]


def test_who_pays_at_stripe_while_staff_record_has_paid_twice_and_it_is_found(
    record, learner, buy, api, stripe_sandbox
):
    """Both sums came: none is lost, access is given, and staff are led to give one back."""
    page = buy().json()
    stripe_sandbox.sandbox.pay(Payment.objects.get().session_id)
    ask = partial(api(learner).get, f"payments/{page['id']}/status")
    at_once(record, ask, before_writing=PaymentMove)
    assert [payment.status for payment in Payment.objects.all()] == ["paid", "paid"]
    assert Access.objects.held_by(learner).exists()
    consistency.check_payments()
    assert Finding.objects.open().get().kind == "paid_twice"


def test_two_who_confirm_the_same_in_different_order_hinder_each_other_not(administrator):
    colleague = UserFactory.create(is_staff=True, is_superuser=True)
    payer = UserFactory.create()
    orders = [
        *PaymentFactory.create_batch(4, payer=payer),
        *PaymentFactory.create_batch(4),
    ]

    def confirm(by, chosen):
        client = Client()
        client.force_login(by)
        fields = {f"take-{order.pk}": "on" for order in chosen}
        known = {"action": "confirm_many", "confirm": "1", "reason": "Statement"}
        keys = [order.pk for order in chosen]
        return client.post(
            "/admin/payments/payment/", known | fields | {"_selected_action": keys}
        ).status_code

    answers = at_once(
        partial(confirm, administrator, orders), partial(confirm, colleague, orders[::-1])
    )
    assert answers == [302, 302]
    assert {payment.status for payment in Payment.objects.all()} == {"paid"}
    assert PaymentMove.objects.count() == Mailing.objects.count() == len(orders)
