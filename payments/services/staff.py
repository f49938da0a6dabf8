"""What staff do with payments: always by a person and for a reason, which the buyer reads if staff `tell`
them. What they have `seen` of the payment is compared under its lock (13.10)."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models import Access, AccessSource, Course, Lesson
from lms.services import accesses
from payments.models import MoveSource, Payment, PaymentMethod, PaymentStatus
from payments.permissions import may_learn
from payments.services.decisions import require_seen_of
from payments.services.purchase import AlreadyPaid, lock_payer
from payments.services.transitions import (
    Cause,
    IllegalMove,
    UnfitAmount,
    book_received,
    close_needless_soon,
    lock_payment,
    move_locked,
)
from people.errors import AccountErased
from people.models import BlockReason, User
from project.common.decisions import Seen
from project.common.errors import Conflict, Refused
from project.common.money import fits_currency
from project.school.current import current_school

# Of a day before it somebody has mistyped the year.
FIRST_YEAR = 2000


class NotOffline(Conflict):
    code = "not_offline"
    message = _("Only Stripe can confirm or reject this payment. Ask Stripe for its status.")


class AlreadyOpen(Conflict):
    code = "already_open"
    message = _("This person already has access.")


class TargetDeleted(Conflict):
    code = "target_deleted"
    message = _("What this payment is for has been deleted.")


class OwnPayment(Refused):
    code = "own_payment"
    message = _("Somebody else has to say that your own money came.")


class PayerBlocked(Conflict):
    code = "payer_blocked"
    message = _("This account is blocked. It has to be unblocked first.")


class UnfitDay(Conflict):
    code = "unfit_day"
    message = _("The money can't have come on this day.")


class HinderedBy(Conflict):
    """There is another payment of the same person for the same thing."""

    def __init__(self, payment: Payment) -> None:
        super().__init__()
        self.payment = payment


class PaidByAnother(HinderedBy, AlreadyPaid):
    code = AlreadyPaid.code
    message = _("This person has already paid for this.")


class OrderWaits(HinderedBy):
    code = "order_waits"
    message = _("An order of this person for this waits for the same amount. Confirm it instead.")


class OnItsWay(HinderedBy):
    code = "on_its_way"
    message = _("Money of this person for this is on its way already.")


def received_at(day: date | None) -> datetime:
    """When money came that came on this day of the school's: at midnight, as nobody knows the hour;
    now, if it is today, or if none is named. Raises UnfitDay."""
    now, zone = timezone.now(), current_school().zone
    today = now.astimezone(zone).date()
    if day is None or day == today:
        return now
    if day > today:
        raise UnfitDay(_("The day can't be in the future."))
    if day.year < FIRST_YEAR:
        raise UnfitDay
    return datetime.combine(day, time.min, zone)


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """Money that came in cash or by transfer, as the cash book or the bank's statement has it."""

    payer: User
    target: Course | Lesson
    amount: Decimal
    method: PaymentMethod
    # Today, if none is named.
    day: date | None = None
    bank_reference: str = ""

    def token(self, key: uuid.UUID) -> uuid.UUID:
        """Of the payment that is made of the same with the same key."""
        who_and_what = (self.payer.pk, self.target._meta.label, self.target.pk)
        money = (self.amount.normalize(), str(self.method), self.day, self.bank_reference)
        return uuid.uuid5(key, repr(who_and_what + money))


@transaction.atomic
def record_payment(
    *,
    received: Received,
    by: User,
    reason: str,
    tell: bool = False,
    anyway: bool = False,
    key: uuid.UUID | None = None,
) -> Payment:
    """Book money that came without an order; the payer has access. The same once more with the same
    `key` is the same payment: a second click books nothing twice.

    Raises NotOffline, UnfitDay, UnfitAmount, OwnPayment, PayerBlocked, AccountErased, TargetDeleted,
    PaidByAnother, OrderWaits; AlreadyOpen for who may learn it without paying, and OnItsWay, unless it
    is to be booked `anyway`."""
    at = received_at(received.day)
    if received.method == PaymentMethod.STRIPE:
        raise NotOffline
    if received.amount <= 0 or not fits_currency(received.amount, settings.CURRENCY):
        raise UnfitAmount
    _require_other(received.payer, by)
    lock_payer(received.payer)
    token = received.token(key or uuid.uuid4())
    if known := Payment.objects.filter(token=token).first():
        return known
    payer = User.objects.get(pk=received.payer.pk)
    if payer.blocked_reason == BlockReason.ERASED:
        raise AccountErased
    if not payer.is_active:
        raise PayerBlocked
    payment = Payment(
        payer=payer,
        amount=received.amount,
        currency=settings.CURRENCY,
        method=received.method,
        bank_reference=received.bank_reference,
        token=token,
        **_locked_target(received.target),
    )
    if paid := Payment.objects.filter(payer=payer).paying_for(received.target).first():
        raise PaidByAnother(paid)
    if waiting := Payment.objects.waiting_like(payment).first():
        raise OrderWaits(waiting)
    if not anyway:
        _require_need(payment, received.target)
    payment.save()
    cause = Cause(source=MoveSource.RECORD, by=by, reason=reason, tell=tell)
    move_locked(payment, to=PaymentStatus.PAID, cause=cause, at=at)
    return payment


def _require_need(payment: Payment, target: Course | Lesson) -> None:
    """Raises AlreadyOpen, OnItsWay: the money may have come for something else."""
    if may_learn(payment.payer, target):
        raise AlreadyOpen
    same = Payment.objects.filter(payer=payment.payer, course=payment.course, lesson=payment.lesson)
    if coming := same.filter(status=PaymentStatus.PROCESSING).first():
        raise OnItsWay(coming)


