"""Giving money back, and what Stripe says of it (docs/rules.md, 12.9)."""

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.mails import REFUND_FAILED, REFUNDED
from payments.models import (
    AutomaticReason,
    FindingKind,
    MoveSource,
    Payment,
    PaymentMethod,
    PaymentStatus,
    Refund,
    RefundStatus,
    StripeOutcome,
)
from payments.models.refunds import NEVER_MADE, RANKS, RefundQuerySet
from payments.provider import stripe
from payments.provider.types import ProviderRefund, ProviderRefused, ProviderUnavailable
from payments.services import ledger
from payments.services.decisions import require_seen_of
from payments.services.findings import close_findings, note_finding
from payments.services.modes import require_here
from payments.services.not_understood import note_if_understood
from payments.services.transitions import (
    Cause,
    IllegalMove,
    UnfitAmount,
    book_received,
    lock_payment,
    move_locked,
    note_money_came,
    settle_access,
    tell_payer,
)
from people.models import User
from project.common.decisions import Seen
from project.common.errors import Conflict
from project.common.money import EXPONENTS, fits_currency
from project.mail.services import send_to_audience

# Stripe knows a key for a day at least: after that, asking again may make a second refund. Before we
# come near it, the key says what became of a refund; then, whether Stripe lists it.
KEYS_LAST = timedelta(hours=12)
STATUSES = {
    "pending": RefundStatus.REQUESTED,
    "requires_action": RefundStatus.REQUESTED,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}


class TooMuch(Conflict):
    code = "refund_too_high"
    message = _("That is more than what is left of the payment.")


class RefundUnanswered(Conflict):
    code = "refund_unanswered"
    message = _(
        "Stripe has not answered to the last refund of this payment. Ask for the same amount again."
    )


class PaymentDisputed(Conflict):
    code = "payment_disputed"
    message = _("The buyer's bank disputes this payment: it can't be refunded as well.")


def refund_payment(
    *,
    payment: Payment,
    by: User,
    reason: str,
    amount: Decimal | None = None,
    ends_access: bool = False,
    tell: bool = False,
    seen: Seen = None,
) -> Refund:
    """Give money back (at Stripe, or note that it was given by hand): `amount`, or all that is
    left. The access ends when all of it went back, or with this refund if it `ends_access`. The
    buyer reads the reason if staff `tell` them.

    A second call after Stripe did not answer asks for the same refund. Raises IllegalMove for a
    payment that is not paid (another sum than was asked for can be given back before staff
    accept it), MadeElsewhere, PaymentDisputed, TooMuch, RefundUnanswered, UnfitAmount, UnchargeableAmount,
    ProviderError, and DecidedMeanwhile if there is another state than was `seen`.
    """
    if payment.payment_intent_id:
        require_here(payment)
    how = {"ends_access": ends_access, "is_reason_told": tell}
    refund = _note_request(payment.pk, by, reason, amount, seen, **how)
    if refund.created_at < timezone.now() - KEYS_LAST:
        ask_about_refunds(refund.payment, source=MoveSource.STAFF)
        refund.refresh_from_db()
        if refund.failure == NEVER_MADE:
            refund = _note_request(payment.pk, by, reason, amount, None, **how)
    if refund.status == RefundStatus.REQUESTED and not refund.refund_id:
        _ask_for(refund)
        refund.refresh_from_db()
    return refund


@transaction.atomic
def _note_request(
    payment_id: int,
    by: User,
    reason: str,
    amount: Decimal | None,
    seen: Seen,
    *,
    ends_access: bool,
    is_reason_told: bool,
) -> Refund:
    payment = lock_payment(payment_id)
    require_seen_of(payment, seen)
    cause = Cause(source=MoveSource.STAFF, by=by, reason=reason)
    if payment.awaits_decision:
        book_received(payment, cause)
    elif payment.status != PaymentStatus.PAID:
        raise IllegalMove
    if payment.disputes.barring_refunds().exists():
        raise PaymentDisputed
    left = payment.amount - payment.refunds.promised().total()
    unanswered = payment.refunds.unanswered().first()
    if unanswered is not None:
        rest = left + unanswered.amount
        if amount != unanswered.amount and (amount is not None or unanswered.amount < rest):
            raise RefundUnanswered
        unanswered.ends_access = ends_access
        unanswered.by, unanswered.reason, unanswered.is_reason_told = (
            by,
            reason[:200],
            is_reason_told,
        )
        unanswered.save(update_fields=["ends_access", "by", "reason", "is_reason_told"])
        return unanswered
    refund = Refund(
        payment=payment, amount=left if amount is None else amount, by=by, reason=reason[:200],
        ends_access=ends_access, is_reason_told=is_reason_told,
    )  # fmt: skip
    if not 0 < refund.amount <= left:
        raise TooMuch
    if payment.method == PaymentMethod.STRIPE and payment.payment_intent_id:
        # Before the row is there: what Stripe can't be asked for would wait for its answer for ever.
        stripe.to_minor_units(refund.amount, payment.currency)
        refund.save()
        return refund
    # All that is left may be given back, whatever it is; of a currency that nobody knows, any part.
    is_checked = refund.amount != left and payment.currency in EXPONENTS
    if is_checked and not fits_currency(refund.amount, payment.currency):
        raise UnfitAmount
    refund.status, refund.settled_at = RefundStatus.SUCCEEDED, timezone.now()
    refund.save()
    _settle(payment, cause)
    tell_payer(payment, REFUNDED, subject_id=refund.pk, key=str(refund.pk))
    return refund


