"""What buyers hear by mail of their money and their access, through a real mail server."""

from decimal import Decimal

import pytest
from django.utils import timezone

from lms.models import Access, AccessSource
from lms.services import accesses
from payments.models import MoveSource, Payment, PaymentStatus
from payments.services import refunds, staff
from payments.services.transitions import Cause, move_payment
from payments.tests.events import a_dispute, a_refund, a_session, an_event
from payments.tests.factories import PaymentFactory
from people.models import BlockReason, User
from project.mail.models import Delivery
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(learner, course, settings):
    """A payment at Stripe that waits."""
    settings.SCHOOL_NAME, settings.SCHOOL_TAX_ID = "Oak School", "7701234567"
    settings.SCHOOL_ADDRESS, settings.SCHOOL_EMAIL = "1 Oak St", "desk@oak.example"
    learner.language = "en"
    learner.save()
    return PaymentFactory.create(
        payer=learner, course=course, title="Bread <&>", method="stripe", session_id="cs_1",
        payment_intent_id="pi_1",
    )  # fmt: skip


def come(payment):
    """The money comes."""
    payment, _moved = move_payment(
        payment_id=payment.pk, to=PaymentStatus.PAID, cause=Cause(source=MoveSource.WEBHOOK)
    )
    return payment


@pytest.fixture
def letters(sink, learner):
    """Send what waits; say what the learner got by now: subject, text and HTML of each."""

    def got():
        deliver_mail()
        return [
            (
                message["Subject"],
                message.get_body(("plain",)).get_content(),
                message.get_body(("html",)).get_content(),
            )
            for message in sink.messages(learner.email)
        ]

    return got


def link_to(course):
    return f"https://school.example/courses/{course.pk}"


def test_who_paid_gets_what_a_receipt_says_and_a_link_to_it(letters, payment, course):
    come(payment)
    payment.refresh_from_db()
    [(subject, text, html)] = letters()
    assert subject == "Your payment for “Bread <&>”"
    for said in (
        "Hello, Lev!", f"Receipt No. {payment.pk}", "₽1,990", "online, through Stripe",
        "Oak School", "1 Oak St", "7701234567", "desk@oak.example", payment.receipt_url,
        link_to(course),
    ):  # fmt: skip
        assert said in text
        assert said in html
    assert "“Bread <&>”" in text
    assert "“Bread &lt;&amp;&gt;”" in html


def test_a_buyer_of_a_lesson_is_led_to_its_course_in_their_language(letters, learner, lesson):
    User.objects.update(language="ru")
    learner.refresh_from_db()
    come(PaymentFactory.create(payer=learner, course=None, lesson=lesson, method="transfer"))
    [(subject, text, _html)] = letters()
    assert subject == f"Ваша оплата: «{lesson.title}»"
    assert "Способ оплаты: перевод" in text
    assert link_to(lesson.course) in text


def test_a_payment_that_fails_days_later_is_told_once(letters, deliver, payment, course):
    deliver(an_event("checkout.session.completed", a_session(payment, status="complete")))
    failure = an_event(
        "checkout.session.async_payment_failed", a_session(payment, status="complete")
    )
    for number in (1, 2):
        deliver(failure | {"id": f"evt_failed_{number}"})
    [(subject, text, html)] = letters()
    assert subject == "Your payment for “Bread <&>” failed"
    assert "You have not been charged" in text
    assert link_to(course) in text
    assert "Bread &lt;&amp;&gt;" in html


def test_cash_that_staff_reject_is_not_told(letters, administrator, learner, course):
    staff.reject_payment(
        payment=PaymentFactory.create(payer=learner, course=course), by=administrator, reason="-"
    )
    assert letters() == []


