"""What staff do with a payment, seen beside the payments of others and for other things."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest
import time_machine
from django.contrib.auth.models import Permission

from lms.models import Access, AccessSource
from lms.services import accesses
from lms.tests.factories import LessonFactory
from payments import permissions
from payments.models import MoveSource, Payment, PaymentMove, PaymentStatus, Refund
from payments.provider.types import ProviderRefused
from payments.services import purchase, refunds, staff, transitions
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory, place
from payments.tests.failures import everything, failing_at
from people.models import User
from people.tests.factories import UserFactory
from project.mail.models import Delivery, Mailing
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


# --- Rights ---


@pytest.mark.parametrize(
    ("may", "needed"),
    [
        (permissions.can_see_payments, {"view_payment"}),
        (permissions.can_confirm, {"view_payment", "confirm_payment"}),
        (permissions.can_refund, {"view_payment", "refund_payment"}),
        (permissions.can_import, {"view_payment", "add_payment"}),
    ],
)
def test_each_right_to_the_book_needs_the_right_to_see_it(db, may, needed):
    rights = ("view_payment", "confirm_payment", "refund_payment", "add_payment", "change_payment")

    def somebody_with(names):
        user = UserFactory.create(is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        return User.objects.get(pk=user.pk)

    assert may(somebody_with(needed))
    assert not may(somebody_with(set(rights) - needed))
    for missing in needed:
        assert not may(somebody_with(set(rights) - {missing}))


# --- Confirming and rejecting ---


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_only_the_same_thing_paid_by_the_same_person_hinders_a_confirmation(
    administrator, learner, stranger, course, lesson, what
):
    def pay_for(target, **fields):
        return PaymentFactory.create(**place(target), **fields)

    target, other = {
        "course": (course, LessonFactory.create().course),
        "lesson": (lesson, LessonFactory.create(course=course)),
    }[what]
    payment = pay_for(target, payer=learner)
    pay_for(target, payer=stranger, paid=True)
    pay_for(other, payer=learner, paid=True)
    pay_for(target, payer=learner, refunded=True)
    for status in ("pending", "failed"):
        pay_for(target, payer=learner, status=status)
    assert staff.confirm_payment(payment=payment, by=administrator, reason="came").status == "paid"
    assert [access.target for access in Access.objects.held_by(learner)] == [target]
    twin = pay_for(target, payer=learner)
    with pytest.raises(purchase.AlreadyPaid):
        staff.confirm_payment(payment=twin, by=administrator, reason="came")
    assert Payment.objects.get(pk=twin.pk).status == "pending"


def test_a_decision_moves_its_payment_and_no_other(administrator, learner, stranger, course):
    beside = [
        PaymentFactory.create(payer=stranger, course=course),
        PaymentFactory.create(payer=learner),
    ]
    before = list(Payment.objects.order_by("pk").values())
    payment = PaymentFactory.create(payer=learner, course=course)
    with time_machine.travel(NOW, tick=False):
        staff.confirm_payment(payment=payment, by=administrator, reason="came")
    payment.refresh_from_db()
    assert (payment.status, payment.paid_at) == ("paid", NOW)
    staff.reject_payment(payment=beside[0], by=administrator, reason="never came")
    before[0]["status"] = "failed"
    assert list(Payment.objects.exclude(pk=payment.pk).order_by("pk").values()) == before
    assert PaymentMove.objects.count() == 2


def test_of_a_reason_as_much_is_kept_as_there_is_room_for(course):
    payment = PaymentFactory.create(course=course)
    cause = transitions.Cause(source=MoveSource.STAFF, reason="?" * 300)
    transitions.move_payment(payment_id=payment.pk, to=PaymentStatus.PAID, cause=cause, at=NOW)
    refunds.refund_payment(payment=payment, by=payment.payer, reason="?" * 300)
    payment.refresh_from_db()
    assert payment.paid_at == NOW
    reasons = [*PaymentMove.objects.values_list("reason", flat=True)]
    assert [*reasons, Access.objects.get().revoked_reason] == ["?" * 200] * 3


@pytest.mark.parametrize("act", ["confirm", "reject", "refund", "give access"])
def test_whatever_the_database_refuses_nothing_of_a_decision_is_half_done(
    administrator, learner, course, act
):
    payment = PaymentFactory.create(payer=learner, course=course)
    # Its page is needless once the cash has come.
    PaymentFactory.create(payer=learner, course=course, method="stripe", session_id="cs_1")
    if act == "refund":
        staff.confirm_payment(payment=payment, by=administrator, reason="came")
    decisions: dict[str, Callable[..., object]] = {
        "confirm": staff.confirm_payment,
        "reject": staff.reject_payment,
        "refund": refunds.refund_payment,
        "give access": staff.give_access,
    }
    decide = partial(decisions[act], payment=payment, by=administrator, reason="so")
    before, failures = everything(), 0
    while failing_at(failures, decide):
        assert everything() == before
        failures += 1
    assert failures == {"confirm": 6, "reject": 2, "refund": 9, "give access": 3}[act]
    assert everything() != before


# --- Refunds ---


def test_a_refund_takes_the_right_that_its_payment_gave_and_no_other(
    administrator, learner, stranger, course, lesson
):
    payments = [
        PaymentFactory.create(payer=learner, course=course),
        PaymentFactory.create(payer=stranger, course=course),
        PaymentFactory.create(payer=learner, course=None, lesson=lesson),
        PaymentFactory.create(payer=learner),
    ]
    for payment in payments:
        staff.confirm_payment(payment=payment, by=administrator, reason="came")
    accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)
    refunds.refund_payment(payment=payments[0], by=administrator, reason="returned")
    taken = Access.objects.exclude(revoked_at=None)
    assert [access.reference for access in taken] == [f"payment:{payments[0].pk}"]
    statuses = Payment.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["refunded", "paid", "paid", "paid"]
    assert Access.objects.active().count() == 4


def test_what_staff_gave_besides_is_of_the_same_person_for_the_same_thing(
    administrator, learner, stranger, course, lesson
):
    payment = PaymentFactory.create(payer=learner, course=course)
    other = LessonFactory.create(course=course)
    for user, target in (
        (learner, course), (stranger, course), (learner, lesson), (learner, other)
    ):  # fmt: skip
        accesses.grant_access(user=user, target=target, source=AccessSource.GRANT)
    accesses.grant_access(user=learner, target=course, source=AccessSource.ENROLLMENT)
    given = payment.accesses_about()
    assert [(one.user, one.course, one.source) for one in given] == [(learner, course, "grant")]
    of_lesson = PaymentFactory.create(payer=learner, course=None, lesson=lesson)
    assert [one.lesson for one in of_lesson.accesses_about()] == [lesson]
    staff.confirm_payment(payment=payment, by=administrator, reason="came")
    assert payment.accesses_about().count() == 2


@pytest.mark.reported("The access was refunded and the course bought again, but not confirmed.")
@pytest.mark.parametrize("why", ["refund", "dispute"])
def test_what_gives_no_access_any_more_does_not_hinder_another_payment(administrator, why):
    old = PaymentFactory.create(paid=True, method="stripe")
    if why == "refund":
        RefundFactory.create(payment=old, ends_access=True)
    else:
        DisputeFactory.create(payment=old, status="lost")
    new = PaymentFactory.create(payer=old.payer, course=old.course)
    staff.confirm_payment(payment=new, by=administrator, reason="came")
    assert Access.objects.active().get().reference == new.reference


def test_stripe_is_told_which_payment_is_refunded_and_why(bought, administrator, stripe_sandbox):
    refunds.refund_payment(payment=bought, by=administrator, reason="changed their mind")
    [refund] = stripe_sandbox.sandbox.all("refund")
    assert refund["payment_intent"] == bought.payment_intent_id
    token = str(Refund.objects.get().token)
    assert refund["metadata"] == {"payment_id": str(bought.token), "refund_token": token}
    assert refund["reason"] == "requested_by_customer"
    assert stripe_sandbox.api.calls[-1].key == f"parta:refund:{token}"


def test_what_was_refunded_at_stripe_by_hand_is_noted_here(bought, administrator, stripe_sandbox):
    refund = {"payment_intent": bought.payment_intent_id}
    stripe_sandbox.sandbox.create_refund(refund)
    refunds.refund_payment(payment=bought, by=administrator, reason="seen in the dashboard")
    bought.refresh_from_db()
    assert bought.status == "refunded"
    assert len(stripe_sandbox.sandbox.all("refund")) == 1
    assert not Access.objects.active().exists()


def test_a_refund_that_stripe_refuses_changes_nothing(bought, administrator):
    Payment.objects.update(payment_intent_id="pi_nothing")
    with pytest.raises(ProviderRefused):
        refunds.refund_payment(payment=bought, by=administrator, reason="?")
    bought.refresh_from_db()
    assert bought.status == "paid"
    assert Access.objects.active().exists()


def test_what_was_not_paid_on_our_page_at_stripe_is_given_back_by_hand(
    administrator, stripe_sandbox
):
    """It came from another book: Stripe knows nothing of it by our key."""
    payment = PaymentFactory.create(method="stripe", paid=True)
    refunds.refund_payment(payment=payment, by=administrator, reason="by hand")
    payment.refresh_from_db()
    assert payment.status == "refunded"
    assert stripe_sandbox.api.calls == []


def test_what_is_not_paid_is_not_refunded_at_stripe(administrator, stripe_sandbox):
    payment = PaymentFactory.create(
        method="stripe", status="processing", session_id="cs_1", payment_intent_id="pi_1"
    )
    with pytest.raises(transitions.IllegalMove):
        refunds.refund_payment(payment=payment, by=administrator, reason="?")
    assert stripe_sandbox.api.calls == []


# --- Access, whatever becomes of the money ---


@pytest.mark.parametrize(
    ("held", "by_course", "by_lesson"),
    [
        (("learner", "course"), True, True),
        (("learner", "lesson"), False, True),
        (("learner", "another lesson"), False, False),
        (("learner", "another course"), False, False),
        (("stranger", "course"), False, False),
        (("stranger", "lesson"), False, False),
        (None, False, False),
    ],
)
def test_access_that_somebody_has_is_not_given_again(
    request, administrator, learner, course, lesson, held, by_course, by_lesson
):
    targets = {
        "course": course,
        "lesson": lesson,
        "another lesson": LessonFactory.create(course=course),
        "another course": LessonFactory.create().course,
    }
    # What was taken back is not had any more.
    accesses.grant_access(
        user=learner, target=course, source=AccessSource.PAYMENT, reference="payment:0"
    )
    accesses.revoke_access(reference="payment:0", reason="refunded")
    if held is not None:
        who, what = held
        person = request.getfixturevalue(who)
        accesses.grant_access(user=person, target=targets[what], source=AccessSource.ENROLLMENT)
    for target, has in ((lesson, by_lesson), (course, by_course)):
        payment = PaymentFactory.create(payer=learner, **place(target))
        assert staff.has_access(payment) is has
        before = set(Access.objects.values_list("pk", flat=True))
        if has:
            with pytest.raises(staff.AlreadyOpen):
                staff.give_access(payment=payment, by=administrator, reason="The bank is slow")
            assert set(Access.objects.values_list("pk", flat=True)) == before
        else:
            access = staff.give_access(payment=payment, by=administrator, reason="The bank is slow")
            assert Access.objects.exclude(pk__in=before).get() == access
            assert (access.user, access.target, access.source) == (learner, target, "grant")
            assert (access.given_by, access.reason) == (administrator, "The bank is slow")
            assert access.reference == ""


# --- The mail that says that the money came ---


def test_each_payer_hears_of_their_own_payment_unless_it_became_void(
    administrator, stranger, mailoutbox
):
    def confirmed(**fields):
        payment = PaymentFactory.create(**fields)
        return staff.confirm_payment(payment=payment, by=administrator, reason="came")

    russian = confirmed(payer__language="ru", title="Хлеб")
    english = confirmed(payer=stranger, payer__language="en", title="Bread")
    refunded = confirmed(title="Cake")
    blocked = confirmed(title="Pie")
    User.objects.filter(pk=blocked.payer_id).update(is_active=False)
    refunds.refund_payment(payment=refunded, by=administrator, reason="returned")
    assert set(Delivery.objects.values_list("urgent", flat=True)) == {True}
    mailings = Mailing.objects.values_list("subject_id", "title", "key")
    assert (english.pk, "Bread", f"payment_received:move:{english.moves.get().pk}") in mailings
    deliver_mail()
    sent = {message.to[0]: message for message in mailoutbox}
    people = (russian.payer, english.payer, refunded.payer, blocked.payer)
    assert set(sent) == {person.email for person in people}
    refund = [message for message in mailoutbox if message.to == [refunded.payer.email]]
    assert not any("received" in message.body for message in refund)
    assert "Хлеб" in sent[russian.payer.email].subject
    assert "Bread" in sent[english.payer.email].subject
    assert "Мы получили оплату" in sent[russian.payer.email].body
    skipped = Delivery.objects.exclude(error="").order_by("recipient")
    assert [(delivery.recipient, delivery.error) for delivery in skipped] == [
        (refunded.payer, "not paid any more"),
    ]
