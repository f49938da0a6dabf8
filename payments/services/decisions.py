"""What was decided about a payment, and who or what did it: who decides next has seen it, or is told
(docs/rules.md, 13.10)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from django.utils.translation import gettext as _

from payments.models import Dispute, Finding, Payment, PaymentMove, Refund
from project.common.decisions import Decision, Seen, require_seen
from project.common.versions import version_of


def decisions_about(row: Payment | Finding) -> list[Decision]:
    """All that its state follows from; of a finding, all about its payment."""
    return decisions_about_each([row])[row.pk]


def decisions_about_each[R: Payment | Finding](rows: Iterable[R]) -> dict[int, list[Decision]]:
    """The same for many, in the same number of queries; by their primary keys."""
    payment_of = {row.pk: row.pk if isinstance(row, Payment) else row.payment_id for row in rows}
    known = defaultdict[int | None, list[Decision]](list)
    for payment_id, decision in _about_payments(set(payment_of.values()) - {None}):
        known[payment_id].append(decision)
    decisions = {pk: known[payment_id] for pk, payment_id in payment_of.items()}
    alone = [row for row in rows if isinstance(row, Finding) and row.payment_id is None]
    return decisions | {finding.pk: [_of_finding(finding)] for finding in alone}


def _about_payments(payments: Collection[int | None]) -> Iterator[tuple[int | None, Decision]]:
    for move in PaymentMove.objects.filter(payment__in=payments).select_related("by"):
        yield (
            move.payment_id,
            Decision(
                name=f"move:{move.pk}",
                what=str(move),
                who=str(move.by or move.get_source_display()),
                at=move.created_at,
            ),
        )
    for refund in Refund.objects.filter(payment__in=payments).select_related("by", "payment"):
        told = {"amount": refund.shown_amount, "status": refund.get_status_display()}
        yield (
            refund.payment_id,
            Decision(
                name=f"refund:{refund.pk}:{refund.status}",
                what=_("Refund of %(amount)s: %(status)s") % told,
                who=str(refund.by or "Stripe"),
                at=refund.settled_at or refund.created_at,
            ),
        )
    for dispute in Dispute.objects.filter(payment__in=payments):
        told = {"amount": dispute.shown_amount, "status": dispute.get_status_display()}
        yield (
            dispute.payment_id,
            Decision(
                name=f"dispute:{dispute.pk}:{dispute.status}:{dispute.amount}",
                what=_("Dispute about %(amount)s: %(status)s") % told,
                who="Stripe",
                at=dispute.told_at,
            ),
        )
    for finding in Finding.objects.filter(payment__in=payments).select_related("settled_by"):
        yield finding.payment_id, _of_finding(finding)


def require_seen_of(row: Payment | Finding, seen: Seen) -> None:
    """Of what `lock_payment` returned, or of a finding whose payment is locked. Raises
    DecidedMeanwhile."""
    if seen is not None:
        require_seen(decisions_about(row), seen)


def _of_finding(finding: Finding) -> Decision:
    return Decision(
        name=f"finding:{finding.pk}:{version_of([finding.status, finding.params])}",
        what=f"{finding.get_kind_display()}: {finding.get_status_display()}",
        who=str(finding.settled_by or _("the worker")),
        at=finding.closed_at or finding.first_seen_at,
    )