def test_each_refund_and_the_end_of_the_access_are_told_once(letters, deliver, payment, course):
    come(payment)
    letters()
    for number, amount in (("re_1", 50000), ("re_2", 149000)):
        refund = a_refund(payment, id=number, amount=amount)
        for kind in ("refund.created", "refund.updated"):
            deliver(an_event(kind, refund | {"status": "succeeded"}))
    _received, part, *rest = letters()
    assert part[0] == "Your refund for “Bread <&>”"
    assert "We have refunded ₽500 of your payment of ₽1,990" in part[1]
    assert "up to ten days" in part[1]
    assert "/payments/receipt/" in part[1]
    assert sorted(subject for subject, _text, _html in rest) == [
        "Your access to “Bread <&>” has ended",
        "Your refund for “Bread <&>”",
    ]
    assert any("your payment was refunded" in text for _subject, text, _html in rest)
    assert all(link_to(course) in text for _subject, text, _html in rest)


def test_a_whole_refund_says_so_in_russian_too(letters, administrator, learner, course):
    User.objects.update(language="ru")
    learner.refresh_from_db()
    payment = come(PaymentFactory.create(payer=learner, course=course, title="Хлеб"))
    refunds.refund_payment(payment=payment, by=administrator, reason="asked to")
    texts = " ".join(text for _subject, text, _html in letters())
    assert "Мы полностью вернули вам оплату «Хлеб»: 1\xa0990\xa0₽." in texts
    assert "Доступ к «Хлеб» закрыт: вам вернули оплату." in texts


def test_a_refund_that_fails_before_the_mail_goes_out_is_not_told(letters, deliver, payment):
    come(payment)
    letters()
    for status in ("succeeded", "failed"):
        refund = a_refund(payment, id="re_1", status=status)
        deliver(an_event("refund.updated", refund))
    assert len(letters()) == 1
    reasons = set(Delivery.objects.exclude(error="").values_list("error", flat=True))
    assert reasons == {"the refund failed", "has access"}


def test_a_lost_dispute_ends_the_access_and_says_why(letters, deliver, payment):
    come(payment)
    letters()
    for number in (1, 2):
        dispute = a_dispute(payment, id="dp_1", status="lost")
        deliver(an_event("charge.dispute.closed", dispute, id=f"evt_lost_{number}"))
    [_received, (subject, text, _html)] = letters()
    assert subject == "Your access to “Bread <&>” has ended"
    assert "your bank has disputed the payment" in text


def test_who_keeps_the_access_by_another_right_is_not_told_that_it_ended(
    letters, administrator, payment, learner, course
):
    Access.objects.create(user=learner, course=course, source=AccessSource.ENROLLMENT)
    payment = come(PaymentFactory.create(payer=learner, course=course))
    refunds.refund_payment(payment=payment, by=administrator, reason="asked to")
    assert not [subject for subject, _text, _html in letters() if "ended" in subject]


def test_money_that_is_confirmed_after_a_mistake_is_told_anew(
    letters, administrator, learner, course
):
    payment = PaymentFactory.create(payer=learner, course=course)
    payment = staff.confirm_payment(payment=payment, by=administrator, reason="Till")
    assert len(letters()) == 1
    staff.undo_confirmation(payment=payment, by=administrator, reason="a mistake")
    staff.confirm_payment(payment=payment, by=administrator, reason="now it came")
    first, second = (subject for subject, _text, _html in letters())
    assert first == second


def test_a_confirmation_that_was_undone_before_its_mail_went_out_is_told_by_one_mail(
    letters, administrator, learner, course
):
    """The one about the money that came after all."""
    payment = PaymentFactory.create(payer=learner, course=course)
    for number in range(3):
        if number:
            staff.undo_confirmation(payment=payment, by=administrator, reason="a mistake")
        payment = staff.confirm_payment(payment=payment, by=administrator, reason="Till")
    assert len(letters()) == 1
    told = Delivery.objects.order_by("pk").values_list("status", "error")
    assert list(told) == [("skipped", "not paid any more")] * 2 + [("sent", "")]


