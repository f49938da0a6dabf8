"""Buyers hear what staff did with their payment, and why, if staff tell them."""

import pytest
from django.urls import reverse

from lms.models import Access
from lms.tests.factories import CourseFactory
from payments.models import Payment
from payments.tests.factories import FindingFactory, PaymentFactory
from people.models import User
from people.tests.factories import UserFactory
from project.mail.models import Delivery, Mailing
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

WHY = "As the bank says"
TOLD = {"reason": WHY, "tell": "on"}


@pytest.fixture
def payment(learner):
    course = CourseFactory.create(published=True, title="Bread", price=1990)
    return PaymentFactory.create(payer=learner, course=course, title="Bread")


@pytest.fixture
def act(client_of, support):
    """Press a button on the page of a payment, as staff who may do all with it."""

    def post(action, row, form, model="payment"):
        address = reverse(f"admin:payments_{model}_{action}", args=[row.pk])
        return client_of(support).post(address, form)

    return post


def outcomes():
    rows = Delivery.objects.order_by("pk")
    return list(rows.values_list("mailing__kind", "status", "error"))


def bodies(message):
    return [message.get_body((part,)).get_content() for part in ("plain", "html")]


@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [
        (
            "en",
            "Your payment for “Bread” was not accepted",
            ["no longer expects it", "Reason: As the bank says"],
        ),
        ("ru", "Оплата «Bread» отклонена", ["не поступили", "Причина: As the bank says"]),
    ],
)
def test_a_rejected_payment_is_told_with_the_reason(
    act, payment, learner, sink, language, subject, words
):
    User.objects.update(language=language)
    act("reject", payment, TOLD)
    deliver_mail()
    (message,) = sink.messages(learner.email)
    assert message["Subject"] == subject
    assert all(word in body for body in bodies(message) for word in words)


def test_an_undone_confirmation_is_told_with_the_reason(act, payment, learner, sink):
    act("confirm", payment, {"reason": "Came"})
    act("undo_confirmation", payment, TOLD)
    deliver_mail()
    (message,) = sink.messages(learner.email)
    assert message["Subject"] == "Your payment for “Bread” is not confirmed"
    assert all("confirmed by mistake" in body and WHY in body for body in bodies(message))
    received, reopened = outcomes()
    assert received == ("payment_received", "skipped", "not paid any more")
    assert reopened == ("payment_reopened", "sent", "")


@pytest.mark.parametrize("action", ["reject", "undo_confirmation"])
def test_what_is_no_receipt_is_not_told_unless_staff_tell_it(act, payment, sink, action):
    if action != "reject":
        act("confirm", payment, {"reason": "Came"})
        deliver_mail()
        sink.received.clear()
    act(action, payment, {"reason": WHY})
    deliver_mail()
    assert not sink.received


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("action", ["confirm", "refund", "grant_access"])
def test_a_receipt_goes_anyway_and_has_the_reason_if_staff_tell_it(
    act, payment, learner, sink, action, told
):
    if action == "refund":
        act("confirm", payment, {"reason": "Came"})
        deliver_mail()
        sink.received.clear()
    act(action, payment, TOLD if told else {"reason": WHY})
    deliver_mail()
    texts = [bodies(message) for message in sink.messages(learner.email)]
    said = f"Comment from the school: {WHY}"
    assert texts
    assert [one for one in texts if all(said in body for body in one)] == texts[-1:] * told
    assert sum(WHY in body for one in texts for body in one) == 2 * told


@pytest.mark.parametrize("action", ["confirm", "refund"])
def test_a_receipt_to_an_address_that_is_not_confirmed_has_no_reason(
    act, payment, learner, sink, client_of, support, action
):
    User.objects.filter(pk=learner.pk).update(email_confirmed_at=None)
    if action == "refund":
        act("confirm", payment, {"reason": "Came"})
        deliver_mail()
        sink.received.clear()
    asked = client_of(support).get(reverse(f"admin:payments_payment_{action}", args=[payment.pk]))
    assert f"The email to {learner.email} will not have the reason" in asked.text
    act(action, payment, TOLD)
    deliver_mail()
    (message,) = sink.messages(learner.email)
    assert not any(WHY in body for body in bodies(message))


@pytest.mark.parametrize("action", ["reject", "grant_access"])
def test_other_mails_to_such_an_address_are_not_sent_and_the_form_says_so(
    act, payment, learner, sink, client_of, support, action
):
    User.objects.filter(pk=learner.pk).update(email_confirmed_at=None)
    asked = client_of(support).get(reverse(f"admin:payments_payment_{action}", args=[payment.pk]))
    assert f"No email will go to {learner.email}: the address is not confirmed." in asked.text
    act(action, payment, TOLD)
    deliver_mail()
    assert not sink.received


