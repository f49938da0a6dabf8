"""What Stripe tells and Parta can't take down as it is: staff have to look at it there."""

import logging
from typing import Any, Literal

from payments.models import Finding, FindingKind, Payment
from payments.provider.types import ProviderDispute, ProviderRefund
from payments.services.findings import close_findings, note_finding

logger = logging.getLogger(__name__)

KIND = FindingKind.NOT_UNDERSTOOD


def note_if_understood(
    what: Literal["refund", "dispute"],
    told: ProviderRefund | ProviderDispute,
    payment: Payment,
    *,
    is_understood: bool,
) -> None:
    """Keep as a finding, or close it, that staff have to look at a refund or dispute at Stripe."""
    if is_understood:
        note_understood(told.id)
        return
    logger.error("Payment %s: %s %s can't be understood", payment.pk, what, told.id)
    note_not_understood(
        told.id,
        payment_id=payment.pk,
        status=told.status,
        theirs=None if told.amount is None else [str(told.amount), told.currency],
        **{"as": f"{what}_not_understood"},
    )


def note_not_understood(stripe_id: str, *, payment_id: int | None = None, **facts: Any) -> None:
    """Keep it as a finding until it is understood, or a person has dealt with it."""
    note_finding(
        kind=KIND,
        reference=_reference(stripe_id),
        payment_id=payment_id,
        params={"id": stripe_id, **facts},
    )


def note_understood(stripe_id: str) -> None:
    close_findings(Finding.objects.filter(kind=KIND, reference=_reference(stripe_id)))


def _reference(stripe_id: str) -> str:
    return f"stripe:{stripe_id}"[:100]
