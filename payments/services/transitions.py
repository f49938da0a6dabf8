"""The one way in which a payment moves: with its history, and with the access it gives or takes
(docs/rules.md, 12.5 to 12.7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models import AccessSource
from lms.services import accesses
from payments.mails import (
    ACCESS_TAKEN,
    FAILED,
    RECEIVED,
    REJECTED,
    REOPENED,
    PaymentReceivedMail,
)
from payments.models import (
    Dispute,
    DisputeStatus,
    FindingKind,
    MoveSource,
    Payment,
    PaymentMove,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from payments.models.payment import reference_of
from payments.services import ledger
from payments.services.findings import close_findings, note_finding, settle_finding
from people.models import User
from project.common.background.queue import enqueue
from project.common.db.bulk import insert_rows, reserve_ids
from project.common.db.searched import normalised
from project.common.errors import Conflict
from project.mail.services import send_to_one, withdraw

# What buyers hear of only if staff want them to.
TOLD_BY_STAFF = {PaymentStatus.FAILED: REJECTED, PaymentStatus.PENDING: REOPENED}
CLOSE_PAGES = "payments.tasks.close_needless_pages"


class IllegalMove(Conflict):
    code = "illegal_move"
    message = _("A payment in this state can't change to that state.")


class UnfitAmount(Conflict):
    code = "unfit_amount"
    message = _("There is no such amount in this currency.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Who or what moves a payment, and why: what its history will tell, and the buyer, if staff
    `tell` them."""

    source: MoveSource
    by: User | None = None
    reason: str = ""
    tell: bool = False


def lock_payment(payment_id: int) -> Payment:
    """Return the payment as it is now, locked until the transaction ends."""
    return Payment.objects.select_for_update(of=("self",)).get(pk=payment_id)


@transaction.atomic
def post_again(payment_id: int) -> None:
    """Post what is not in the ledger of what the payment's rows say."""
    ledger.post(lock_payment(payment_id))


@transaction.atomic
def move_payment(
    *, payment_id: int, to: PaymentStatus, cause: Cause, at: datetime | None = None
) -> tuple[Payment, bool]:
    """Move a payment, write down why, and give or take what it paid for, all or nothing. Returns
    the payment and whether it moved: the same fact twice changes nothing. `at` is when the money
    came, now if not given. Raises IllegalMove."""
    payment = lock_payment(payment_id)
    if payment.status == to:
        return payment, False
    move_locked(payment, to=to, cause=cause, at=at)
    return payment, True


def move_locked(
    payment: Payment,
    *,
    to: PaymentStatus,
    cause: Cause,
    at: datetime | None = None,
    back: bool = False,
    settles: bool = True,
) -> None:
    """Do so with a payment that `lock_payment` returned, in the same transaction. `back` undoes a
    move (MOVES_BACK). Unless it `settles`, the caller does (`settle_access`), once it has written
    down what else it knows."""
    came_from = PaymentStatus(payment.status)
    if not (payment.can_move_back(to) if back else payment.can_move(to)):
        raise IllegalMove
    move = PaymentMove.objects.create(
        payment=payment,
        from_status=came_from,
        to_status=to,
        source=cause.source,
        by=cause.by,
        reason=cause.reason[:200],
        is_reason_told=cause.tell,
    )
    payment.status = to
    if to == PaymentStatus.PENDING:
        payment.paid_at = None
        for earlier in payment.moves.filter(to_status=PaymentStatus.PAID):
            withdraw(RECEIVED, f"move:{earlier.pk}", reason=PaymentReceivedMail.outdated)
    elif to == PaymentStatus.PAID:
        payment.paid_at = payment.paid_at or at or timezone.now()
    payment.save(update_fields=["status", "paid_at", "refunded_amount"])
    if PaymentStatus.PAID in {came_from, to}:
        ledger.post(payment)
        if settles:
            settle_access(payment, cause)
    if to == PaymentStatus.PAID and not back:
        # Confirmed once more after a mistake, it is news again.
        tell_payer(payment, RECEIVED, key=f"move:{move.pk}")
        close_needless_soon(payment.payer)
    if (came_from, to) == (PaymentStatus.PROCESSING, PaymentStatus.FAILED):
        tell_payer(payment, FAILED, key=str(payment.pk))
    if cause.tell and to in TOLD_BY_STAFF:
        tell_payer(payment, TOLD_BY_STAFF[to], subject_id=move.pk, key=str(move.pk))


def close_needless_soon(payer: User) -> None:
    """Have the worker close what this person has no reason to pay for any more."""
    if Payment.objects.filter(payer=payer).needless().exists():
        enqueue(CLOSE_PAGES)


def tell_payer(
    payment: Payment, kind: str, *, subject_id: int | None = None, key: str = ""
) -> None:
    """Send the buyer a mail about the payment, or about what `subject_id` is the number of."""
    subject_id = subject_id or payment.pk
    send_to_one(kind, payment.payer, subject_id=subject_id, key=key, title=payment.title)


def book_received(payment: Payment, cause: Cause) -> None:
    """Let a payment that `awaits_decision` be of the sum that came, as a person decided or a fact
    says."""
    payment.book_received()
    findings = payment.findings.open().filter(kind=FindingKind.AMOUNT_DIFFERS)
    if cause.by is None:
        close_findings(findings)
        return
    for finding in findings:
        settle_finding(finding=finding, by=cause.by, reason=cause.reason)