def _locked_target(target: Course | Lesson) -> dict[str, Course | Lesson | str]:
    """What a payment says of it, as it is now; it stays until the transaction ends."""
    course_id = target.pk if isinstance(target, Course) else target.course_id
    course = Course.objects.filter(pk=course_id).protected_from_deletion().first()
    if isinstance(target, Course):
        if course is not None:
            return {"course": course, "title": course.title}
    elif lesson := Lesson.objects.filter(pk=target.pk, course=course).first():
        return {"lesson": lesson, "title": lesson.title}
    raise TargetDeleted


@transaction.atomic
def confirm_payment(
    *,
    payment: Payment,
    by: User,
    reason: str,
    day: date | None = None,
    bank_reference: str = "",
    tell: bool = False,
    seen: Seen = None,
) -> Payment:
    """Note that the cash or the transfer came, on this `day` of the school's; the learner has
    access. Raises NotOffline, UnfitDay, OwnPayment, IllegalMove, also if somebody else just did it,
    PaidByAnother, TargetDeleted, DecidedMeanwhile."""
    _require_offline(payment)
    at = received_at(day)
    _require_other(payment.payer, by)
    lock_payer(payment.payer)
    payment = lock_payment(payment.pk)
    require_seen_of(payment, seen)
    _require_target(payment)
    same = Payment.objects.filter(
        payer=payment.payer, course=payment.course_id, lesson=payment.lesson_id
    )
    # One whose access a refund or a dispute ended is no obstacle.
    if paid := same.giving_access().exclude(pk=payment.pk).first():
        raise PaidByAnother(paid)
    if bank_reference:
        payment.bank_reference = bank_reference
        payment.save(update_fields=["bank_reference"])
    cause = Cause(source=MoveSource.STAFF, by=by, reason=reason, tell=tell)
    move_locked(payment, to=PaymentStatus.PAID, cause=cause, at=at)
    return payment


@transaction.atomic
def reject_payment(
    *, payment: Payment, by: User, reason: str, tell: bool = False, seen: Seen = None
) -> Payment:
    """Note that the cash or the transfer will not come. Raises NotOffline, IllegalMove, also if
    somebody else just did it, DecidedMeanwhile."""
    _require_offline(payment)
    payment = lock_payment(payment.pk)
    require_seen_of(payment, seen)
    cause = Cause(source=MoveSource.STAFF, by=by, reason=reason, tell=tell)
    move_locked(payment, to=PaymentStatus.FAILED, cause=cause)
    return payment


@transaction.atomic
def accept_amount(
    *, payment: Payment, by: User, reason: str, tell: bool = False, seen: Seen = None
) -> Payment:
    """Take the sum that came for the price, though another was asked for; the learner has access.
    Raises IllegalMove, also if somebody else just decided, TargetDeleted, DecidedMeanwhile."""
    payment = lock_payment(payment.pk)
    require_seen_of(payment, seen)
    _require_target(payment)
    if not payment.awaits_decision:
        raise IllegalMove
    cause = Cause(source=MoveSource.STAFF, by=by, reason=reason, tell=tell)
    book_received(payment, cause)
    move_locked(payment, to=PaymentStatus.PAID, cause=cause)
    return payment


@transaction.atomic
def undo_confirmation(
    *, payment: Payment, by: User, reason: str, tell: bool = False, seen: Seen = None
) -> Payment:
    """Let a payment wait again that was confirmed by mistake: no money came, so none goes back.
    The access ends. Raises NotOffline, IllegalMove, also when some of it was refunded or lost in a
    dispute, TargetDeleted, DecidedMeanwhile."""
    _require_offline(payment)
    payment = lock_payment(payment.pk)
    require_seen_of(payment, seen)
    _require_target(payment)
    if payment.refunds.promised().exists() or payment.disputes.barring_refunds().exists():
        raise IllegalMove
    if payment.bank_reference:
        payment.bank_reference = ""
        payment.save(update_fields=["bank_reference"])
    cause = Cause(source=MoveSource.STAFF, by=by, reason=reason, tell=tell)
    move_locked(payment, to=PaymentStatus.PENDING, cause=cause, back=True)
    return payment


@transaction.atomic
def give_access(*, payment: Payment, by: User, reason: str, tell: bool = False) -> Access:
    """Let the payer learn what the payment is for, whatever becomes of the money: the access does
    not depend on the payment. Raises AlreadyOpen if they have access to it already,
    TargetDeleted."""
    lock_payer(payment.payer)
    target = _require_target(lock_payment(payment.pk))
    if has_access(payment):
        raise AlreadyOpen
    access, _is_new = accesses.grant_access(
        user=payment.payer,
        target=target,
        source=AccessSource.GRANT,
        given_by=by,
        reason=reason,
        tell=tell,
    )
    close_needless_soon(payment.payer)
    return access


def has_access(payment: Payment) -> bool:
    """Whether the payer holds the right to what the payment is for."""
    gives = Q(course=payment.course_id)
    if payment.lesson_id:
        gives = Q(lesson=payment.lesson_id) | Q(course__lessons=payment.lesson_id)
    return Access.objects.held_by(payment.payer).filter(gives).exists()


def _require_other(payer: User, by: User) -> None:
    """Nobody vouches for money of their own: two people know of all that is booked by hand."""
    if payer.pk == by.pk:
        raise OwnPayment


def _require_offline(payment: Payment) -> None:
    if payment.method == PaymentMethod.STRIPE:
        raise NotOffline


def _require_target(payment: Payment) -> Course | Lesson:
    if payment.target is None:
        raise TargetDeleted
    return payment.target
