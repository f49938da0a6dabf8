"""The timeline of a payment: what is kept of it in seven tables, in the order it happened; and beside
it what Stripe sent, word by word."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import prefetch_related_objects
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from lms.models import AccessSource
from payments.mails import mails_about, messages_about
from payments.models import (
    AutomaticReason,
    DisputeStatus,
    MoveSource,
    Payment,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    StripeOutcome,
)
from payments.models.disputes import TO_ANSWER
from people.models import User
from project.common.admin.base import moment_shown
from project.mail.kinds import label_of
from project.mail.models import DeliveryStatus

# Symbol and tone of a move, by where it led.
LOOKS = {
    PaymentStatus.PENDING: ("schedule", ""),
    PaymentStatus.PROCESSING: ("sync", "info"),
    PaymentStatus.PAID: ("check_circle", "success"),
    PaymentStatus.FAILED: ("cancel", "danger"),
    PaymentStatus.EXPIRED: ("timer_off", "danger"),
    PaymentStatus.CANCELLED: ("block", ""),
    PaymentStatus.REFUNDED: ("undo", "warning"),
}
LOOKS_OF_REFUND = {
    RefundStatus.REQUESTED: ("hourglass_top", "info"),
    RefundStatus.SUCCEEDED: ("undo", "warning"),
    RefundStatus.FAILED: ("error", "danger"),
}
LOOKS_OF_DISPUTE = {
    DisputeStatus.WON: ("gavel", "success"),
    DisputeStatus.WARNING_CLOSED: ("gavel", "success"),
    DisputeStatus.PREVENTED: ("gavel", "success"),
}
LOOKS_OF_MAIL = {
    DeliveryStatus.WAITING: ("schedule_send", ""),
    DeliveryStatus.SENT: ("mark_email_read", "success"),
    DeliveryStatus.REFUSED: ("unsubscribe", "danger"),
    DeliveryStatus.PARKED: ("unsubscribe", "danger"),
    DeliveryStatus.PERHAPS: ("contact_support", "warning"),
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that happened: `by` is who or what did it, `tone` one of Unfold's variants."""

    at: datetime
    title: str
    icon: str
    detail: str = ""
    by: str = ""
    tone: str = ""


def timeline(payment: Payment) -> list[Step]:
    """Oldest first. What happened at the same time stays in this order."""
    # Read once: what was mailed of them is asked for, too.
    prefetch_related_objects([payment], "moves__by", "refunds__by", "disputes")
    steps = [
        *_beginning(payment),
        *_moves(payment),
        *_refunds(payment),
        *_disputes(payment),
        *_entries(payment),
        *_accesses(payment),
        *_messages(payment),
        *_mails(payment),
    ]
    return sorted(steps, key=lambda step: step.at)


@dataclass(frozen=True)
class RawEvent:
    at: datetime
    type: str
    outcome: str
    event_id: str


def raw_events(payment: Payment) -> list[RawEvent]:
    """What Stripe sent about it, oldest first. What became of it is told by the timeline."""
    return [
        RawEvent(
            event.received_at, event.type, StripeOutcome.in_words(event.outcome), event.event_id
        )
        for event in payment.events.order_by("received_at", "pk")
    ]


def _beginning(payment: Payment) -> Iterator[Step]:
    """Who ordered or recorded it, and when its money came where the moves don't tell."""
    moves = payment.moves.all()
    recorded = [_name(move.by) for move in moves if move.source == MoveSource.RECORD]
    yield Step(
        at=payment.created_at,
        title=_("Created: %(amount)s, %(method)s")
        % {"amount": payment.shown_asked, "method": payment.get_method_display()},
        icon="add_circle",
        detail=_("Imported as %s") % payment.external_id if payment.external_id else "",
        by="" if payment.external_id else (recorded or [_name(payment.payer)])[0],
    )
    if payment.session_id:
        detail = payment.session_id
        if payment.session_expires_at:
            until = moment_shown(payment.session_expires_at)
            detail = _("%(session)s, open until %(until)s") % {"session": detail, "until": until}
        yield Step(
            at=payment.created_at,
            title=_("Stripe payment page"),
            icon="shopping_cart",
            detail=detail,
        )
    if payment.refused_at:
        yield Step(
            at=payment.refused_at,
            title=_("Stripe refused to make a payment page"),
            icon="error",
            detail=payment.refusal,
            tone="danger",
        )
    if payment.checked_at:
        yield Step(at=payment.checked_at, title=_("Last reply from Stripe"), icon="question_answer")
    if payment.paid_at is None or payment.method == PaymentMethod.STRIPE:
        return
    noted = {localtime(move.created_at).date() for move in moves}
    if payment.bank_reference or localtime(payment.paid_at).date() not in noted:
        yield Step(
            at=payment.paid_at,
            title=_("Paid"),
            icon="check_circle",
            detail=_("Bank reference: %s") % payment.bank_reference
            if payment.bank_reference
            else "",
            tone="success",
        )


