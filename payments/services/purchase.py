"""Asking to pay for a course or lesson (docs/rules.md, 12.1 to 12.4)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models import Course, Lesson
from payments.mails import ORDERED
from payments.models import IdempotencyKey, Payment, PaymentMethod, PaymentStatus
from payments.permissions import may_learn
from payments.provider import asking, stripe
from payments.services.checkout import close_session, open_session
from payments.services.transitions import tell_payer
from people.models import User
from project.common.errors import Conflict, Missing

# A client repeats a request within minutes, or after a weekend.
KEYS_KEPT = timedelta(days=30)
KEYS_AT_ONCE = 5000


class NothingToPay(Conflict):
    code = "nothing_to_pay"
    message = _("This is free, or is not sold separately.")


class AlreadyPaid(Conflict):
    code = "already_paid"
    message = _("You already have access to this.")


class IdempotencyKeyReused(Conflict):
    code = "idempotency_key_reused"
    message = _("This Idempotency-Key has already been used for a different request.")


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


class Placed(NamedTuple):
    """The payment that an order led to; a stale one has to be closed before another is made."""

    payment: Payment
    is_new: bool
    is_stale: bool = False


def offered_methods() -> list[PaymentMethod]:
    """The ways in which somebody can pay here."""
    return [
        method
        for method in PaymentMethod
        if method != PaymentMethod.STRIPE or asking.is_configured()
    ]


def request_payment(
    *,
    user: User,
    order: Order,
    idempotency_key: str | None = None,
) -> tuple[Payment, bool]:
    """Return the payment that the user can now make, and whether it is a new one: while one for
    the same thing at the same price waits, it is the one. One for Stripe comes with its page.

    A repeat with the same `idempotency_key` returns what the first request returned. Raises
    Missing, NothingToPay, AlreadyPaid; IdempotencyKeyReused for the key of another order;
    UnchargeableAmount; ProviderError if Stripe did not answer or refused: then there is nothing
    that the user sees, and another try goes on where this one ended.
    """
    placed = _place(user, order, idempotency_key)
    if order.method == PaymentMethod.STRIPE and stripe.known_account() != stripe.ask_account():
        # What waits may be of another account.
        placed = _place(user, order, idempotency_key)
    if placed.is_stale:
        close_session(placed.payment)
        placed = _place(user, order, idempotency_key)
    if not placed.payment.is_half_made:
        return placed.payment, placed.is_new
    payment, is_first = open_session(placed.payment, user=user)
    return payment, is_first if idempotency_key is None else placed.is_new


def _place(user: User, order: Order, idempotency_key: str | None) -> Placed:
    try:
        return _place_now(user, order, idempotency_key)
    except IntegrityError:
        # Money came on its way for an order that was given up, this very moment: now it is seen.
        return _place_now(user, order, idempotency_key)


@transaction.atomic
def _place_now(user: User, order: Order, idempotency_key: str | None) -> Placed:
    lock_payer(user)
    if idempotency_key is None:
        return _waiting_or_new(user, order)
    keys = IdempotencyKey.objects.select_related("payment")
    known = keys.filter(user=user, key=idempotency_key).first()
    if known is None:
        placed = _waiting_or_new(user, order)
        if placed.is_stale:
            return placed
        known = IdempotencyKey.objects.create(
            user=user,
            key=idempotency_key,
            payment=placed.payment,
            # A half-made one was shown to nobody yet.
            created_payment=placed.is_new or placed.payment.is_half_made,
        )
    if not order.is_for(known.payment):
        raise IdempotencyKeyReused
    return Placed(known.payment, known.created_payment)


def lock_payer(user: User) -> None:
    """Let the requests of one person wait for each other until the transaction ends.

    What a person may pay for depends on all their payments, also on those that are not there yet,
    so there is no other row to lock.
    """
    users = get_user_model()._base_manager.select_for_update(no_key=True)  # noqa: SLF001
    users.values_list("pk").get(pk=user.pk)


def forget_old_keys() -> int:
    """Delete the keys of requests that nobody repeats any more, KEYS_AT_ONCE in a statement.
    Returns how many."""
    old = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEYS_KEPT)
    oldest = old.order_by("created_at").values_list("pk", flat=True)[:KEYS_AT_ONCE]
    deleted = 0
    while count := IdempotencyKey.objects.filter(pk__in=list(oldest.all())).delete()[0]:
        deleted += count
    return deleted


def _waiting_or_new(user: User, order: Order) -> Placed:
    target = _find_target(user, order)
    if not target.price:
        raise NothingToPay
    if may_learn(user, target) or Payment.objects.filter(payer=user).paying_for(target).exists():
        raise AlreadyPaid
    offer = Payment(
        payer=user,
        course=target if isinstance(target, Course) else None,
        lesson=target if isinstance(target, Lesson) else None,
        title=target.title,
        amount=target.price,
        currency=settings.CURRENCY,
        method=order.method,
    )
    waiting = Payment.objects.waiting_like(offer).first()
    if waiting is not None:
        return Placed(waiting, is_new=False, is_stale=_is_stale(waiting, offer))
    offer.save()
    if offer.instructions:
        tell_payer(offer, ORDERED, key=str(offer.pk))
    return Placed(offer, is_new=True)


def _is_stale(waiting: Payment, offer: Payment) -> bool:
    """Say whether the page of a waiting payment is closed, is in another account or mode than our
    key's, or asks for another price than now. While money is on its way it is too late to ask for
    another."""
    if waiting.method != PaymentMethod.STRIPE:
        return False
    here = stripe.known_account()
    if waiting.status != PaymentStatus.PENDING:
        # In the test mode there is no money.
        return here.livemode and waiting.livemode is False
    is_closed = not waiting.is_half_made and not waiting.payment_url
    is_elsewhere = not waiting.may_be_in(livemode=here.livemode, account_id=here.id)
    return (
        is_closed
        or is_elsewhere
        or (waiting.amount, waiting.currency) != (offer.amount, offer.currency)
    )


def _find_target(user: User, order: Order) -> Course | Lesson:
    """Raises Missing for what is not there as well as for somebody else's draft."""
    courses = Course.objects.on_sale_to(user).protected_from_deletion()
    if order.course_id is not None:
        target: Course | Lesson | None = courses.filter(pk=order.course_id).first()
    else:
        course = courses.filter(lessons=order.lesson_id).first()
        lessons = Lesson.objects.on_sale_to(user).filter(course=course).select_related("course")
        target = lessons.filter(pk=order.lesson_id or 0).first()
    if target is None:
        raise Missing
    return target
