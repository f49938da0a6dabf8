"""What Stripe says becomes true here: from its events, from its answers, in any order."""

import logging
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from payments.models import (
    AutomaticReason,
    MoveSource,
    Payment,
    PaymentMethod,
    PaymentStatus,
    StripeEvent,
    StripeOutcome,
)
from payments.provider import stripe
from payments.provider.types import Charge, Event, Session
from payments.services.transitions import Cause, lock_payment, move_payment

logger = logging.getLogger(__name__)

PAID = frozenset({"paid", "no_payment_required"})


def status_of(session: Session) -> PaymentStatus:
    """What a session says of its payment. Money is told by `payment_status` alone: a session that
    is complete and unpaid has its money still on the way, or lost it there."""
    if session.payment_status in PAID:
        return PaymentStatus.PAID
    if session.payment_failed:
        return PaymentStatus.FAILED
    if session.status == "complete":
        return PaymentStatus.PROCESSING
    return PaymentStatus.EXPIRED if session.status == "expired" else PaymentStatus.PENDING


def contradiction_of(payment: Payment, session: Session) -> StripeOutcome | None:
    """Why a session is not taken for a fact about the payment; None if it is."""
    if session.client_reference_id != str(payment.token):
        return StripeOutcome.OTHER_PAYMENT
    if payment.session_id and payment.session_id != session.id:
        return StripeOutcome.OTHER_SESSION
    if (session.amount, session.currency) != (payment.amount, payment.currency):
        return StripeOutcome.AMOUNT_DIFFERS
    return None


@transaction.atomic
def apply_session(*, payment_id: int, session: Session, source: MoveSource) -> str:
    """Take what a session says for a fact, if it is about this payment, and move the payment
    forward. Returns what came of it (StripeOutcome); never raises for what Stripe said."""
    payment = lock_payment(payment_id)
    contradiction = contradiction_of(payment, session)
    if contradiction is not None:
        logger.error(
            "Payment %s and session %s disagree: %s", payment.pk, session.id, contradiction
        )
        return contradiction
    remember_session(payment, session)
    to = status_of(session)
    if payment.status != to and not payment.can_move(to):
        return StripeOutcome.UNMOVED.about(payment.status)
    reason = AutomaticReason.SESSION.about(session.status, session.payment_status)
    cause = Cause(source=source, reason=reason)
    _payment, moved = move_payment(payment_id=payment.pk, to=to, cause=cause)
    return (StripeOutcome.MOVED if moved else StripeOutcome.UNMOVED).about(to)


def remember_session(payment: Payment, session: Session) -> None:
    """Keep the page, and what later events will name the payment by."""
    payment.session_id = session.id
    payment.session_url = session.url or payment.session_url
    payment.session_expires_at = session.expires_at
    payment.payment_intent_id = session.payment_intent_id or payment.payment_intent_id
    payment.checked_at = timezone.now()
    fields = ["session_id", "session_url", "session_expires_at", "payment_intent_id", "checked_at"]
    payment.save(update_fields=fields)


def receive_event(raw_body: bytes, signature: str) -> None:
    """Deal with an event of Stripe's, once: what it changes and that it came are one transaction,
    so that after a failure Stripe's next try finds nothing half done. An event that is unknown, or
    about a payment that is not ours, is noted only. Raises InvalidSignature, InvalidEvent."""
    event = stripe.parse_event(raw_body, signature)
    with transaction.atomic():
        record, is_new = StripeEvent.objects.get_or_create(
            event_id=event.id,
            defaults={"type": event.type[:100], "happened_at": event.created},
        )
        if not is_new:
            return
        record.payment = payment = _payment_of(event)
        record.outcome = _apply_event(event, payment) if payment else StripeOutcome.NOT_OURS
        record.save(update_fields=["payment", "outcome"])
    logger.info("Event %s (%s): %s", event.id, event.type, record.outcome)


def _payment_of(event: Event) -> Payment | None:
    """The payment that an event is about, by any of the names that Stripe may know it by."""
    names = Q(pk=None)
    if event.session:
        names = Q(session_id=event.session.id) | _token(event.session.client_reference_id)
    elif event.charge:
        names = _intent(event.charge.payment_intent_id) | _token(event.charge.payment_id)
    elif event.refund:
        names = _intent(event.refund.payment_intent_id)
    return Payment.objects.filter(names, method=PaymentMethod.STRIPE).first()


def _token(text: str | None) -> Q:
    try:
        return Q(token=UUID(text or ""))
    except ValueError:
        return Q(pk=None)


def _intent(identifier: str | None) -> Q:
    return Q(payment_intent_id=identifier) if identifier else Q(pk=None)


def _apply_event(event: Event, payment: Payment) -> str:
    if event.session:
        return apply_session(
            payment_id=payment.pk, session=event.session, source=MoveSource.WEBHOOK
        )
    if event.charge:
        return apply_charge(payment_id=payment.pk, charge=event.charge, source=MoveSource.WEBHOOK)
    if event.refund:
        # These say that something is under way; `charge.refunded` says that it is done.
        if event.refund.status == "failed":
            logger.error("Refund %s failed at Stripe", event.refund.id)
        return StripeOutcome.REFUND.about(event.refund.status)
    return StripeOutcome.OTHER_TYPE


@transaction.atomic
def apply_charge(*, payment_id: int, charge: Charge, source: MoveSource) -> str:
    """Take back the access of a payment whose money was all given back. It may come before we
    heard of the money itself: then it is paid and refunded in one go."""
    payment = lock_payment(payment_id)
    if (charge.amount, charge.currency) != (payment.amount, payment.currency):
        logger.error("Payment %s and charge %s disagree on the amount", payment.pk, charge.id)
        return StripeOutcome.AMOUNT_DIFFERS
    if not charge.refunded:
        return StripeOutcome.PARTLY_REFUNDED
    if payment.status == PaymentStatus.REFUNDED:
        return StripeOutcome.UNMOVED.about(PaymentStatus.REFUNDED)
    cause = Cause(source=source, reason=AutomaticReason.CHARGE_REFUNDED.about(charge.id))
    if payment.status != PaymentStatus.PAID:
        move_payment(payment_id=payment.pk, to=PaymentStatus.PAID, cause=cause)
    move_payment(payment_id=payment.pk, to=PaymentStatus.REFUNDED, cause=cause)
    return StripeOutcome.MOVED.about(PaymentStatus.REFUNDED)