def _ask_for(refund: Refund) -> None:
    """Have Stripe make the refund: it may have done so before, and its answer was lost."""
    payment = refund.payment
    try:
        answer = stripe.refund(
            payment_intent_id=payment.payment_intent_id,
            amount=refund.amount,
            currency=payment.currency,
            payment_id=str(payment.token),
            refund_token=str(refund.token),
        )
    except ProviderRefused as error:
        # It may have been made before, or another one in Stripe's dashboard.
        with suppress(ProviderRefused):
            ask_about_refunds(payment, source=MoveSource.STAFF)
        has_failed = _fail(refund, error.reason)
        payment.refresh_from_db()
        if has_failed and payment.status != PaymentStatus.REFUNDED:
            raise
    except ProviderUnavailable as error:
        if error.needs_new_key:
            _name_anew(refund)
        raise
    else:
        apply_refund(payment_id=payment.pk, refund=answer, source=MoveSource.STAFF)
        if STATUSES.get(answer.status) == RefundStatus.FAILED:
            raise ProviderRefused(answer.failure)


@transaction.atomic
def _fail(refund: Refund, failure: str) -> bool:
    """Note that it was never made, unless we have heard of it meanwhile."""
    payment = lock_payment(refund.payment_id)
    _close_unanswered(refund)
    return bool(_give_up(payment.refunds.filter(pk=refund.pk), failure))


def _give_up(refunds: RefundQuerySet, failure: str) -> int:
    return refunds.unanswered().update(
        status=RefundStatus.FAILED, failure=failure[:100] or "refused", settled_at=timezone.now()
    )


def _name_anew(refund: Refund) -> None:
    """Stripe answers the token with an old failure for at least a day; whether it made the refund
    is what the list of them says."""
    ask_about_refunds(refund.payment, source=MoveSource.STAFF)
    Refund.objects.unanswered().filter(pk=refund.pk).update(token=uuid4())


def ask_about_refunds(payment: Payment, *, source: MoveSource) -> None:
    """Take down what Stripe says of all refunds of the payment, and give up what we asked for long
    ago and Stripe does not list. Raises MadeElsewhere, ProviderError."""
    require_here(payment)
    forgotten = timezone.now() - KEYS_LAST
    told = stripe.list_refunds(payment.payment_intent_id)
    # What failed makes room for the one that took its place.
    for refund in sorted(
        told, key=lambda refund: STATUSES.get(refund.status) != RefundStatus.FAILED
    ):
        apply_refund(payment_id=payment.pk, refund=refund, source=source)
    for never_made in payment.refunds.unanswered().filter(created_at__lt=forgotten):
        if payment.session_id:
            # Where the payment is unknown, nobody can say so.
            stripe.retrieve_session(payment.session_id)
        _fail(never_made, NEVER_MADE)