def test_a_buyer_is_told_once_however_often_the_form_is_sent(act, payment, learner, sink):
    for _time in range(3):
        act("reject", payment, TOLD)
        deliver_mail()
    assert sink.counts == {learner.email: 1}


def test_a_rejection_that_was_no_more_true_is_not_told(act, payment, sink, learner):
    act("reject", payment, TOLD)
    act("confirm", payment, {"reason": "Came after all"})
    deliver_mail()
    rejected, received = outcomes()
    assert rejected == ("payment_rejected", "skipped", "the payment has changed again")
    assert received == ("payment_received", "sent", "")


def test_each_confirmation_tells_its_own_reason(act, payment, learner, sink):
    act("confirm", payment, TOLD)
    act("undo_confirmation", payment, {"reason": "The other one"})
    act("confirm", payment, {"reason": "Now"})
    deliver_mail()
    (message,) = sink.messages(learner.email)
    assert not any("Comment" in body for body in bodies(message))


def test_who_is_blocked_still_hears_of_their_money(act, payment, learner, sink):
    User.objects.filter(pk=learner.pk).update(is_active=False)
    act("reject", payment, TOLD)
    deliver_mail()
    assert sink.counts == {learner.email: 1}


def test_a_finding_tells_the_buyer_of_its_payment(act, learner, sink, client_of, administrator):
    payment = PaymentFactory.create(
        payer=learner,
        method="stripe",
        status="processing",
        received_amount=2388,
        received_currency="RUB",
        course__published=True,
    )
    finding = FindingFactory.create(
        kind="amount_differs", reference=payment.reference, payment=payment
    )
    act("accept_amount", finding, TOLD, model="finding")
    deliver_mail()
    assert Payment.objects.get().status == "paid"
    (message,) = sink.messages(learner.email)
    assert all(WHY in body for body in bodies(message))


def test_the_page_of_the_payment_tells_what_the_buyer_was_told(
    act, payment, learner, client_of, support
):
    act("reject", payment, TOLD)
    shown = client_of(support).get(reverse("admin:payments_payment_change", args=[payment.pk]))
    assert f"Email “payment rejected” to {learner.email}: waiting" in shown.text


def revoke(client_of, support, access, form):
    client_of(support).post(reverse("admin:lms_access_revoke", args=[access.pk]), form)


@pytest.fixture
def access(act, payment):
    act("grant_access", payment, {"reason": "Paid in cash"})
    return Access.objects.get()


def test_access_that_staff_take_is_told_with_the_reason(
    client_of, support, access, learner, sink, payment
):
    deliver_mail()
    sink.received.clear()
    for _time in range(2):
        revoke(client_of, support, access, TOLD)
        deliver_mail()
    (message,) = sink.messages(learner.email)
    assert message["Subject"] == "Your access to “Bread” has been revoked"
    assert all(f"Reason: {WHY}" in body for body in bodies(message))
    shown = client_of(support).get(reverse("admin:payments_payment_change", args=[payment.pk]))
    assert f"Email “access revoked” to {learner.email}: sent" in shown.text


def test_access_that_staff_take_is_not_told_unless_they_tell_it(client_of, support, access):
    Mailing.objects.all().delete()
    revoke(client_of, support, access, {"reason": WHY})
    assert not Mailing.objects.exists()


def test_who_has_access_in_another_way_is_not_told_that_it_ended(
    client_of, support, access, act, payment
):
    act("confirm", payment, {"reason": "Came"})
    revoke(client_of, support, access, TOLD)
    deliver_mail()
    assert ("access_revoked", "skipped", "has access") in outcomes()


@pytest.mark.parametrize("told", [True, False])
def test_access_given_by_hand_has_the_reason_if_staff_tell_it(
    client_of, support, learner, sink, told
):
    course = CourseFactory.create(published=True)
    form = {"user": learner.pk, "course": course.pk, "reason": "Prize"} | (
        {"tell": "on"} if told else {}
    )
    client_of(support).post(reverse("admin:lms_access_add"), form)
    deliver_mail()
    (message,) = sink.messages(learner.email)
    assert all(("Comment from the school: Prize" in body) is told for body in bodies(message))


def test_who_gives_access_hears_that_no_mail_goes_to_an_unconfirmed_address(client_of, support):
    person, course = UserFactory.create(email_confirmed_at=None), CourseFactory.create()
    form = {"user": person.pk, "course": course.pk, "reason": "Prize", "tell": "on"}
    answer = client_of(support).post(reverse("admin:lms_access_add"), form, follow=True)
    assert f"No email will go to {person.email}: the address is not confirmed." in answer.text
