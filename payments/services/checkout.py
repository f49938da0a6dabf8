"""The page at Stripe where a payment is made: opened, kept, closed.

Nothing here runs in a transaction while Stripe is asked. The row is there first, its keys name it
at Stripe, and what Stripe created is written down afterwards: whatever breaks in between, another
try gets the same session, and nobody ever saw a second one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from payments.models import AutomaticReason, MoveSource, Payment, PaymentStatus, StripePrice
from payments.provider import stripe
from payments.provider.types import (
    KeyUsedOtherwise,
    Order,
    ProviderRefused,
    ProviderUnavailable,
    Session,
)
from payments.services.stripe_events import apply_session
from payments.services.transitions import Cause, lock_payment, move_payment
from people.models import User


@dataclass(frozen=True, kw_only=True, slots=True)
class Pages:
    """Where Stripe sends the buyer. `success_url` holds the literal `{CHECKOUT_SESSION_ID}`."""

    success_url: str
    cancel_url: str


# The addresses for one payment, told by whoever knows how the world reaches us.
PagesOf = Callable[[Payment], Pages]


def open_session(payment: Payment, *, buyer: User, pages: PagesOf) -> tuple[Payment, bool]:
    """Create what Stripe needs for the payment; return it with its page, and whether this call
    made the page and no parallel one. Raises ProviderError."""
    try:
        session = _create_session(payment, buyer, pages)
    except ProviderUnavailable as error:
        if error.replayed:
            _use_new_keys(payment)
        raise
    except KeyUsedOtherwise:
        _use_new_keys(payment)
        raise
    return _keep_session(payment.pk, session)


def close_session(payment: Payment) -> Payment:
    """Make sure that nobody can pay on the page any more; if somebody has, the payment is paid.
    Raises ProviderError, and then nothing is changed."""
    if not payment.session_id:
        return _expire(payment)
    try:
        session = stripe.expire_session(payment.session_id, idempotency_key=_key(payment, "close"))
    except ProviderRefused:
        session = stripe.retrieve_session(payment.session_id)
    apply_session(payment_id=payment.pk, session=session, source=MoveSource.CHECKOUT)
    return Payment.objects.get(pk=payment.pk)


def ask_stripe(payment: Payment, *, source: MoveSource) -> Payment:
    """Retrieve the session of a payment that is still open, store what it says, and return the
    payment. Raises ProviderError."""
    if payment.session_id and payment in Payment.objects.open_at_stripe():
        session = stripe.retrieve_session(payment.session_id)
        apply_session(payment_id=payment.pk, session=session, source=source)
        payment = Payment.objects.get(pk=payment.pk)
    return payment


def _create_session(payment: Payment, buyer: User, pages: PagesOf) -> Session:
    addresses = pages(payment)
    order = Order(
        payment_id=str(payment.token),
        price_id=_ensure_price(payment).price_id,
        success_url=addresses.success_url,
        cancel_url=addresses.cancel_url,
        customer_email=buyer.email,
        language=buyer.language,
    )
    return stripe.create_session(order, idempotency_key=_key(payment, "session"))


def _ensure_price(payment: Payment) -> StripePrice:
    """Return a price at Stripe for the payment's thing, title and amount; create it if there is
    none yet. Two at once may create two: each is right, and the older one is used from then on."""
    known = StripePrice.objects.matching(payment).first()
    if known is not None:
        return known
    product = stripe.create_product(
        name=payment.title,
        idempotency_key=_key(payment, "product"),
        metadata={"course_id": str(payment.course_id), "lesson_id": str(payment.lesson_id)},
    )
    price = stripe.create_price(
        product_id=product.id,
        amount=payment.amount,
        currency=payment.currency,
        idempotency_key=_key(payment, "price"),
    )
    record, _is_new = StripePrice.objects.get_or_create(
        price_id=price.id,
        defaults={
            "course_id": payment.course_id,
            "lesson_id": payment.lesson_id,
            "title": payment.title,
            "amount": payment.amount,
            "currency": payment.currency,
            "product_id": product.id,
        },
    )
    return record


def _key(payment: Payment, purpose: str) -> str:
    """Name one wish of one payment at Stripe, so that it is granted once however often asked."""
    amount = f"{payment.amount}{payment.currency}"
    return f"parta:{payment.token}:{amount}:{purpose}:{payment.attempt}"


def _use_new_keys(payment: Payment) -> None:
    """Stripe answers the present keys with an old failure, or for other parameters."""
    same = Payment.objects.filter(pk=payment.pk, attempt=payment.attempt)
    same.update(attempt=F("attempt") + 1)


@transaction.atomic
def _keep_session(payment_id: int, session: Session) -> tuple[Payment, bool]:
    """Write down the session, unless a parallel request has done so, or the payment was closed."""
    payment = lock_payment(payment_id)
    is_first = payment.is_half_made
    if is_first:
        payment.session_id = session.id
        payment.session_url = session.url or ""
        payment.session_expires_at = session.expires_at
        payment.payment_intent_id = session.payment_intent_id or ""
        payment.checked_at = timezone.now()
        payment.save(
            update_fields=[
                "session_id",
                "session_url",
                "session_expires_at",
                "payment_intent_id",
                "checked_at",
            ]
        )
    return payment, is_first


def _expire(payment: Payment) -> Payment:
    cause = Cause(source=MoveSource.CHECKOUT, reason=AutomaticReason.PAGE_NEVER_MADE)
    payment, _moved = move_payment(payment_id=payment.pk, to=PaymentStatus.EXPIRED, cause=cause)
    return payment
