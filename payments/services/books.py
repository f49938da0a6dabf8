"""What is wrong in our own books: payments, refunds and access (docs/rules.md, 12.19)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    OuterRef,
    Q,
    Subquery,
    When,
)
from django.db.models.functions import Cast, Substr
from django.utils import timezone

from lms.models import Access, AccessSource
from lms.models.access import AccessQuerySet
from payments.models import (
    AutomaticReason,
    FindingKind,
    MoveSource,
    Payment,
    PaymentMethod,
    Refund,
)
from payments.models.querysets import PaymentQuerySet
from payments.models.states import OPEN_STATUSES, PREFIX
from payments.provider import asking, stripe
from payments.services.modes import mode
from payments.services.refunds import ask_about_refunds, facts_of_failure
from payments.services.transitions import Cause, post_again, settle_access

# A refund is answered within seconds, and settled by the banks within ten days.
REFUND_ANSWERED_IN = timedelta(days=1)
REFUND_SETTLED_IN = timedelta(days=10)
# A payment of which Stripe has more to say: it is open, or has an open refund.
TO_BE_TOLD = Q(status__in=OPEN_STATUSES) | Exists(
    Refund.objects.requested().filter(payment=OuterRef("pk"))
)
# The reference of an access that has none of its own.
NAMELESS = "access:"
# So many rows of each kind are looked at together.
BATCH = 10_000
SOURCE = MoveSource.RECONCILIATION


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
    access_id: int = 0

    @property
    def row_id(self) -> int:
        """The number of the access or else the payment that it is about."""
        return self.access_id or self.payment_id or 0


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at: everything, or what one finding is about."""

    payments: PaymentQuerySet = field(default_factory=Payment.objects.all)
    accesses: AccessQuerySet = field(default_factory=Access.objects.all)
    at: datetime = field(default_factory=timezone.now)


def find_in_books(scope: Scope | None = None) -> Iterator[Disagreement]:
    """Tell what is wrong without asking Stripe, one by one; changes nothing."""
    scope = scope or Scope()
    yield from _paid_without_access(scope)
    yield from _access_without_payment(scope)
    for payment in scope.payments.for_what_is_deleted().order_by("pk").iterator(BATCH):
        yield about(FindingKind.PAID_FOR_DELETED, payment, {})
    yield from _unlike_ledger(scope)
    yield from _paid_twice(scope)
    yield from _too_long(scope)
    yield from _refunds(scope)
    yield from _of_the_other_mode(scope)


def about(
    kind: FindingKind,
    payment: Payment,
    params: dict[str, Any],
    repair: Callable[[], object] | None = None,
) -> Disagreement:
    """What is wrong about this payment."""
    return Disagreement(kind, payment.reference, payment.pk, params, repair)


def _paid_without_access(scope: Scope) -> Iterator[Disagreement]:
    for payment in scope.payments.without_access().order_by("pk").iterator(BATCH):
        repair = partial(settle_access, payment, Cause(source=SOURCE))
        yield about(FindingKind.PAID_WITHOUT_ACCESS, payment, {}, repair)


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
            access_id=access_id,
        )


def _unlike_ledger(scope: Scope) -> Iterator[Disagreement]:
    """A process of the release before the ledger posts nothing."""
    for payment in scope.payments.unlike_ledger().order_by("pk").iterator(BATCH):
        repair = partial(post_again, payment.pk)
        yield about(FindingKind.LEDGER_DIFFERS, payment, {}, repair)


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
        yield about(FindingKind.PAID_TWICE, payment, {"times": all_of_it.count()})


def _too_long(scope: Scope) -> Iterator[Disagreement]:
    waiting = scope.payments.open_too_long(at=scope.at).order_by("created_at", "pk")
    for payment in waiting.iterator(BATCH):
        since = payment.created_at.date().isoformat()
        yield about(FindingKind.OPEN_TOO_LONG, payment, {"date": since})
    on_its_way = scope.payments.processing_too_long(at=scope.at).order_by("created_at", "pk")
    for payment in on_its_way.iterator(BATCH):
        since = (payment.moved_at or payment.created_at).date().isoformat()
        yield about(FindingKind.PROCESSING_TOO_LONG, payment, {"date": since})


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
        yield about(FindingKind.OTHER_MODE, payment, {"as": f"made_in_{mode(livemode=livemode)}"})
