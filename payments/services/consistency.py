"""Where money, access and Stripe disagree, and what can be repaired of it (docs/rules.md, 12.19)."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import chain
from math import inf
from operator import attrgetter
from time import monotonic

from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models import Access, AccessSource
from payments.models import (
    Finding,
    FindingKind,
    Payment,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    StripeOutcome,
)
from payments.models.findings import AT_STRIPE
from payments.provider import stripe
from payments.provider.types import ProviderRefused, Session
from payments.services.books import (
    BATCH,
    NAMELESS,
    SOURCE,
    TO_BE_TOLD,
    Disagreement,
    Scope,
    about,
    find_in_books,
)
from payments.services.findings import close_findings, note_finding
from payments.services.modes import is_here, require_here
from payments.services.refunds import ask_about_refunds
from payments.services.stripe_events import apply_session, contradiction_of, status_of
from project.common.errors import Conflict

# Of the payments that are settled, so many are asked about in a night: one or two requests each make
# some ten minutes of one worker, and a book of thirty thousand payments has its turn each month.
SETTLED_PER_NIGHT = 1000
# Of those, so many in one task, which may take a minute.
AT_ONCE = 50
# What may go away by doing what the facts say, without anybody's decision.
REPAIRABLE = (
    FindingKind.PAID_WITHOUT_ACCESS,
    FindingKind.ACCESS_WITHOUT_PAYMENT,
    FindingKind.LEDGER_DIFFERS,
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
WEBHOOK_SILENT_FOR = timedelta(days=3)


class StillThere(Conflict):
    code = "finding_not_repaired"
    message = _("It is still wrong, and a person has to decide what is to be done.")


def check_payments(
    *, fix: bool = False, at: datetime | None = None, after: int = 0, seconds: float = inf
) -> int | None:
    """Compare our own books: keep what is wrong as findings, and repair what can be repaired if
    `fix`. Begins with the rows `after` this number, and returns the one to go on after if the time
    is up. At the end, closes what was not found since `at`, when the first part began."""
    now = at or timezone.now()
    ends = monotonic() + seconds
    while upto := _last_at_once(after):
        numbers = Q(pk__gt=after, pk__lte=upto)
        scope = Scope(Payment.objects.filter(numbers), Access.objects.filter(numbers), now)
        for found in sorted(find_in_books(scope), key=attrgetter("row_id")):
            if found.row_id > after + 1 and monotonic() > ends:
                return found.row_id - 1
            _keep(found, fix=fix and not found.repair_asks_stripe, at=now)
        after = upto
        if monotonic() > ends:
            return after
    # A webhook that was set right sends nothing of the kind any more.
    silent = Q(kind=FindingKind.WEBHOOK_DIFFERS, last_seen_at__lt=now - WEBHOOK_SILENT_FOR)
    told = Q(kind__in=NOT_IN_BOOKS) | Q(kind=FindingKind.OTHER_MODE, payment=None)
    gone = ~told & Q(last_seen_at__lt=now)
    close_findings(Finding.objects.filter(silent | gone), at=now)
    return None


def _last_at_once(after: int) -> int | None:
    """Up to which number a batch of each kind of rows goes; None if there are no more."""
    books = (Payment.objects.all(), Access.objects.filter(source=AccessSource.PAYMENT))
    following = [
        book.filter(pk__gt=after).order_by("pk").values_list("pk")[:BATCH] for book in books
    ]
    return min((list(rows)[-1][0] for rows in following if rows), default=None)


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
    in_books = find_in_books(Scope(payments, accesses))
    at_stripe = finding.kind in AT_STRIPE
    found = chain.from_iterable(map(_at_stripe, payments)) if at_stripe else in_books
    wanted = (finding.kind, finding.reference)
    return next((one for one in found if (one.kind, one.reference) == wanted), None)


def _at_stripe(payment: Payment) -> Iterator[Disagreement]:
    require_here(payment)
    try:
        session = stripe.retrieve_session(payment.session_id)
        contradiction = contradiction_of(payment, session)
        compared = [] if contradiction else list(_compare(payment, session))
    except ProviderRefused as error:
        yield about(FindingKind.UNKNOWN_AT_STRIPE, payment, {"reason": error.reason})
        return
    yield from compared
    if contradiction == StripeOutcome.AMOUNT_DIFFERS:
        ours, theirs = [str(payment.amount), payment.currency], None
        if session.amount is not None:
            theirs = [str(session.amount), session.currency]
        yield about(FindingKind.AMOUNT_DIFFERS, payment, {"ours": ours, "theirs": theirs})
    elif contradiction:
        yield about(FindingKind.STRIPE_SAYS_OTHERWISE, payment, {"as": contradiction.value})


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
            yield about(kind, payment, params, repair if can_tell else None)
            return
    # Where nobody says that it is paid, ours may be a step ahead.
    is_behind = not can_follow and PaymentStatus.PAID not in {payment.status, theirs}
    if theirs != payment.status and not is_behind:
        params = {"ours": payment.status, "theirs": theirs.value}
        yield about(kind, payment, params, repair if can_follow else None)


def _repair(payment: Payment, session: Session) -> None:
    apply_session(payment_id=payment.pk, session=session, source=SOURCE)
    payment.refresh_from_db()
    if payment.payment_intent_id:
        ask_about_refunds(payment, source=SOURCE)