def _moves(payment: Payment) -> Iterator[Step]:
    for move in payment.moves.all():
        icon, tone = LOOKS[PaymentStatus(move.to_status)]
        source = move.get_source_display()
        yield Step(
            at=move.created_at,
            title=str(move),
            icon=icon,
            detail=AutomaticReason.in_words(move.reason),
            by=f"{_name(move.by)} ({source})" if move.by else source,
            tone=tone,
        )


def _entries(payment: Payment) -> Iterator[Step]:
    for entry in payment.entries.with_counts_in().order_by("pk"):
        month = date_format(entry.counts_in, "E Y")
        yield Step(
            at=entry.created_at,
            title=_("In the ledger: %(amount)s (%(kind)s) on %(day)s")
            % {
                "amount": entry.shown_amount,
                "kind": entry.get_kind_display(),
                "day": _day(entry.day),
            },
            icon="menu_book",
            detail=_("counts in %s") % month,
        )


def _refunds(payment: Payment) -> Iterator[Step]:
    for refund in payment.refunds.all():
        icon, tone = LOOKS_OF_REFUND[RefundStatus(refund.status)]
        detail = (refund.reason, refund.failure_in_words, refund.refund_id)
        yield Step(
            at=refund.settled_at or refund.created_at,
            title=_("Refund of %(amount)s: %(status)s")
            % {
                "amount": refund.shown_amount,
                "status": refund.get_status_display(),
            },
            icon=icon,
            detail=" · ".join(filter(None, detail)),
            by=_name(refund.by) or (_("Stripe's dashboard") if refund.refund_id else ""),
            tone=tone,
        )


def _disputes(payment: Payment) -> Iterator[Step]:
    for dispute in payment.disputes.all():
        icon, tone = LOOKS_OF_DISPUTE.get(DisputeStatus(dispute.status), ("gavel", "danger"))
        detail = [dispute.reason_in_words, dispute.dispute_id]
        if dispute.status in TO_ANSWER and dispute.evidence_due_by:
            until = moment_shown(dispute.evidence_due_by)
            detail.insert(0, _("evidence is due by %s") % until)
        yield Step(
            at=dispute.told_at,
            title=_("Dispute about %(amount)s: %(status)s")
            % {
                "amount": dispute.shown_amount,
                "status": dispute.get_status_display(),
            },
            icon=icon,
            detail=" · ".join(detail),
            tone=tone,
        )


def _accesses(payment: Payment) -> Iterator[Step]:
    for access in payment.accesses_about().select_related("given_by").order_by("pk"):
        granted = access.source == AccessSource.GRANT
        yield Step(
            at=access.created_at,
            title=_("Access granted by staff") if granted else _("Access granted"),
            icon="key",
            detail=access.reason,
            by=_name(access.given_by),
            tone="success",
        )
        if access.revoked_at:
            yield Step(
                at=access.revoked_at,
                title=_("Access revoked"),
                icon="key_off",
                detail=AutomaticReason.in_words(access.revoked_reason),
                tone="warning",
            )


def _messages(payment: Payment) -> Iterator[Step]:
    for message in messages_about(payment).select_related("sender"):
        yield Step(
            at=message.created_at,
            title=_("Message to the payer: “%s”") % message.subject,
            icon="edit_note",
            detail=message.text,
            by=_name(message.sender),
        )


def _mails(payment: Payment) -> Iterator[Step]:
    """What buyer and staff were told of it; the outbox forgets it after a while."""
    told = mails_about(payment).select_related("mailing", "recipient")
    for delivery in told:
        icon, tone = LOOKS_OF_MAIL.get(DeliveryStatus(delivery.status), ("mail", ""))
        yield Step(
            at=delivery.finished_at or delivery.mailing.created_at,
            title=_("Email “%(kind)s” to %(address)s: %(outcome)s")
            % {
                "kind": label_of(delivery.mailing.kind),
                "address": delivery.recipient.email,
                "outcome": delivery.get_status_display(),
            },
            icon=icon,
            detail=delivery.reason,
            tone=tone,
        )


def _day(day: date) -> str:
    return date_format(day, "DATE_FORMAT")


def _name(person: User | None) -> str:
    return str(person) if person else ""
