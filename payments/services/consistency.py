"""Where money, access and Stripe disagree, and what can be repaired of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import batched

from django.db.models import Count, F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from lms.models import Access, AccessSource
from lms.services import accesses
from payments.models import (
    AutomaticReason,
    MoveSource,
    Payment,
    PaymentMethod,
    PaymentStatus,
    StripeOutcome,
)
from payments.models.payment import reference_of
from payments.provider import stripe
from payments.provider.types import ProviderRefused, Session
from payments.services.stripe_events import apply_charge, apply_session, contradiction_of, status_of

# Older payments that are settled are not asked about again.
ASKED_ABOUT_FOR = timedelta(days=30)
BATCH = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
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
    yield from _open_too_long(now)


def _paid_without_access() -> Iterator[Disagreement]:
    paid = Payment.objects.filter(status=PaymentStatus.PAID).order_by("pk")
    for payments in batched(paid.iterator(BATCH), BATCH, strict=False):
        references = [payment.reference for payment in payments]
        active = Access.objects.active().filter(reference__in=references)
        given = set(active.values_list("reference", flat=True))
        for payment in payments:
            if payment.reference not in given:
                yield Disagreement(
                    kind="paid_without_access",
                    payment_id=payment.pk,
                    detail=_("It is paid, and the learner has no access."),
                    repair=partial(_give_access, payment),
                )


def _give_access(payment: Payment) -> None:
    accesses.grant_access(
        user=payment.payer,
        target=payment.target,
        source=AccessSource.PAYMENT,
        reference=payment.reference,
    )


def _access_without_payment() -> Iterator[Disagreement]:
    active = Access.objects.active().filter(source=AccessSource.PAYMENT).order_by("pk")
    for batch in batched(active.iterator(BATCH), BATCH, strict=False):
        paid = _paid_references([access.reference for access in batch])
        for access in batch:
            if access.reference not in paid:
                yield Disagreement(
                    kind="access_without_payment",
                    payment_id=_payment_id(access.reference),
                    detail=_("There is access by a payment that is not paid (%(reference)s).")
                    % {"reference": access.reference or f"access:{access.pk}"},
                    repair=partial(_take_access, access),
                )


def _take_access(access: Access) -> None:
    reason = AutomaticReason.NO_PAID_PAYMENT
    if access.reference:
        accesses.revoke_access(reference=access.reference, reason=reason)
    else:
        access.revoked_at, access.revoked_reason = timezone.now(), reason
        access.save(update_fields=["revoked_at", "revoked_reason"])


def _payment_id(reference: str) -> int | None:
    number = reference.removeprefix("payment:")
    return int(number) if number.isdecimal() else None


def _paid_references(references: list[str]) -> set[str]:
    numbers = [number for number in map(_payment_id, references) if number is not None]
    paid = Payment.objects.filter(pk__in=numbers, status=PaymentStatus.PAID)
    return {reference_of(pk) for pk in paid.values_list("pk", flat=True)}


def _paid_twice() -> Iterator[Disagreement]:
    paid = Payment.objects.filter(status=PaymentStatus.PAID).order_by()
    twice = paid.values("payer", "course", "lesson").annotate(times=Count("pk")).filter(times__gt=1)
    for row in twice.iterator():
        same = paid.filter(payer=row["payer"], course=row["course"], lesson=row["lesson"])
        last = same.order_by("-paid_at", "-pk").first()
        yield Disagreement(
            kind="paid_twice",
            payment_id=last.pk if last else None,
            detail=_("The same thing is paid %(times)s times; give one back.")
            % {"times": row["times"]},
        )


def _stripe_says_otherwise(now: datetime) -> Iterator[Disagreement]:
    at_stripe = Payment.objects.filter(method=PaymentMethod.STRIPE).exclude(session_id="")
    worth_asking = Q(created_at__gt=now - ASKED_ABOUT_FOR) | Q(
        status__in=[PaymentStatus.PENDING, PaymentStatus.PROCESSING]
    )
    for payment in at_stripe.filter(worth_asking).order_by("pk").iterator(BATCH):
        found = _compare(payment)
        if found is not None:
            yield found


def _compare(payment: Payment) -> Disagreement | None:
    try:
        session = stripe.retrieve_session(payment.session_id)
    except ProviderRefused as error:
        return Disagreement(
            kind="unknown_at_stripe",
            payment_id=payment.pk,
            detail=_("Stripe knows nothing of its session (%(reason)s).")
            % {"reason": error.reason},
        )
    contradiction = contradiction_of(payment, session)
    if contradiction is not None:
        is_amount = contradiction == StripeOutcome.AMOUNT_DIFFERS
        kind = "amount_differs" if is_amount else "stripe_says_otherwise"
        return Disagreement(kind=kind, payment_id=payment.pk, detail=str(contradiction.label))
    if status_of(session) == PaymentStatus.PAID:
        return _compare_paid(payment, session)
    if status_of(session) == payment.status or not payment.can_move(status_of(session)):
        return None if payment.status != PaymentStatus.PAID else _otherwise(payment, session)
    return _otherwise(payment, session, repair=True)


def _compare_paid(payment: Payment, session: Session) -> Disagreement | None:
    """The money came: is it still there, and do we know of both?"""
    charge = (
        stripe.retrieve_charge(session.payment_intent_id) if session.payment_intent_id else None
    )
    if charge is not None and charge.refunded:
        if payment.status == PaymentStatus.REFUNDED:
            return None
        return Disagreement(
            kind="stripe_says_otherwise",
            payment_id=payment.pk,
            detail=_("Stripe gave the money back."),
            repair=partial(
                apply_charge,
                payment_id=payment.pk,
                charge=charge,
                source=MoveSource.RECONCILIATION,
            ),
        )
    if payment.status == PaymentStatus.PAID:
        return None
    return _otherwise(payment, session, repair=payment.can_move(PaymentStatus.PAID))


def _otherwise(payment: Payment, session: Session, *, repair: bool = False) -> Disagreement:
    source = MoveSource.RECONCILIATION
    catch_up = partial(apply_session, payment_id=payment.pk, session=session, source=source)
    return Disagreement(
        kind="stripe_says_otherwise",
        payment_id=payment.pk,
        detail=_("It is %(ours)s here and %(theirs)s at Stripe.")
        % {"ours": payment.status, "theirs": status_of(session)},
        repair=catch_up if repair else None,
    )


def _open_too_long(now: datetime) -> Iterator[Disagreement]:
    pending = Payment.objects.open_too_long(at=now)
    for payment in pending.order_by(F("created_at"), "pk").iterator(BATCH):
        yield Disagreement(
            kind="open_too_long",
            payment_id=payment.pk,
            detail=_("It is open since %(date)s.") % {"date": payment.created_at.date()},
        )