def note_money_came(payment: Payment, *, cause: Cause, at: datetime) -> None:
    """Let a payment be paid because of a fact that there is only after the money (a refund, a
    dispute): events come in any order. Its sum is the one that came. The caller settles the access:
    the fact may take it at once, and then it was never given."""
    if payment.awaits_decision:
        book_received(payment, cause)
    if payment.status not in {PaymentStatus.PAID, PaymentStatus.REFUNDED}:
        move_locked(payment, to=PaymentStatus.PAID, cause=cause, at=at, settles=False)


def settle_access(payment: Payment, cause: Cause) -> None:
    """Give what the payment pays for, or take it, and nothing else, as its rows say now."""
    if Payment.objects.owing_access().filter(pk=payment.pk).exists():
        target = payment.target
        if target is None:
            note_finding(
                kind=FindingKind.PAID_FOR_DELETED,
                reference=payment.reference,
                payment_id=payment.pk,
                params={},
            )
            return
        accesses.grant_access(
            user=payment.payer,
            target=target,
            source=AccessSource.PAYMENT,
            reference=payment.reference,
            given_by=cause.by,
        )
        return
    taken = accesses.revoke_access(reference=payment.reference, reason=cause.reason[:200])
    # A confirmation that staff undo took nothing that was paid for.
    if taken and payment.status != PaymentStatus.PENDING:
        tell_payer(payment, ACCESS_TAKEN)


PENDING = PaymentStatus.PENDING.value
# The steps that lead from there to a state, where it is not one.
STEPS = {PENDING: [], PaymentStatus.REFUNDED: [PaymentStatus.PAID, PaymentStatus.REFUNDED]}


class MovedBack(NamedTuple):
    """Money that left a payment of another book: a refund, or what was lost in a dispute."""

    amount: Decimal
    at: datetime
    ends_access: bool = False


class NewPayment(NamedTuple):
    """A payment that comes into the book as it stands in another one; without a course and a lesson if
    what it was for was deleted."""

    payer_id: int
    course_id: int | None
    lesson_id: int | None
    title: str
    amount: Decimal
    currency: str
    method: str
    status: str
    paid_at: datetime | None
    created_at: datetime
    external_id: str
    bank_reference: str = ""
    # No columns of the payment.
    refunds: Sequence[MovedBack] = ()
    disputes: Sequence[MovedBack] = ()

    @property
    def refunded_amount(self) -> Decimal:
        return sum((refund.amount for refund in self.refunds), Decimal(0))

    @property
    def gives_access(self) -> bool:
        has_ended = self.disputes or any(refund.ends_access for refund in self.refunds)
        has_target = self.course_id is not None or self.lesson_id is not None
        return self.status == PaymentStatus.PAID and has_target and not has_ended


PAYMENT_COLUMNS = NewPayment._fields[:-2]


@transaction.atomic
def insert_payments(*, payments: Sequence[NewPayment], cause: Cause) -> None:
    """Put new payments into the book as they stand, with the history that leads there and the
    access of those that are paid: what `move_payment` does, for many at once and without mail."""
    ids = reserve_ids(Payment, len(payments))
    numbered = list(zip(ids, payments, strict=True))
    insert_rows(
        Payment,
        ("id", "refunded_amount", "searched", *PAYMENT_COLUMNS),
        (
            (number, payment.refunded_amount, normalised(payment.title), *payment[:-2])
            for number, payment in numbered
        ),
    )
    by_id = cause.by.pk if cause.by else None
    now = timezone.now()
    why = (cause.reason[:200], by_id)
    how = (cause.source, by_id, cause.reason[:200], now)
    insert_rows(
        PaymentMove,
        ("payment_id", "from_status", "to_status", "source", "by_id", "reason", "created_at"),
        (
            (number, *step, *how)
            for number, payment in numbered
            for step in pairwise([PENDING, *STEPS.get(payment.status, [payment.status])])
        ),
    )
    refunds = [
        (
            number,
            refund.amount,
            RefundStatus.SUCCEEDED,
            refund.ends_access,
            refund.at,
            refund.at,
            *why,
        )
        for number, payment in numbered
        for refund in payment.refunds
    ]
    if refunds:
        columns = ("payment_id", "amount", "status", "ends_access", "created_at", "settled_at")
        insert_rows(Refund, (*columns, "reason", "by_id"), refunds)
    lost = ("general", DisputeStatus.LOST)
    disputes = [
        (
            number,
            f"imported:{payment.external_id}:{place}",
            dispute.amount,
            payment.currency,
            dispute.at,
            dispute.at,
            *lost,
        )
        for number, payment in numbered
        for place, dispute in enumerate(payment.disputes, start=1)
    ]
    if disputes:
        columns = ("payment_id", "dispute_id", "amount", "currency", "created_at", "told_at")
        insert_rows(Dispute, (*columns, "reason", "status"), disputes)
    if ids:
        ledger.post_new(ids)
    accesses.grant_new_access(
        accesses=(
            accesses.NewAccess(
                user_id=payment.payer_id,
                course_id=payment.course_id,
                lesson_id=payment.lesson_id,
                source=AccessSource.PAYMENT,
                reference=reference_of(number),
                given_by_id=by_id,
                created_at=payment.paid_at or payment.created_at,
            )
            for number, payment in numbered
            if payment.gives_access
        )
    )
