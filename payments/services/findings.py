"""What becomes of findings (docs/rules.md, 12.19)."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.models import Finding, FindingKind, FindingStatus
from payments.models.findings import FindingQuerySet
from people.models import User
from project.common.errors import Conflict


class FindingClosed(Conflict):
    code = "finding_closed"
    message = _("This finding is not open any more.")


def note_finding(
    *,
    kind: FindingKind,
    reference: str,
    params: dict[str, Any],
    payment_id: int | None = None,
    at: datetime | None = None,
) -> Finding:
    """Keep that something is wrong. What was found before is seen once more; what a person settled
    stays settled as long as the facts are the same."""
    now = at or timezone.now()
    same = Finding.objects.filter(kind=kind, reference=reference)
    last = same.first()
    if last and last.status == FindingStatus.SETTLED and last.params == params:
        same.filter(pk=last.pk).update(last_seen_at=now)
        return last
    finding, is_new = Finding.objects.get_or_create(
        kind=kind,
        reference=reference,
        status=FindingStatus.OPEN,
        defaults={
            "payment_id": payment_id,
            "params": params,
            "first_seen_at": now,
            "last_seen_at": now,
        },
    )
    if not is_new:
        finding.params, finding.last_seen_at = params, now
        finding.save(update_fields=["params", "last_seen_at"])
    return finding


def close_findings(findings: FindingQuerySet, *, at: datetime | None = None) -> int:
    """Note of those that are open that nothing is wrong any more; return how many they were."""
    now = at or timezone.now()
    return findings.open().update(status=FindingStatus.REPAIRED, closed_at=now)


def settle_finding(*, finding: Finding, by: User, reason: str) -> None:
    """Note that a person has dealt with it, or that nothing is to be done. Raises FindingClosed."""
    settled = Finding.objects.open().filter(pk=finding.pk)
    if not settled.update(
        status=FindingStatus.SETTLED,
        settled_by=by,
        settled_reason=reason[:200],
        closed_at=timezone.now(),
    ):
        raise FindingClosed
