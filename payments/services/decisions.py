"""What was decided about a payment, and who or what did it: who decides next has seen it, or is told
(docs/rules.md, 13.10)."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from payments.models import Finding, Payment
from people.models import User
from project.common.decisions import Decision, Seen, require_seen
from project.common.versions import version_of


def decisions_about(row: Payment | Finding) -> Iterator[Decision]:
    """All that its state follows from; of a finding, all about its payment."""
    payment = row.payment if isinstance(row, Finding) else row
    if payment is None:
        assert isinstance(row, Finding)  # noqa: S101 - a payment is one
        yield _of_finding(row)
        return
    for move in payment.moves.select_related("by"):
        yield Decision(
            name=f"move:{move.pk}",
            what=f"{move.get_from_status_display()} → {move.get_to_status_display()}",
            who=_name(move.by) or str(move.get_source_display()),
            at=move.created_at,
        )
    for refund in payment.refunds.select_related("by"):
        yield Decision(
            name=f"refund:{refund.pk}:{refund.status}",
            what=_("Refund of %(amount)s: %(status)s")
            % {"amount": refund.shown_amount, "status": refund.get_status_display()},
            who=_name(refund.by) or "Stripe",
            at=refund.settled_at or refund.created_at,
        )
    for dispute in payment.disputes.all():
        yield Decision(
            name=f"dispute:{dispute.pk}:{dispute.status}:{dispute.amount}",
            what=_("Dispute about %(amount)s: %(status)s")
            % {"amount": dispute.shown_amount, "status": dispute.get_status_display()},
            who="Stripe",
            at=dispute.told_at,
        )
    for finding in payment.findings.select_related("settled_by"):
        yield _of_finding(finding)


def require_seen_of(row: Payment | Finding, seen: Seen) -> None:
    """Of what `lock_payment` returned, or of a finding whose payment is locked. Raises
    DecidedMeanwhile."""
    if seen is not None:
        require_seen(decisions_about(row), seen)


def _of_finding(finding: Finding) -> Decision:
    return Decision(
        name=f"finding:{finding.pk}:{version_of([finding.status, finding.params])}",
        what=f"{finding.get_kind_display()}: {finding.get_status_display()}",
        who=_name(finding.settled_by) or _("the worker"),
        at=finding.closed_at or finding.first_seen_at,
    )


def _name(person: User | None) -> str:
    return str(person) if person else ""
