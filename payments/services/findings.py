"""What becomes of findings (docs/rules.md, 12.19)."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models import Course, Lesson
from payments.models import Finding, FindingKind, FindingStatus, Payment
from payments.models.findings import WORDING, FindingQuerySet
from payments.services.decisions import require_seen_of
from people.models import User
from project.common.decisions import Seen
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
    if last and last.status == FindingStatus.SETTLED and _facts(last.params) == _facts(params):
        same.filter(pk=last.pk).update(last_seen_at=max(last.last_seen_at, now))
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
        # The nightly check and the command may be at work at once.
        finding.params, finding.last_seen_at = params, max(finding.last_seen_at, now)
        finding.save(update_fields=["params", "last_seen_at"])
    return finding


def _facts(params: dict[str, Any]) -> dict[str, Any]:
    """Stripe may say the same in other words: with the exchange rate of the day, for example."""
    return {name: value for name, value in params.items() if name != WORDING}


def close_findings(findings: FindingQuerySet, *, at: datetime | None = None) -> int:
    """Note of those that are open that nothing is wrong any more; return how many they were."""
    now = at or timezone.now()
    return findings.open().update(status=FindingStatus.REPAIRED, closed_at=now)


def note_refused_price(payment: Payment, reason: str, words: str) -> None:
    """Keep that nobody can buy a course or lesson at its present price: one finding however many
    try. `words` are Stripe's own for the reason."""
    note_finding(
        kind=FindingKind.PRICE_REFUSED,
        reference=target_reference(payment),
        payment_id=payment.pk,
        params={"amount": [str(payment.amount), payment.currency], "reason": reason}
        | ({"as": "price_refused_in_words", WORDING: words} if words else {}),
    )


def close_changed_prices(*, at: datetime | None = None) -> int:
    """Close the findings about prices that are others by now, or gone; return how many they were."""
    changed = [
        finding.pk
        for finding in Finding.objects.open().filter(kind=FindingKind.PRICE_REFUSED)
        if not _has_price(finding)
    ]
    return close_findings(Finding.objects.filter(pk__in=changed), at=at)


def target_reference(payment: Payment) -> str:
    """What is sold, as `course:3` or `lesson:5`."""
    is_course = payment.course_id is not None
    return f"course:{payment.course_id}" if is_course else f"lesson:{payment.lesson_id}"


def _has_price(finding: Finding) -> bool:
    amount, currency = finding.params["amount"]
    model, _colon, number = finding.reference.partition(":")
    materials = Course.objects if model == "course" else Lesson.objects
    same = materials.filter(pk=number, price=amount)
    return currency == settings.CURRENCY and same.exists()


@transaction.atomic
def settle_finding(*, finding: Finding, by: User, reason: str, seen: Seen = None) -> None:
    """Note that a person has dealt with it, or that nothing is to be done. Raises FindingClosed, and
    DecidedMeanwhile if there is another state than was `seen`."""
    if seen is not None:
        # A finding about a payment is decided about together with it.
        Payment.objects.select_for_update(of=("self",)).filter(findings=finding.pk).first()
        finding = Finding.objects.select_for_update(of=("self",)).get(pk=finding.pk)
        require_seen_of(finding, seen)
    settled = Finding.objects.open().filter(pk=finding.pk)
    if not settled.update(
        status=FindingStatus.SETTLED,
        settled_by=by,
        settled_reason=reason[:200],
        closed_at=timezone.now(),
    ):
        raise FindingClosed
