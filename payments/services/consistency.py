"""Where money, access and Stripe disagree, and what can be repaired of it (docs/rules.md, 12.19)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Exists,
    F,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Concat, Substr
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models import Access, AccessSource
from lms.models.access import AccessQuerySet
from payments.models import (
    AutomaticReason,
    Finding,
    FindingKind,
    MoveSource,
    Payment,
    PaymentMethod,
    PaymentStatus,
    Refund,
    RefundStatus,
    StripeOutcome,
)
from payments.models.findings import AT_STRIPE
from payments.models.querysets import PaymentQuerySet
from payments.models.states import OPEN_STATUSES, PREFIX
from payments.provider import asking, stripe
from payments.provider.types import ProviderRefused, Session
from payments.services.findings import close_findings, note_finding
from payments.services.modes import is_here, mode, require_here
from payments.services.refunds import ask_about_refunds, facts_of_failure
from payments.services.stripe_events import apply_session, contradiction_of, status_of
from payments.services.transitions import Cause, settle_access
from project.common.errors import Conflict

# Of the payments that are settled, so many are asked about in a night: one or two requests each make
# some ten minutes of one worker, and a book of thirty thousand payments has its turn each month.
SETTLED_PER_NIGHT = 1000
# Of those, so many in one task, which may take a minute.
AT_ONCE = 50
# A refund is answered within seconds, and settled by the banks within ten days.
REFUND_ANSWERED_IN = timedelta(days=1)
REFUND_SETTLED_IN = timedelta(days=10)
# What may go away by doing what the facts say, without anybody's decision.
REPAIRABLE = (
    FindingKind.PAID_WITHOUT_ACCESS,
    FindingKind.ACCESS_WITHOUT_PAYMENT,
    FindingKind.STRIPE_SAYS_OTHERWISE,
    FindingKind.REFUND_UNANSWERED,
)
# Not found in our books: they are told by Stripe.
NOT_IN_BOOKS = (
    *AT_STRIPE,
    FindingKind.PRICE_REFUSED,
    FindingKind.WEBHOOK_DIFFERS,
    FindingKind.NOT_UNDERSTOOD,
)
# A payment of which Stripe has more to say: it is open, or has an open refund.
TO_BE_TOLD = Q(status__in=OPEN_STATUSES) | Exists(
    Refund.objects.requested().filter(payment=OuterRef("pk"))
)
WEBHOOK_SILENT_FOR = timedelta(days=3)
# The reference of an access that has none of its own.
NAMELESS = "access:"
BATCH = 1000
SOURCE = MoveSource.RECONCILIATION


class StillThere(Conflict):
    code = "finding_not_repaired"
    message = _("It is still wrong, and a person has to decide what is to be done.")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What will be a finding; `repair` is None where a person has to decide."""

    kind: FindingKind
    reference: str
    payment_id: int | None
    params: dict[str, Any] = field(default_factory=dict)
    repair: Callable[[], object] | None = None
    # Then looking at our own books alone can't repair it.
    repair_asks_stripe: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at: everything, or what one finding is about."""

    payments: PaymentQuerySet
    accesses: AccessQuerySet
    at: datetime


# --- Looking ---


def check_payments(*, fix: bool = False, at: datetime | None = None) -> None:
    """Compare our own books as a whole: keep what is wrong as findings, repair what can be repaired
    if `fix`, and close what is found no more."""
    now = at or timezone.now()
    for found in find_in_books(at=now):
        _keep(found, fix=fix and not found.repair_asks_stripe, at=now)
    # A webhook that was set right sends nothing of the kind any more.
    silent = Finding.objects.filter(kind=FindingKind.WEBHOOK_DIFFERS)
    close_findings(silent.filter(last_seen_at__lt=now - WEBHOOK_SILENT_FOR), at=now)
    events = Q(kind=FindingKind.OTHER_MODE, payment=None)
    told = Q(kind__in=NOT_IN_BOOKS) | events
    gone = Finding.objects.exclude(told).filter(last_seen_at__lt=now)
    close_findings(gone, at=now)


def to_ask_about(*, settled: int = SETTLED_PER_NIGHT) -> list[int]:
    """The payments that Stripe is to be asked about: each that is open or has an open
    refund, and of the settled ones those that were asked about longest ago. Raises
    ProviderUnavailable."""
    here = stripe.ask_account()
    known = Payment.objects.filter(method=PaymentMethod.STRIPE).exclude(session_id="")
    # What was made in the other mode or in another account is unknown to our key.
    known = known.exclude(livemode=not here.livemode)
    if here.id:
        known = known.filter(account_id__in=["", here.id])
    still_open = known.filter(TO_BE_TOLD).order_by("pk")
    others = known.exclude(TO_BE_TOLD)
    longest_ago = others.order_by(F("checked_at").asc(nulls_first=True), "pk")[:settled]
    return [*still_open.values_list("pk", flat=True), *longest_ago.values_list("pk", flat=True)]


def compare_with_stripe(
    payment_ids: Iterable[int], *, fix: bool = False, at: datetime | None = None
) -> None:
    """Do the same with what Stripe says of these payments. Raises ProviderError while it does not
    answer; what was compared until then is kept."""
    now = at or timezone.now()
    for payment in Payment.objects.filter(pk__in=payment_ids).order_by("pk"):
        # The key may have changed since.
        if not is_here(payment):
            continue
        if fix and payment.payment_intent_id and payment.refunds.requested().exists():
            # If Stripe does not know it, that is found next.
            with suppress(ProviderRefused):
                ask_about_refunds(payment, source=SOURCE)
        found = list(_at_stripe(payment))
        Payment.objects.filter(pk=payment.pk).update(checked_at=now)
        for one in found:
            _keep(one, fix=fix, at=now)
        old = payment.findings.filter(kind__in=AT_STRIPE, last_seen_at__lt=now)
        close_findings(old, at=now)


def repair_finding(finding: Finding) -> None:
    """Look at it once more and do what the facts say. Raises StillThere if it does not help,
    MadeElsewhere, ProviderError."""
    found = _find_again(finding)
    if found and found.repair:
        found.repair()
        found = _find_again(finding)
    if found:
        raise StillThere
    close_findings(Finding.objects.filter(pk=finding.pk))


def _keep(found: Disagreement, *, fix: bool, at: datetime) -> None:
    finding = note_finding(
        kind=found.kind,
        reference=found.reference,
        payment_id=found.payment_id,
        params=found.params,
        at=at,
    )
    if fix and found.repair:
        found.repair()
        if _find_again(finding) is None:
            close_findings(Finding.objects.filter(pk=finding.pk), at=at)


def _find_again(finding: Finding) -> Disagreement | None:
    """The same as it is now; None if it is no more."""
    payments = Payment.objects.filter(pk=finding.payment_id or 0)
    accesses = Access.objects.filter(reference=finding.reference)
    if finding.reference.startswith(NAMELESS):
        accesses = Access.objects.filter(pk=finding.reference.removeprefix(NAMELESS), reference="")
    in_books = find_in_books(Scope(payments, accesses, timezone.now()))
    at_stripe = finding.kind in AT_STRIPE
    found = chain.from_iterable(map(_at_stripe, payments)) if at_stripe else in_books
    wanted = (finding.kind, finding.reference)
    return next((one for one in found if (one.kind, one.reference) == wanted), None)


# --- In our own books ---


def find_in_books(
    scope: Scope | None = None, *, at: datetime | None = None
) -> Iterator[Disagreement]:
    """Tell what is wrong without asking Stripe, one by one; changes nothing."""
    scope = scope or Scope(Payment.objects.all(), Access.objects.all(), at or timezone.now())
    yield from _paid_without_access(scope)
    yield from _access_without_payment(scope)
    yield from _paid_for_deleted(scope)
    yield from _paid_twice(scope)
    yield from _too_long(scope)
    yield from _refunds(scope)
    yield from _of_the_other_mode(scope)


def _about(
    kind: FindingKind,
    payment: Payment,
    params: dict[str, Any],
    repair: Callable[[], object] | None = None,
) -> Disagreement:
    return Disagreement(kind, payment.reference, payment.pk, params, repair)


def _paid_without_access(scope: Scope) -> Iterator[Disagreement]:
    reference = Concat(Value(PREFIX), Cast(OuterRef("pk"), CharField()))
    # That it is not empty is said for the index.
    given = Access.objects.active().filter(reference=reference).exclude(reference="")
    lost = scope.payments.giving_access().filter(~Exists(given)).order_by("pk")
    for payment in lost.iterator(BATCH):
        repair = partial(settle_access, payment, Cause(source=SOURCE))
        yield _about(FindingKind.PAID_WITHOUT_ACCESS, payment, {}, repair)


def _access_without_payment(scope: Scope) -> Iterator[Disagreement]:
    number = Cast(Substr("reference", len(PREFIX) + 1), BigIntegerField())
    named = When(reference__regex=f"^{PREFIX}[0-9]{{1,18}}$", then=number)
    accesses = scope.accesses.active().filter(source=AccessSource.PAYMENT)
    accesses = accesses.annotate(number=Case(named, output_field=BigIntegerField()))
    paid = Payment.objects.giving_access().filter(pk=OuterRef("number"))
    wrong = accesses.filter(~Exists(paid)).order_by("pk")
    known = Subquery(Payment.objects.filter(pk=OuterRef("number")).values("pk"))
    rows = wrong.values_list("pk", "reference", known)
    for access_id, named_as, payment_id in rows.iterator(BATCH):
        reference = named_as or f"{NAMELESS}{access_id}"
        repair = partial(
            Access.objects.active().filter(pk=access_id).update,
            revoked_at=timezone.now(),
            revoked_reason=AutomaticReason.NO_PAID_PAYMENT,
        )
        yield Disagreement(
            FindingKind.ACCESS_WITHOUT_PAYMENT,
            reference,
            payment_id,
            {"reference": reference},
            repair,
        )


def _paid_for_deleted(scope: Scope) -> Iterator[Disagreement]:
    for payment in scope.payments.for_what_is_deleted().order_by("pk").iterator(BATCH):
        yield _about(FindingKind.PAID_FOR_DELETED, payment, {})


def _paid_twice(scope: Scope) -> Iterator[Disagreement]:
    """The last payment is the one to be given back."""
    paid = Payment.objects.giving_access()
    same = paid.filter(
        Q(course=OuterRef("course")) | Q(lesson=OuterRef("lesson")), payer=OuterRef("payer")
    ).exclude(pk=OuterRef("pk"))
    later = same.filter(
        Q(paid_at__gt=OuterRef("paid_at")) | Q(paid_at=OuterRef("paid_at"), pk__gt=OuterRef("pk"))
    )
    last = scope.payments.giving_access().filter(Exists(same), ~Exists(later)).order_by("pk")
    for payment in last.iterator(BATCH):
        all_of_it = paid.filter(
            payer=payment.payer_id, course=payment.course_id, lesson=payment.lesson_id
        )
        yield _about(FindingKind.PAID_TWICE, payment, {"times": all_of_it.count()})


def _too_long(scope: Scope) -> Iterator[Disagreement]:
    waiting = scope.payments.open_too_long(at=scope.at).order_by("created_at", "pk")
    for payment in waiting.iterator(BATCH):
        since = payment.created_at.date().isoformat()
        yield _about(FindingKind.OPEN_TOO_LONG, payment, {"date": since})
    on_its_way = scope.payments.processing_too_long(at=scope.at).order_by("created_at", "pk")
    for payment in on_its_way.iterator(BATCH):
        since = (payment.moved_at or payment.created_at).date().isoformat()
        yield _about(FindingKind.PROCESSING_TOO_LONG, payment, {"date": since})


def _refunds(scope: Scope) -> Iterator[Disagreement]:
    refunds = Refund.objects.filter(payment__in=scope.payments).select_related("payment")
    for refund in refunds.failed_for_good().order_by("pk").iterator(BATCH):
        yield Disagreement(
            FindingKind.REFUND_FAILED, refund.reference, refund.payment_id, facts_of_failure(refund)
        )
    unsettled = refunds.requested().filter(
        Q(refund_id="", created_at__lt=scope.at - REFUND_ANSWERED_IN)
        | ~Q(refund_id="") & Q(created_at__lt=scope.at - REFUND_SETTLED_IN)
    )
    for refund in unsettled.order_by("pk").iterator(BATCH):
        ask = partial(ask_about_refunds, refund.payment, source=SOURCE)
        yield Disagreement(
            FindingKind.REFUND_UNANSWERED,
            refund.reference,
            refund.payment_id,
            {"amount": [str(refund.amount), refund.payment.currency]},
            ask if refund.payment.payment_intent_id else None,
            repair_asks_stripe=True,
        )


def _of_the_other_mode(scope: Scope) -> Iterator[Disagreement]:
    """What is to be asked about, and can't be now."""
    if not asking.is_configured():
        return
    livemode = not stripe.known_account().livemode
    waiting = scope.payments.filter(TO_BE_TOLD, livemode=livemode, method=PaymentMethod.STRIPE)
    for payment in waiting.order_by("pk").iterator(BATCH):
        yield _about(FindingKind.OTHER_MODE, payment, {"as": f"made_in_{mode(livemode=livemode)}"})


