"""Payments for tests."""

from datetime import date
from decimal import Decimal
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import (
    ClosedMonth,
    Dispute,
    DisputeStatus,
    EntryKind,
    Finding,
    FindingKind,
    LedgerEntry,
    Payment,
    PaymentMethod,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from payments.services import ledger
from people.tests.factories import UserFactory


class PaymentFactory(DjangoModelFactory[Payment]):
    """A cash payment for a published course that waits for staff; `paid=True` for one that came,
    `for_lesson=True` for a payment for a lesson."""

    class Meta:
        model = Payment

    class Params:
        paid = factory.Trait(status=PaymentStatus.PAID, paid_at=factory.LazyFunction(timezone.now))
        refunded = factory.Trait(
            status=PaymentStatus.REFUNDED,
            paid_at=factory.LazyFunction(timezone.now),
        )
        for_lesson = factory.Trait(
            course=None,
            lesson=factory.SubFactory(
                LessonFactory, course__is_published=True, price=Decimal("1990.00")
            ),
        )

    payer = factory.SubFactory(UserFactory)
    course = factory.SubFactory(CourseFactory, published=True, price=Decimal("1990.00"))
    title = factory.LazyAttribute(lambda payment: (payment.course or payment.lesson).title)
    amount = Decimal("1990.00")
    currency = "RUB"
    method = PaymentMethod.CASH
    refunded_amount = factory.LazyAttribute(
        lambda payment: payment.amount if payment.status == PaymentStatus.REFUNDED else 0
    )

    @classmethod
    def _create(cls, model_class: type[Payment], *args: Any, **fields: Any) -> Payment:
        payment: Payment = super()._create(model_class, *args, **fields)
        if payment.paid_at:
            _post(payment)
        return payment


def _post(payment: Payment) -> None:
    """Have it in the ledger; a row that was just made holds what the test gave, of any type."""
    ledger.post(Payment.objects.get(pk=payment.pk))


class RefundFactory(DjangoModelFactory[Refund]):
    """A part of a payment that was given back by hand."""

    class Meta:
        model = Refund

    payment = factory.SubFactory(PaymentFactory, paid=True)
    amount = Decimal("500.00")
    status = RefundStatus.SUCCEEDED
    settled_at = factory.LazyAttribute(
        lambda refund: None if refund.status == RefundStatus.REQUESTED else timezone.now()
    )


class DisputeFactory(DjangoModelFactory[Dispute]):
    """A dispute that needs an answer."""

    class Meta:
        model = Dispute

    payment = factory.SubFactory(PaymentFactory, paid=True, method="stripe")
    dispute_id = factory.Sequence(lambda number: f"dp_{number}")
    amount = factory.SelfAttribute("payment.amount")
    currency = "RUB"
    reason = "fraudulent"
    status = DisputeStatus.NEEDS_RESPONSE

    @classmethod
    def _create(cls, model_class: type[Dispute], *args: Any, **fields: Any) -> Dispute:
        dispute: Dispute = super()._create(model_class, *args, **fields)
        if dispute.status == DisputeStatus.LOST:
            _post(dispute.payment)
        return dispute


class FindingFactory(DjangoModelFactory[Finding]):
    """An open finding, with the facts of any kind."""

    class Meta:
        model = Finding

    kind = FindingKind.PAID_WITHOUT_ACCESS
    reference = factory.Sequence(lambda number: f"payment:{number}")
    params = factory.LazyFunction(
        lambda: {
            "reference": "payment:1",
            "times": 2,
            "ours": "paid",
            "theirs": "expired",
            "reason": "declined",
            "date": "2026-11-20",
            "amount": ["500.00", "RUB"],
            "id": "evt_1",
            "type": "refund.created",
        }
    )


class LedgerEntryFactory(DjangoModelFactory[LedgerEntry]):
    """Money that came in cash today, for a payment that is not in the book any more."""

    class Meta:
        model = LedgerEntry

    kind = EntryKind.PAYMENT
    method = PaymentMethod.CASH
    currency = "RUB"
    amount = Decimal("1990.00")
    day = factory.LazyFunction(timezone.localdate)


class ClosedMonthFactory(DjangoModelFactory[ClosedMonth]):
    """A month that is closed, with no entries."""

    class Meta:
        model = ClosedMonth

    month = date(2026, 10, 1)


def place(target: Course | Lesson) -> dict[str, Any]:
    """The fields of a payment that say what it is for."""
    is_course = isinstance(target, Course)
    return {"course": target if is_course else None, "lesson": None if is_course else target}
