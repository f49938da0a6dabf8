"""What Stripe says of disputes (docs/rules.md, 12.20)."""

from datetime import datetime

from django.db import transaction

from payments.mails import DISPUTE_OPENED
from payments.models import (
    AutomaticReason,
    Dispute,
    DisputeStatus,
    MoveSource,
    StripeOutcome,
)
from payments.models.disputes import OPEN
from payments.provider.types import ProviderDispute
from payments.services import ledger
from payments.services.not_understood import note_if_understood
from payments.services.transitions import Cause, lock_payment, note_money_came, settle_access
from project.mail.services import send_to_audience


@transaction.atomic
def apply_dispute(
    *, payment_id: int, dispute: ProviderDispute, source: MoveSource, told_at: datetime
) -> str:
    """Keep how a dispute stands, give or take the access that depends on it, and tell the staff of
    one that is new. What was told before `told_at` changes nothing any more; one that comes before
    we heard of the money tells of that, too. Returns what came of it (StripeOutcome)."""
    payment = lock_payment(payment_id)
    status = dispute.status if dispute.status in DisputeStatus.values else DisputeStatus.OTHER
    is_understood = dispute.amount is not None and status != DisputeStatus.OTHER
    note_if_understood("dispute", dispute, payment, is_understood=is_understood)
    if dispute.amount is None:
        return StripeOutcome.AMOUNT_DIFFERS
    known = payment.disputes.filter(dispute_id=dispute.id).first()
    if known is not None and _is_stale(known, dispute, told_at):
        return StripeOutcome.UNMOVED.about(known.status)
    cause = Cause(source=source, reason=AutomaticReason.DISPUTE.about(dispute.id, status))
    note_money_came(payment, cause=cause, at=dispute.created)
    row = known or Dispute(payment=payment, dispute_id=dispute.id, created_at=dispute.created)
    row.amount, row.currency = dispute.amount, dispute.currency
    row.status, row.reason = status, dispute.reason[:100]
    row.evidence_due_by, row.told_at = dispute.evidence_due_by, told_at
    row.save()
    ledger.post(payment)
    settle_access(payment, cause)
    if known is None and status in OPEN:
        send_to_audience(DISPUTE_OPENED, row.pk, title=payment.title)
    return StripeOutcome.DISPUTE.about(status)


def _is_stale(known: Dispute, dispute: ProviderDispute, told_at: datetime) -> bool:
    """Events of the same second come in any order: then the decision is the later one."""
    if told_at == known.told_at:
        return known.status not in OPEN
    return told_at < known.told_at
