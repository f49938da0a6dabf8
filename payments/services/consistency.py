"""Where money, access and Stripe disagree, and what can be repaired of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import batched

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from lms.models import Access, AccessSource
from payments.models import (
    AutomaticReason,
    MoveSource,
    Payment,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    StripeOutcome,
)
from payments.models.payment import OPEN_STATUSES, payment_id_of
from payments.provider import stripe
from payments.provider.types import ProviderRefused, Session
from payments.services.refunds import ask_about_refunds
from payments.services.stripe_events import apply_session, contradiction_of, status_of
from payments.services.transitions import Cause, settle_access

# Older payments that are settled are not asked about again.
ASKED_ABOUT_FOR = timedelta(days=30)
BATCH = 1000
SOURCE = MoveSource.RECONCILIATION


@dataclass(frozen=True, slots=True)
class Disagreement:
    """`kind` is stable, for programs; `repair` is None where a person has to decide."""

    kind: str
    payment_id: int | None
    detail: str
    repair: Callable[[], object] | None = None


def find_disagreements(
    *, with_stripe: bool = True, at: datetime | None = None
) -> Iterator[Disagreement]:
    """Tell every disagreement, one by one; asks Stripe about each payment that is open there or was
    made in the last 30 days. Changes nothing. Raises ProviderError while Stripe does not answer."""
    now = at or timezone.now()
    yield from _paid_without_access()
    yield from _access_without_payment()
    yield from _paid_twice()
    if with_stripe:
        yield from _stripe_says_otherwise(now)
    for payment in Payment.objects.open_too_long(at=now).order_by("created_at", "pk").iterator():
        since = _("It has been open since %(date)s.") % {"date": payment.created_at.date()}
        yield Disagreement("open_too_long", payment.pk, since)


def _paid_without_access() -> Iterator[Disagreement]:
    paid = Payment.objects.giving_access().order_by("pk")
    for payments in batched(paid.iterator(BATCH), BATCH, strict=False):
        references = [payment.reference for payment in payments]
        active = Access.objects.active().filter(reference__in=references)
        given = set(active.values_list("reference", flat=True))
        for payment in payments:
            if payment.reference not in given:
                detail = _("It is paid, but the learner has no access.")
                repair = partial(settle_access, payment, Cause(source=SOURCE))
                yield Disagreement("paid_without_access", payment.pk, detail, repair)


def _access_without_payment() -> Iterator[Disagreement]:
    active = Access.objects.active().filter(source=AccessSource.PAYMENT).order_by("pk")
    for accesses in batched(active.iterator(BATCH), BATCH, strict=False):
        numbers = {access: payment_id_of(access.reference) for access in accesses}
        paid = Payment.objects.giving_access().in_bulk(
            number for number in numbers.values() if number is not None
        )
        for access, number in numbers.items():
            if number not in paid:
                detail = _(
                    "The learner has access from a payment that is not paid (%(reference)s)."
                )
                reference = access.reference or f"access:{access.pk}"
                repair = partial(
                    Access.objects.active().filter(pk=access.pk).update,
                    revoked_at=timezone.now(),
                    revoked_reason=AutomaticReason.NO_PAID_PAYMENT,
                )
                detail %= {"reference": reference}
                yield Disagreement("access_without_payment", number, detail, repair)


def _paid_twice() -> Iterator[Disagreement]:
    paid = Payment.objects.giving_access()
    twice = paid.values("payer", "course", "lesson").annotate(times=Count("pk")).filter(times__gt=1)
    for row in twice.iterator():
        detail = _("It has been paid for %(times)s times; refund the extra payment.")
        detail %= {"times": row["times"]}
        same = paid.filter(payer=row["payer"], course=row["course"], lesson=row["lesson"])
        last = same.order_by("-paid_at", "-pk").values_list("pk", flat=True).first()
        yield Disagreement("paid_twice", last, detail)


def _stripe_says_otherwise(now: datetime) -> Iterator[Disagreement]:
    worth_asking = Payment.objects.filter(
        Q(created_at__gt=now - ASKED_ABOUT_FOR) | Q(status__in=OPEN_STATUSES),
        method=PaymentMethod.STRIPE,
    ).exclude(session_id="")
    for payment in worth_asking.order_by("pk").iterator(BATCH):
        try:
            session = stripe.retrieve_session(payment.session_id)
        except ProviderRefused as error:
            detail = _("Stripe doesn't know its session (%(reason)s).")
            detail %= {"reason": error.reason}
            yield Disagreement("unknown_at_stripe", payment.pk, detail)
            continue
        contradiction = contradiction_of(payment, session)
        if contradiction is None:
            yield from _compare(payment, session)
        else:
            is_amount = contradiction == StripeOutcome.AMOUNT_DIFFERS
            kind = "amount_differs" if is_amount else "stripe_says_otherwise"
            yield Disagreement(kind, payment.pk, str(contradiction.label))


def _compare(payment: Payment, session: Session) -> Iterator[Disagreement]:
    theirs = status_of(session)
    repair = partial(_repair, payment, session)
    can_follow = payment.can_move(theirs)
    if theirs == PaymentStatus.PAID and session.payment_intent_id:
        told = stripe.list_refunds(session.payment_intent_id)
        succeeded = sum(refund.amount or 0 for refund in told if refund.status == "succeeded")
        if succeeded == payment.amount:
            theirs = PaymentStatus.REFUNDED
        if succeeded != payment.refunds.filter(status=RefundStatus.SUCCEEDED).total():
            detail = _("Stripe gave %(theirs)s back, and we know of %(ours)s.")
            detail %= {"theirs": succeeded, "ours": payment.refunded_amount}
            # What only we know of, Stripe can't tell us.
            is_more = succeeded > payment.refunded_amount
            yield Disagreement(
                "stripe_says_otherwise", payment.pk, detail, repair if is_more else None
            )
            return
    # Where nobody says that it is paid, ours may be a step ahead.
    is_behind = not can_follow and PaymentStatus.PAID not in {payment.status, theirs}
    if theirs != payment.status and not is_behind:
        detail = _("Its status is %(ours)s here and %(theirs)s at Stripe.")
        detail %= {"ours": payment.status, "theirs": theirs}
        repaired_by = repair if can_follow else None
        yield Disagreement("stripe_says_otherwise", payment.pk, detail, repaired_by)


def _repair(payment: Payment, session: Session) -> None:
    apply_session(payment_id=payment.pk, session=session, source=SOURCE)
    payment.refresh_from_db()
    if payment.payment_intent_id:
        ask_about_refunds(payment, source=SOURCE)
