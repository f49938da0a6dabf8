"""The one way in which money comes into the ledger (docs/rules.md, 12.26): what the rows of a payment
say is compared with what is posted, and the difference is posted."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, QuerySet, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import TruncDate
from django.utils import timezone

from payments.models import (
    Dispute,
    DisputeStatus,
    EntryKind,
    LedgerEntry,
    Payment,
    Refund,
    RefundStatus,
)
from payments.models.ledger import CENT
from project.common.db.bulk import insert_selected
from project.school.current import current_school

# What the ledger is to hold of a payment, by kind and currency.
Sums = dict[tuple[str, str], Decimal]


def day_of(moment: datetime) -> date:
    """The day in the school's time zone on which money moved."""
    return moment.astimezone(current_school().zone).date()


def post(payment: Payment) -> None:
    """Post what the payment's rows say and the ledger does not: nothing, if that was done before.
    The payment is locked, and its rows are saved, in the same transaction."""
    posted: Sums = defaultdict(Decimal)
    sums = payment.entries.order_by().values_list("kind", "currency").annotate(Sum("amount"))
    for kind, currency, amount in sums:
        posted[kind, currency] = amount.quantize(CENT)
    said = _said_by(payment)
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            payment=payment,
            kind=kind,
            method=payment.method,
            currency=currency,
            amount=amount,
            day=day,
        )
        for kind, currency in said | posted
        for day, amount in _by_day(
            payment, EntryKind(kind), currency, said[kind, currency] - posted[kind, currency]
        )
    )


def _said_by(payment: Payment) -> Sums:
    said: Sums = defaultdict(Decimal)
    if payment.paid_at is not None:
        said[EntryKind.PAYMENT, payment.currency] = payment.amount
        said[EntryKind.REFUND, payment.currency] = -payment.refunded_amount
    for dispute in payment.disputes.filter(status=DisputeStatus.LOST):
        said[EntryKind.DISPUTE, dispute.currency] -= dispute.amount
    return said


def _by_day(
    payment: Payment, kind: EntryKind, currency: str, amount: Decimal
) -> Iterator[tuple[date, Decimal]]:
    """Part what is to be posted by the days on which it moved: those first of which nothing is
    posted, as facts are told in any order."""
    if not amount:
        return
    rows = payment.entries.filter(kind=kind, currency=currency).values_list("day", "amount")
    posted = Counter((day, abs(known)) for day, known in rows if (known > 0) == (amount > 0))
    facts = list(_moved(payment, kind, currency, came=amount > 0))
    # Of several that are alike as many are new as were not posted.
    new = [fact for fact, number in Counter(facts).items() for _one in range(number - posted[fact])]
    for day, moved in [*new, *facts]:
        part = min(abs(amount), moved).copy_sign(amount)
        if part:
            yield day, part
        amount -= part
    if amount:
        # Of refunds that came with a fixture there may be no rows.
        yield day_of(payment.paid_at or timezone.now()), amount


def _moved(
    payment: Payment, kind: EntryKind, currency: str, *, came: bool
) -> Iterator[tuple[date, Decimal]]:
    """The days on which as much came, or went, newest first."""
    if kind == EntryKind.PAYMENT and payment.paid_at is not None:
        yield day_of(payment.paid_at), payment.amount
    elif kind == EntryKind.PAYMENT:
        # Confirmed by mistake: it never came on the day on which it was said to have come.
        for entry in payment.entries.filter(kind=kind, amount__gt=0).order_by("-pk")[:1]:
            yield entry.day, entry.amount
    elif kind == EntryKind.REFUND:
        status = RefundStatus.FAILED if came else RefundStatus.SUCCEEDED
        for refund in payment.refunds.filter(status=status).order_by("-settled_at", "-pk"):
            assert refund.settled_at is not None  # noqa: S101 - `refund_settled_has_time`
            yield day_of(refund.settled_at), refund.amount
    else:
        disputes = payment.disputes.filter(currency=currency).order_by("-told_at", "-pk")
        # Last the others: Stripe may tell of another sum.
        for dispute in sorted(disputes, key=lambda one: (one.status == DisputeStatus.LOST) == came):
            yield day_of(dispute.told_at), dispute.amount


def post_new(payment_ids: Sequence[int]) -> None:
    """Post many payments that came into the book in this transaction, as they stand, with all that
    went of them, each on its day. Nothing of them is posted yet."""
    payments = Payment.objects.filter(pk__in=payment_ids)
    made = payments.exclude(paid_at=None).exclude(amount=0)
    _insert(EntryKind.PAYMENT, made, of="", amount=F("amount"), at="paid_at")
    given_back = Refund.objects.filter(payment__in=payment_ids, status=RefundStatus.SUCCEEDED)
    _insert(EntryKind.REFUND, given_back, of="payment__", amount=-F("amount"), at="settled_at")
    lost = Dispute.objects.filter(payment__in=payment_ids, status=DisputeStatus.LOST)
    _insert(EntryKind.DISPUTE, lost, of="payment__", amount=-F("amount"), at="told_at")


def _insert(kind: EntryKind, rows: QuerySet[Any], *, of: str, amount: Combinable, at: str) -> None:
    """Write an entry for each of the rows; `of` leads from there to the payment."""
    columns = {
        "payment_id": F(f"{of}pk"),
        "kind": Value(kind.value),
        "method": F(f"{of}method"),
        "currency": F("currency" if kind == EntryKind.DISPUTE else f"{of}currency"),
        "amount": amount,
        "day": TruncDate(at, tzinfo=current_school().zone),
        "created_at": Value(timezone.now()),
    }
    insert_selected(LedgerEntry, columns, rows.order_by())