# --- At Stripe ---


def _at_stripe(payment: Payment) -> Iterator[Disagreement]:
    require_here(payment)
    try:
        session = stripe.retrieve_session(payment.session_id)
        contradiction = contradiction_of(payment, session)
        compared = [] if contradiction else list(_compare(payment, session))
    except ProviderRefused as error:
        yield _about(FindingKind.UNKNOWN_AT_STRIPE, payment, {"reason": error.reason})
        return
    yield from compared
    if contradiction == StripeOutcome.AMOUNT_DIFFERS:
        ours, theirs = [str(payment.amount), payment.currency], None
        if session.amount is not None:
            theirs = [str(session.amount), session.currency]
        yield _about(FindingKind.AMOUNT_DIFFERS, payment, {"ours": ours, "theirs": theirs})
    elif contradiction:
        yield _about(FindingKind.STRIPE_SAYS_OTHERWISE, payment, {"as": contradiction.value})


def _compare(payment: Payment, session: Session) -> Iterator[Disagreement]:
    kind = FindingKind.STRIPE_SAYS_OTHERWISE
    theirs = status_of(session)
    repair = partial(_repair, payment, session)
    can_follow = payment.can_move(theirs)
    if theirs == PaymentStatus.PAID and session.payment_intent_id:
        told = stripe.list_refunds(session.payment_intent_id)
        succeeded = sum(
            (refund.amount or 0 for refund in told if refund.status == "succeeded"), Decimal(0)
        )
        if succeeded == payment.amount:
            theirs = PaymentStatus.REFUNDED
        if succeeded != payment.refunds.filter(status=RefundStatus.SUCCEEDED).total():
            # What only we know of, Stripe can't tell us, unless it failed since.
            is_more = succeeded > payment.refunded_amount
            can_tell = is_more or any(refund.status in {"failed", "canceled"} for refund in told)
            params = {
                "as": "refunds_differ",
                "ours": [str(payment.refunded_amount), payment.currency],
                "theirs": [str(succeeded), payment.currency],
            }
            yield _about(kind, payment, params, repair if can_tell else None)
            return
    # Where nobody says that it is paid, ours may be a step ahead.
    is_behind = not can_follow and PaymentStatus.PAID not in {payment.status, theirs}
    if theirs != payment.status and not is_behind:
        params = {"ours": payment.status, "theirs": theirs.value}
        yield _about(kind, payment, params, repair if can_follow else None)


def _repair(payment: Payment, session: Session) -> None:
    apply_session(payment_id=payment.pk, session=session, source=SOURCE)
    payment.refresh_from_db()
    if payment.payment_intent_id:
        ask_about_refunds(payment, source=SOURCE)