def test_a_lost_dispute_that_is_heard_of_before_the_money_tells_of_no_access(
    letters, deliver, learner, course
):
    payment = PaymentFactory.create(
        payer=learner, course=course, method="stripe", payment_intent_id="pi_1"
    )
    deliver(an_event("charge.dispute.closed", a_dispute(payment, status="lost")))
    payment.refresh_from_db()
    assert payment.status == "paid"
    assert letters() == []


def test_undoing_a_confirmation_is_not_told(letters, administrator, learner, course):
    payment = PaymentFactory.create(payer=learner, course=course)
    payment = staff.confirm_payment(payment=payment, by=administrator, reason="Till")
    letters()
    staff.undo_confirmation(payment=payment, by=administrator, reason="a mistake")
    assert len(letters()) == 1


@pytest.mark.parametrize("of", ["course", "lesson"])
def test_access_that_staff_give_is_told_once(letters, administrator, learner, lesson, of):
    User.objects.update(language="en")
    learner.refresh_from_db()
    target = lesson.course if of == "course" else lesson
    for _time in range(2):
        accesses.grant_access(
            user=learner, target=target, source=AccessSource.GRANT, given_by=administrator
        )
    accesses.grant_access(user=learner, target=target, source=AccessSource.ENROLLMENT)
    [(subject, text, html)] = letters()
    assert subject == f"You now have access to “{target.title}”"
    assert link_to(lesson.course) in text
    assert link_to(lesson.course) in html


def test_access_that_was_taken_back_at_once_is_not_told(letters, learner, course):
    access, _is_new = accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)
    accesses.take_back(access=access, reason="a mistake")
    assert letters() == []


@pytest.mark.parametrize("reason", [BlockReason.STAFF, BlockReason.ERASED])
def test_who_is_blocked_hears_of_their_money_only_and_who_was_erased_of_nothing(
    letters, administrator, learner, payment, course, reason
):
    User.objects.filter(pk=learner.pk).update(
        is_active=False, blocked_reason=reason, blocked_at=timezone.now()
    )
    payment.method = "cash"
    payment.save()
    payment = come(payment)
    refunds.refund_payment(
        payment=payment, by=administrator, reason="asked", amount=Decimal(1), ends_access=True
    )
    accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)
    assert {subject for subject, _text, _html in letters()} == (
        {"Your payment for “Bread <&>”", "Your refund for “Bread <&>”"}
        if reason == BlockReason.STAFF
        else set()
    )


SAID = {"cash": "At the <desk>.\nOn Mondays.", "transfer": "To account <1>."}


@pytest.mark.parametrize("method", ["cash", "transfer"])
def test_who_orders_gets_once_what_the_school_says_about_paying(
    letters, settings, api, learner, course, method
):
    settings.PAYMENT_INSTRUCTIONS_CASH = SAID["cash"]
    settings.PAYMENT_INSTRUCTIONS_TRANSFER = SAID["transfer"]
    for _twice in range(2):
        api(learner).post("payments", {"course_id": course.pk, "method": method})
    [(subject, text, html)] = letters()
    assert subject == f"How to pay for “{course.title}”"
    assert SAID[method] in text.replace("\r\n", "\n")
    assert SAID[method].replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>") in html
    number = Payment.objects.get().pk
    assert f"Order No. {number}" in text
    for part in (text, html):
        assert f"https://school.example/payments/{number}" in part


def test_a_school_that_says_nothing_about_paying_sends_no_mail_about_it(
    letters, api, learner, course
):
    api(learner).post("payments", {"course_id": course.pk, "method": "transfer"})
    assert letters() == []


def test_how_to_pay_is_no_news_any_more_when_the_money_is_there(
    letters, settings, api, learner, course
):
    settings.PAYMENT_INSTRUCTIONS_CASH = SAID["cash"]
    number = api(learner).post("payments", {"course_id": course.pk, "method": "cash"}).json()["id"]
    come(Payment.objects.get(pk=number))
    assert [subject for subject, _text, _html in letters()] == [
        f"Your payment for “{course.title}”"
    ]
    assert Delivery.objects.get(mailing__kind="order_placed").error == "not waited for any more"