@transaction.atomic
def apply_refund(
    *,
    payment_id: int,
    refund: ProviderRefund,
    source: MoveSource,
    told_at: datetime | None = None,
) -> str:
    """Take what Stripe says of a refund for a fact, whoever asked for it. One that comes before
    we heard of the money itself tells of that, too. `told_at` is when Stripe said so, now if not
    given. Returns what came of it (StripeOutcome)."""
    payment = lock_payment(payment_id)
    # Whatever Stripe calls otherwise is not settled yet.
    to = STATUSES.get(refund.status, RefundStatus.REQUESTED)
    ours = _known(payment, refund) or _new(payment, refund, to)
    is_understood = ours is not None and refund.status in STATUSES
    note_if_understood("refund", refund, payment, is_understood=is_understood)
    if ours is None:
        return StripeOutcome.AMOUNT_DIFFERS
    if not ours.refund_id or to != RefundStatus.REQUESTED:
        _close_unanswered(ours)
    if ours.pk and not ours.is_given_up and RANKS[to] <= RANKS[RefundStatus(ours.status)]:
        ours.refund_id = refund.id
        ours.save(update_fields=["refund_id"])
        return StripeOutcome.UNMOVED.about(ours.status)
    cause = Cause(source=source, by=ours.by, reason=ours.reason)
    if to == RefundStatus.FAILED or not ours.reason:
        # That it failed is nobody's wish.
        cause = Cause(source=source, reason=AutomaticReason.REFUND.about(refund.id, to))
    note_money_came(payment, cause=cause, at=refund.created)
    ours.refund_id, ours.status, ours.failure = refund.id, to, refund.failure[:100]
    ours.settled_at = None if to == RefundStatus.REQUESTED else timezone.now()
    if to == RefundStatus.SUCCEEDED:
        # What we hear of late was given in time. That one failed counts from when we know of it: what
        # was given back before takes no other's place.
        heard_of = ours.settled_at if ours.pk else refund.created
        ours.settled_at = told_at or heard_of
    ours.save()
    _settle(payment, cause)
    if to == RefundStatus.SUCCEEDED:
        tell_payer(payment, REFUNDED, subject_id=ours.pk, key=str(ours.pk))
    _tell_failure(ours)
    return StripeOutcome.REFUND.about(to)


def _close_unanswered(refund: Refund) -> None:
    unanswered = FindingKind.REFUND_UNANSWERED
    findings = refund.payment.findings.filter(kind=unanswered, reference=refund.reference)
    close_findings(findings)


def facts_of_failure(refund: Refund) -> dict[str, Any]:
    """What the finding about a refund that failed has to say."""
    return {
        "amount": [str(refund.amount), refund.payment.currency],
        "reason": refund.failure,
    }


def _tell_failure(refund: Refund) -> None:
    """A person has to bring the money to the buyer, unless a later refund does."""
    failed = FindingKind.REFUND_FAILED
    if refund.status != RefundStatus.FAILED:
        waiting = Refund.objects.failed_for_good().filter(payment=refund.payment_id)
        references = [one.reference for one in waiting]
        findings = refund.payment.findings.filter(kind=failed)
        close_findings(findings.exclude(reference__in=references))
    elif Refund.objects.failed_for_good().filter(pk=refund.pk).exists():
        note_finding(
            kind=failed,
            reference=refund.reference,
            payment_id=refund.payment_id,
            params=facts_of_failure(refund),
        )
        send_to_audience(REFUND_FAILED, refund.pk, title=refund.payment.title)


def _known(payment: Payment, refund: ProviderRefund) -> Refund | None:
    names = Q(refund_id=refund.id) | Q(token=_uuid(refund.refund_token), refund_id="")
    # One of before refunds had rows has no name.
    nameless = Q(refund_id="", status=RefundStatus.SUCCEEDED, amount=refund.amount)
    return payment.refunds.filter(names).first() or payment.refunds.filter(nameless).first()


def _new(payment: Payment, refund: ProviderRefund, to: RefundStatus) -> Refund | None:
    """A row for it; None for an amount that the payment can't have. Of one without an answer nobody
    knows whether it was made; this one was. One that failed took nothing away."""
    left, currency = payment.taken
    if to != RefundStatus.FAILED:
        left -= payment.refunds.promised().answered().total()
    if refund.amount is None or not 0 < refund.amount <= left or refund.currency != currency:
        return None
    return Refund(payment=payment, amount=refund.amount, created_at=refund.created)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _settle(payment: Payment, cause: Cause) -> None:
    """Make the payment's state, its sum and its access follow from its refunds."""
    succeeded = payment.refunds.filter(status=RefundStatus.SUCCEEDED)
    payment.refunded_amount = succeeded.total()
    to = PaymentStatus.PAID if payment.left_amount else PaymentStatus.REFUNDED
    if to == PaymentStatus.REFUNDED and payment.payment_intent_id:
        _give_up(payment.refunds.all(), "charge_already_refunded")
    if payment.status != to:
        move_locked(payment, to=to, cause=cause, back=to == PaymentStatus.PAID)
    else:
        payment.save(update_fields=["refunded_amount"])
        ledger.post(payment)
        settle_access(payment, cause)
