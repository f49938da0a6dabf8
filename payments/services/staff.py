"""What staff do with payments: always by a person and for a reason, which the buyer reads if staff `tell`
them."""

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from lms.models import Access, AccessSource, Course, Lesson
from lms.services import accesses
from payments.models import MoveSource, Payment, PaymentMethod, PaymentStatus
from payments.services.purchase import AlreadyPaid, lock_payer
from payments.services.transitions import (
    Cause,
    IllegalMove,
    book_received,
    close_needless_soon,
    lock_payment,
    move_locked,
    move_payment,
)
from people.models import User
from project.common.errors import Conflict


class NotOffline(Conflict):
    code = "not_offline"
    message = _("Only Stripe can confirm or reject this payment. Ask Stripe for its status.")


class AlreadyOpen(Conflict):
    code = "already_open"
    message = _("This person already has access.")


class TargetDeleted(Conflict):
    code = "target_deleted"
    message = _("What this payment is for has been deleted.")


@transaction.atomic
def confirm_payment(*, payment: Payment, by: User, reason: str, tell: bool = False) -> Payment:
    """Note that the cash or the transfer came; the learner has access. Raises NotOffline,
    IllegalMove, also if somebody else just did it, AlreadyPaid if the same thing is paid for by
    another payment, TargetDeleted."""
    _require_offline(payment)
    lock_payer(payment.payer)
    payment = lock_payment(payment.pk)
    _require_target(payment)
    same = Payment.objects.filter(
        payer=payment.payer, course=payment.course_id, lesson=payment.lesson_id
    )
    # One whose access a refund or a dispute ended is no obstacle.
    if same.giving_access().exclude(pk=payment.pk).exists():
        raise AlreadyPaid(_("This person has already paid for this."))
    return _decide(payment, PaymentStatus.PAID, by, reason, tell=tell)


def reject_payment(*, payment: Payment, by: User, reason: str, tell: bool = False) -> Payment:
    """Note that the cash or the transfer will not come. Raises NotOffline, IllegalMove, also if
    somebody else just did it."""
    _require_offline(payment)
    return _decide(payment, PaymentStatus.FAILED, by, reason, tell=tell)


@transaction.atomic
def accept_amount(*, payment: Payment, by: User, reason: str, tell: bool = False) -> Payment:
    """Take the sum that came for the price, though another was asked for; the learner has access.
    Raises IllegalMove, also if somebody else just decided, TargetDeleted."""
    payment = lock_payment(payment.pk)
    _require_target(payment)
    if not payment.awaits_decision:
        raise IllegalMove
    cause = Cause(source=MoveSource.STAFF, by=by, reason=reason, tell=tell)
    book_received(payment, cause)
    move_locked(payment, to=PaymentStatus.PAID, cause=cause)
    return payment


@transaction.atomic
def undo_confirmation(*, payment: Payment, by: User, reason: str, tell: bool = False) -> Payment:
    """Let a payment wait again that was confirmed by mistake: no money came, so none goes back.
    The access ends. Raises NotOffline, IllegalMove, also when some of it was refunded,
    TargetDeleted."""
    _require_offline(payment)
    payment = lock_payment(payment.pk)
    _require_target(payment)
    if payment.refunds.promised().exists():
        raise IllegalMove
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


def _require_offline(payment: Payment) -> None:
    if payment.method == PaymentMethod.STRIPE:
        raise NotOffline


def _require_target(payment: Payment) -> Course | Lesson:
    if payment.target is None:
        raise TargetDeleted
    return payment.target


def _decide(payment: Payment, to: PaymentStatus, by: User, reason: str, *, tell: bool) -> Payment:
    cause = Cause(source=MoveSource.STAFF, by=by, reason=reason, tell=tell)
    moved, is_new = move_payment(payment_id=payment.pk, to=to, cause=cause)
    if not is_new:
        raise IllegalMove
    return moved
