"""What Stripe tells and Parta can't take down as it is: staff have to look at it there."""

from typing import Any, Literal

from payments.models import Finding, FindingKind
from payments.services.findings import close_findings, note_finding

KIND = FindingKind.NOT_UNDERSTOOD


def note_not_understood(
    what: Literal["refund", "dispute", "event"],
    stripe_id: str,
    *,
    payment_id: int | None = None,
    **facts: Any,
) -> None:
    """Keep it as a finding until it is understood, or a person has dealt with it."""
    params = {"id": stripe_id, **facts}
    if what != "event":
        params["as"] = f"{what}_not_understood"
    note_finding(kind=KIND, reference=_reference(stripe_id), payment_id=payment_id, params=params)


def note_understood(stripe_id: str) -> None:
    close_findings(Finding.objects.filter(kind=KIND, reference=_reference(stripe_id)))


def _reference(stripe_id: str) -> str:
    return f"stripe:{stripe_id}"[:100]
