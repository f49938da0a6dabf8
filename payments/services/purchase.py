"""Asking to pay for a course or lesson."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lms.models import Course, Lesson
from payments.models import IdempotencyKey, Payment, PaymentMethod
from payments.permissions import owns
from project.common.errors import Conflict, Missing

if TYPE_CHECKING:
    from people.models import User


class NothingToPay(Conflict):
    code = "nothing_to_pay"
    message = _("This is free, or not sold on its own.")


class AlreadyPaid(Conflict):
    code = "already_paid"
    message = _("You have this already: it is paid for, or it is yours.")


class IdempotencyKeyReused(Conflict):
    code = "idempotency_key_reused"
    message = _("This Idempotency-Key was used for another request.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a person wants to pay for, and how. Exactly one of the two ids is given."""

    course_id: int | None
    lesson_id: int | None
    method: PaymentMethod

    def is_for(self, payment: Payment) -> bool:
        """Say whether the payment is for the same thing by the same method."""
        asked = (self.course_id, self.lesson_id, self.method)
        return asked == (payment.course_id, payment.lesson_id, payment.method)


@transaction.atomic
def request_payment(
    *, buyer: "User", order: Order, idempotency_key: str | None = None
) -> tuple[Payment, bool]:
    """Return the payment that the buyer can now make, and whether it is a new one: while one for
    the same thing at the same price waits, it is the one.

    A repeat with the same `idempotency_key` returns what the first request returned. Raises
    Missing, NothingToPay, AlreadyPaid; IdempotencyKeyReused for the key of another order.
    """
    lock_buyer(buyer)
    if idempotency_key is None:
        return _pending_or_new(buyer, order)
    known = _find_key(buyer, idempotency_key)
    if known is None:
        payment, created = _pending_or_new(buyer, order)
        _remember(idempotency_key, payment, created=created)
        return payment, created
    if not order.is_for(known.payment):
        raise IdempotencyKeyReused
    return known.payment, known.created_payment


def lock_buyer(buyer: "User") -> None:
    """Let the requests of one buyer wait for each other until the transaction ends.

    What a buyer may pay for depends on all their payments, also on those that are not there yet,
    so there is no other row to lock.
    """
    users = get_user_model()._base_manager.select_for_update(no_key=True)  # noqa: SLF001
    users.values_list("pk").get(pk=buyer.pk)


def _find_key(buyer: "User", key: str) -> IdempotencyKey | None:
    return IdempotencyKey.objects.filter(user=buyer, key=key).select_related("payment").first()


def _remember(key: str, payment: Payment, *, created: bool) -> None:
    IdempotencyKey.objects.create(
        user_id=payment.payer_id, key=key, payment=payment, created_payment=created
    )


def _pending_or_new(buyer: "User", order: Order) -> tuple[Payment, bool]:
    target = _find_target(buyer, order)
    if not target.price:
        raise NothingToPay
    if owns(buyer, target) or Payment.objects.filter(payer=buyer).paying_for(target).exists():
        raise AlreadyPaid
    # A changed price is a new offer; the payment asked for at the old one stays as it is.
    offer = Payment(
        payer=buyer,
        course=target if isinstance(target, Course) else None,
        lesson=target if isinstance(target, Lesson) else None,
        title=target.title,
        amount=target.price,
        currency=settings.CURRENCY,
        method=order.method,
    )
    pending = Payment.objects.pending_like(offer).first()
    if pending is not None:
        return pending, False
    offer.save(force_insert=True)
    return offer, True


def _find_target(buyer: "User", order: Order) -> Course | Lesson:
    """Raises Missing for what is not there as well as for somebody else's draft."""
    target: Course | Lesson | None
    if order.course_id is not None:
        target = Course.objects.on_sale_to(buyer).filter(pk=order.course_id).first()
    else:
        lessons = Lesson.objects.on_sale_to(buyer).select_related("course")
        target = lessons.filter(pk=order.lesson_id or 0).first()
    if target is None:
        raise Missing
    return target
