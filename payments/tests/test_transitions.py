"""The state machine of a payment, and what staff may do with it."""

import itertools

import pytest
from django.core import mail

from lms.models import Access
from lms.tests.factories import CourseFactory
from payments.models import MoveSource, Payment, PaymentMove, PaymentStatus
from payments.services import purchase, refunds, staff, transitions
from payments.tests.factories import PaymentFactory
from project.mail.models import Mailing
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

LEGAL = {
    ("pending", "processing"), ("pending", "paid"), ("pending", "failed"), ("pending", "expired"),
    ("processing", "paid"), ("processing", "failed"),
    ("failed", "paid"), ("expired", "processing"), ("expired", "paid"),
    ("expired", "cancelled"),
    ("pending", "cancelled"), ("cancelled", "processing"), ("cancelled", "paid"),
}  # fmt: skip
CAUSE = transitions.Cause(source=MoveSource.STAFF, reason="test")


def payment_in(status):
    traits = {"paid": {"paid": True}, "refunded": {"refunded": True}}
    return PaymentFactory.create(**traits.get(status, {"status": status}))


@pytest.mark.parametrize(("start", "to"), list(itertools.product(PaymentStatus.values, repeat=2)))
def test_a_payment_moves_by_the_table_only(start, to):
    payment = payment_in(start)
    if start == to:
        assert transitions.move_payment(payment_id=payment.pk, to=to, cause=CAUSE)[1] is False
    elif (start, to) in LEGAL:
        assert transitions.move_payment(payment_id=payment.pk, to=to, cause=CAUSE)[1] is True
    else:
        with pytest.raises(transitions.IllegalMove):
            transitions.move_payment(payment_id=payment.pk, to=to, cause=CAUSE)
    payment.refresh_from_db()
    expected = to if (start, to) in LEGAL else start
    assert payment.status == expected
    assert PaymentMove.objects.count() == ((start, to) in LEGAL)


def test_confirming_gives_access_and_tells_who_and_why(administrator):
    payment = staff.confirm_payment(
        payment=PaymentFactory.create(), by=administrator, reason="Statement of 3 May"
    )
    assert payment.status == PaymentStatus.PAID
    assert payment.paid_at
    access = Access.objects.active().get()
    assert (access.user, access.course, access.given_by) == (
        payment.payer,
        payment.course,
        administrator,
    )
    move = PaymentMove.objects.get()
    assert (move.by, move.reason, move.source) == (administrator, "Statement of 3 May", "staff")


@pytest.mark.parametrize("decide", [staff.confirm_payment, staff.reject_payment])
def test_who_decides_what_a_colleague_just_did_is_told(administrator, support, decide):
    payment = PaymentFactory.create()
    decide(payment=payment, by=administrator, reason="came")
    with pytest.raises(transitions.IllegalMove):
        decide(payment=payment, by=support, reason="came")
    assert PaymentMove.objects.get().by == administrator


def test_the_same_thing_is_not_confirmed_twice(administrator):
    first = PaymentFactory.create()
    second = PaymentFactory.create(payer=first.payer, course=first.course)
    staff.confirm_payment(payment=first, by=administrator, reason="came")
    with pytest.raises(purchase.AlreadyPaid):
        staff.confirm_payment(payment=second, by=administrator, reason="came")
    second.refresh_from_db()
    assert second.status == PaymentStatus.PENDING


def test_rejecting_gives_no_access(administrator):
    payment = staff.reject_payment(
        payment=PaymentFactory.create(), by=administrator, reason="no money"
    )
    assert payment.status == PaymentStatus.FAILED
    assert not Access.objects.exists()


@pytest.mark.parametrize("decide", [staff.confirm_payment, staff.reject_payment])
def test_staff_decide_nothing_that_only_stripe_can_know(administrator, decide):
    payment = PaymentFactory.create(method="stripe")
    with pytest.raises(staff.NotOffline):
        decide(payment=payment, by=administrator, reason="looks good")
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.PENDING


def test_a_refund_by_hand_takes_the_access(administrator):
    payment = staff.confirm_payment(
        payment=PaymentFactory.create(), by=administrator, reason="came"
    )
    refunds.refund_payment(payment=payment, by=administrator, reason="returned in cash")
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.REFUNDED
    assert not Access.objects.active().exists()
    assert Access.objects.get().revoked_reason == "returned in cash"


def test_what_is_not_paid_is_not_refunded(administrator):
    with pytest.raises(transitions.IllegalMove):
        refunds.refund_payment(payment=PaymentFactory.create(), by=administrator, reason="?")


def test_a_refund_at_stripe_gives_the_money_back_once(api, learner, administrator, stripe_sandbox):
    course = CourseFactory.create(published=True, price=100)
    api(learner).post("payments", {"course_id": course.pk, "method": "stripe"})
    payment = Payment.objects.get(method="stripe")
    stripe_sandbox.sandbox.pay(payment.session_id)
    api(learner).get(f"payments/{payment.pk}/status")
    refunds.refund_payment(payment=payment, by=administrator, reason="changed their mind")
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.REFUNDED
    assert len(stripe_sandbox.sandbox.all("refund")) == 1
    with pytest.raises(transitions.IllegalMove):
        refunds.refund_payment(payment=payment, by=administrator, reason="again")
    assert len(stripe_sandbox.sandbox.all("refund")) == 1


def test_the_payer_hears_once_that_the_money_came_and_not_of_an_import(administrator):
    payment = staff.confirm_payment(
        payment=PaymentFactory.create(), by=administrator, reason="Bank"
    )
    transitions.move_payment(payment_id=payment.pk, to=PaymentStatus.PAID, cause=CAUSE)
    imported = {
        name: getattr(payment, name)
        for name in transitions.PAYMENT_COLUMNS
        if name != "external_id"
    }
    transitions.insert_payments(
        payments=[transitions.NewPayment(**imported, external_id="A-1")],
        cause=transitions.Cause(source=MoveSource.IMPORT),
    )
    assert Payment.objects.filter(status=PaymentStatus.PAID).count() == 2
    deliver_mail()
    deliver_mail()
    (message,) = mail.outbox
    assert message.to == [payment.payer.email]
    assert Mailing.objects.get().title == payment.title
    assert payment.title in message.subject
    assert "₽1,990" in message.body
