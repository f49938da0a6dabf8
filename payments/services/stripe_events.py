"""What Stripe says becomes true here: from its events, from its answers, in any order."""

import logging
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Min, Q
from django.utils import timezone

from payments.mails import AMOUNT_DIFFERS
from payments.models import (
    AutomaticReason,
    FindingKind,
    MoveSource,
    Payment,
    PaymentMethod,
    PaymentStatus,
    StripeEvent,
    StripeOutcome,
)
from payments.provider import stripe
from payments.provider.types import Charge, Event, InvalidEvent, Session
from payments.services.disputes import apply_dispute
from payments.services.findings import close_findings, note_finding
from payments.services.modes import note_events_wait
from payments.services.not_understood import note_not_understood, note_understood
from payments.services.refunds import apply_refund
from payments.services.transitions import Cause, lock_payment, move_locked, move_payment
from project.common.background.queue import enqueue
from project.mail.services import send_to_audience

logger = logging.getLogger(__name__)

CATCH_UP = "payments.tasks.catch_up_with_stripe"
ASK_ABOUT_REFUNDS = "payments.tasks.ask_about_refunds"
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
def apply_session(
    *,
    payment_id: int,
    session: Session,
    source: MoveSource,
    told_at: datetime | None = None,
) -> str:
    """Take what a session says for a fact, if it is about this payment, and move the payment
    forward. `told_at` is when Stripe said so, now if not given. Returns what came of it (StripeOutcome); never raises for what Stripe said."""
    payment = lock_payment(payment_id)
    contradiction = contradiction_of(payment, session)
    if contradiction is not None:
        logger.error(
            "Payment %s and session %s disagree: %s", payment.pk, session.id, contradiction
        )
        if contradiction == StripeOutcome.AMOUNT_DIFFERS and session.payment_status == "paid":
            if payment.can_move(PaymentStatus.PAID):
                remember_session(payment, session)
            _keep_other_sum(payment, session.amount, session.currency, source)
        return contradiction
    remember_session(payment, session)
    to = status_of(session)
    on_its_way = payment.findings.filter(
        kind=FindingKind.STRIPE_SAYS_OTHERWISE, params__theirs=PaymentStatus.PROCESSING
    )
    if to != PaymentStatus.PROCESSING:
        close_findings(on_its_way)
    if payment.status != to and not payment.can_move(to):
        return StripeOutcome.UNMOVED.about(payment.status)
    reason = AutomaticReason.SESSION.about(session.status, session.payment_status)
    cause = Cause(source=source, reason=reason)
    if payment.status != to and to == PaymentStatus.PROCESSING:
        if _begin_processing(payment, cause):
            return StripeOutcome.MOVED.about(to)
        # If it comes, it counts; until then there can't be two that are open.
        note_finding(
            kind=FindingKind.STRIPE_SAYS_OTHERWISE,
            reference=payment.reference,
            payment_id=payment.pk,
            params={"ours": payment.status, "theirs": to.value},
        )
        return StripeOutcome.UNMOVED.about(payment.status)
    _payment, moved = move_payment(
        payment_id=payment.pk, to=to, cause=cause, at=session.paid_at or told_at
    )
    return (StripeOutcome.MOVED if moved else StripeOutcome.UNMOVED).about(to)


def _begin_processing(payment: Payment, cause: Cause) -> bool:
    """Note that the money is on its way, unless another order for the same is open at Stripe, where
    there is one at the most. Returns whether it was noted."""
    others = Payment.objects.waiting_like(payment).exclude(pk=payment.pk)
    if payment.has_target and others.exists():
        return False
    try:
        with transaction.atomic():
            move_locked(payment, to=PaymentStatus.PROCESSING, cause=cause)
    except IntegrityError:
        # The other one was placed this very moment.
        payment.refresh_from_db()
        return False
    return True


def _keep_other_sum(
    payment: Payment, amount: Decimal | None, currency: str | None, source: MoveSource
) -> None:
    """Money came, and another sum than was asked for: the buyer can't pay again, and staff see both
    sums at once and decide. None stands for a currency that we can't count in."""
    ours = [str(payment.amount), payment.currency]
    theirs = None if amount is None or currency is None else [str(amount), currency]
    note_finding(
        kind=FindingKind.AMOUNT_DIFFERS,
        reference=payment.reference,
        payment_id=payment.pk,
        params={"ours": ours, "theirs": theirs},
    )
    if not payment.can_move(PaymentStatus.PAID):
        return
    if amount is not None and currency is not None:
        payment.received_amount, payment.received_currency = amount, currency
        payment.save(update_fields=["received_amount", "received_currency"])
        send_to_audience(AMOUNT_DIFFERS, payment.pk, title=payment.title)
    if payment.can_move(PaymentStatus.PROCESSING):
        reason = AutomaticReason.OTHER_SUM.about(" ".join(theirs or ["?"]), " ".join(ours))
        _begin_processing(payment, Cause(source=source, reason=reason))


def remember_session(payment: Payment, session: Session) -> None:
    """Keep the page and where it is, and what later events will name the payment by."""
    if not payment.session_id:
        here = stripe.known_account()
        payment.livemode, payment.account_id = here.livemode, here.id
    payment.session_id = session.id
    payment.session_url = session.url or payment.session_url
    payment.session_expires_at = session.expires_at
    payment.checked_at = timezone.now()
    payment.save(
        update_fields=[
            "session_id", "session_url", "session_expires_at", "checked_at", "livemode", "account_id",
        ]
    )  # fmt: skip
    _remember_intent(payment, session.payment_intent_id)


def _remember_intent(payment: Payment, intent_id: str | None) -> None:
    """What was told of this intent before we knew it is read again, by the worker."""
    if intent_id and intent_id != payment.payment_intent_id:
        payment.payment_intent_id = intent_id
        payment.save(update_fields=["payment_intent_id"])
        told_before = StripeEvent.objects.filter(intent_id=intent_id)
        first = told_before.aggregate(at=Min("happened_at"))["at"]
        if first is not None:
            told_before.delete()
            enqueue(CATCH_UP, int(first.timestamp()))


def receive_event(raw_body: bytes, signature: str) -> None:
    """Deal with an event that Stripe sent, and note if its webhook is set up for another version,
    for thin events, or for the mode that our key is not of. Raises InvalidSignature; InvalidEvent,
    also for one that is noted as not understood: Stripe will send it again."""
    event = stripe.parse_event(raw_body, signature)
    ours = stripe.own_version()
    if event.is_thin or event.api_version not in {"", ours}:
        reference = "webhook:thin" if event.is_thin else "webhook:version"
        versions = {"theirs": event.api_version, "ours": ours}
        params = {"as": "thin_events"} if event.is_thin else versions
        note_finding(kind=FindingKind.WEBHOOK_DIFFERS, reference=reference, params=params)
    if event.livemode != stripe.known_account().livemode:
        # Not dealt with: it is still to be found once the key is of its mode.
        note_events_wait(livemode=event.livemode)
        return
    if event.is_unreadable:
        note_unreadable(event)
        raise InvalidEvent
    apply_event(event, source=MoveSource.WEBHOOK)


def note_unreadable(event: Event) -> None:
    """Have staff look at what it is about, until it can be read."""
    if not StripeEvent.objects.filter(event_id=event.id).exists():
        note_not_understood(event.id, type=event.type)


@transaction.atomic
def apply_event(event: Event, *, source: MoveSource) -> bool:
    """Deal with an event once: what it changes and that it came are one transaction, so that after
    a failure the next try finds nothing half done. An event that is unknown, or about a payment
    that is not ours, is noted only. Returns False if it was dealt with before."""
    record, is_new = StripeEvent.objects.get_or_create(
        event_id=event.id, defaults={"type": event.type[:100], "happened_at": event.created}
    )
    if not is_new:
        return False
    note_understood(event.id)
    record.payment = payment = _payment_of(event)
    if event.is_thin:
        record.outcome = StripeOutcome.THIN
    elif payment is None:
        record.outcome, record.intent_id = StripeOutcome.NOT_OURS, event.payment_intent_id or ""
    else:
        record.outcome = _outcome_of(event, payment, source)
    record.save(update_fields=["payment", "outcome", "intent_id"])
    logger.info("Event %s (%s): %s", event.id, event.type, record.outcome)
    return True


def _payment_of(event: Event) -> Payment | None:
    """The payment that an event is about, by any of the names that Stripe may know it by."""
    names = Q(pk=None)
    if event.session:
        names = Q(session_id=event.session.id) | _token(event.session.client_reference_id)
    elif event.charge:
        names = _intent(event.charge.payment_intent_id) | _token(event.charge.payment_id)
    elif event.refund:
        names = _intent(event.refund.payment_intent_id) | _token(event.refund.payment_id)
    elif event.dispute:
        names = _intent(event.dispute.payment_intent_id)
    return Payment.objects.filter(names, method=PaymentMethod.STRIPE).first()


def _token(text: str | None) -> Q:
    try:
        return Q(token=UUID(text or ""))
    except ValueError:
        return Q(pk=None)


def _intent(identifier: str | None) -> Q:
    return Q(payment_intent_id=identifier) if identifier else Q(pk=None)


def _outcome_of(event: Event, payment: Payment, source: MoveSource) -> str:
    if event.session:
        return apply_session(
            payment_id=payment.pk, session=event.session, source=source, told_at=event.created
        )
    if event.charge:
        return _look_at_charge(payment, event.charge, source)
    if event.refund:
        if not payment.payment_intent_id:
            _remember_intent(lock_payment(payment.pk), event.refund.payment_intent_id)
        outcome = apply_refund(
            payment_id=payment.pk, refund=event.refund, source=source, told_at=event.created
        )
        if outcome == StripeOutcome.AMOUNT_DIFFERS and payment.payment_intent_id:
            # Another one may have failed, and this one took its place.
            enqueue(ASK_ABOUT_REFUNDS, payment.pk)
        return outcome
    if event.dispute:
        return apply_dispute(
            payment_id=payment.pk, dispute=event.dispute, source=source, told_at=event.created
        )
    return StripeOutcome.OTHER_TYPE


def _look_at_charge(payment: Payment, charge: Charge, source: MoveSource) -> str:
    """A charge says only that some of its money is on its way back: the worker asks which refunds
    there are, and each of them says that the money came."""
    payment = lock_payment(payment.pk)
    _remember_intent(payment, charge.payment_intent_id)
    if (charge.amount, charge.currency) != payment.taken:
        logger.error("Payment %s and charge %s disagree on the amount", payment.pk, charge.id)
        _keep_other_sum(payment, charge.amount, charge.currency, source)
        if (charge.amount, charge.currency) != payment.taken:
            return StripeOutcome.AMOUNT_DIFFERS
    if charge.amount_refunded == payment.refunds.promised().total():
        return StripeOutcome.UNMOVED.about(payment.status)
    enqueue(ASK_ABOUT_REFUNDS, payment.pk)
    return StripeOutcome.ASKED
