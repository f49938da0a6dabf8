"""The page at Stripe where a payment is made: opened, kept, closed.

Nothing here runs in a transaction while Stripe is asked. The row is there first, its keys name it
at Stripe, and what Stripe created is written down afterwards: whatever breaks in between, another
try gets the same session, and nobody ever saw a second one.
"""

from collections.abc import Callable

from django.db import transaction
from django.db.models import F
from django.urls import reverse

from payments.models import AutomaticReason, MoveSource, Payment, PaymentStatus, StripePrice
from payments.provider import stripe
from payments.provider.types import ProviderError, ProviderRefused, Session
from payments.services.stripe_events import apply_session, remember_session, status_of
from payments.services.transitions import Cause, IllegalMove, lock_payment, move_payment
from people.models import User


def open_session(
    payment: Payment, *, user: User, absolute_url: Callable[[str], str]
) -> tuple[Payment, bool]:
    """Create what Stripe needs for the payment; return it with its page, and whether this call
    made the page and no parallel one. `absolute_url` completes the paths of our own pages. Raises
    ProviderError."""
    success = absolute_url(reverse("payments:success", args=[payment.token]))
    try:
        session = stripe.create_session(
            payment_id=str(payment.token),
            price_id=_ensure_price(payment),
            success_url=f"{success}?session_id={{CHECKOUT_SESSION_ID}}",
            cancel_url=absolute_url(reverse("payments:cancelled", args=[payment.token])),
            email=user.email,
            language=user.language,
            idempotency_key=_key(payment, "session"),
        )
    except ProviderError as error:
        if error.needs_new_key:
            same = Payment.objects.filter(pk=payment.pk, attempt=payment.attempt)
            same.update(attempt=F("attempt") + 1)
        raise
    with transaction.atomic():
        payment = lock_payment(payment.pk)
        # A parallel request may have kept the page, or closed the payment.
        is_first = payment.is_half_made
        if is_first:
            remember_session(payment, session)
    return payment, is_first


def close_session(payment: Payment) -> Payment:
    """Make sure that nobody can pay on the page any more; if somebody has, the payment is paid.
    Raises ProviderError, and then nothing is changed."""
    if not payment.session_id:
        cause = Cause(source=MoveSource.CHECKOUT, reason=AutomaticReason.PAGE_NEVER_MADE)
        return move_payment(payment_id=payment.pk, to=PaymentStatus.EXPIRED, cause=cause)[0]
    session = _end_session(payment)
    apply_session(payment_id=payment.pk, session=session, source=MoveSource.CHECKOUT)
    return Payment.objects.get(pk=payment.pk)


def cancel_payment(payment: Payment, *, by: User) -> None:
    """Call off an order that the buyer has not paid for, after closing its page at Stripe. One that
    is cancelled stays so. Raises IllegalMove if it is settled, or money came or is on its way, which
    is stored; ProviderError, and then nothing is changed."""
    if payment.status == PaymentStatus.CANCELLED:
        return
    if payment.status != PaymentStatus.PENDING:
        raise IllegalMove
    cause = Cause(source=MoveSource.BUYER, by=by)
    session = _end_session(payment) if payment.session_id else None
    if session is None or status_of(session) == PaymentStatus.EXPIRED:
        move_payment(payment_id=payment.pk, to=PaymentStatus.CANCELLED, cause=cause)
        return
    apply_session(payment_id=payment.pk, session=session, source=MoveSource.BUYER)
    raise IllegalMove


def _end_session(payment: Payment) -> Session:
    """Close the page at Stripe; return the session as it is then."""
    try:
        return stripe.expire_session(payment.session_id, idempotency_key=_key(payment, "close"))
    except ProviderRefused:
        return stripe.retrieve_session(payment.session_id)


def ask_stripe(payment: Payment, *, source: MoveSource) -> Payment:
    """Retrieve the session of a payment that is still open, store what it says, and return the
    payment. Raises ProviderError."""
    if payment.session_id and payment in Payment.objects.open_at_stripe():
        session = stripe.retrieve_session(payment.session_id)
        apply_session(payment_id=payment.pk, session=session, source=source)
        payment = Payment.objects.get(pk=payment.pk)
    return payment


def _ensure_price(payment: Payment) -> str:
    """Return the id of a price at Stripe for the payment's thing, title and amount; create it if
    there is none yet. Two at once may create two: each is right, and the older one is used from
    then on."""
    columns = ("course_id", "lesson_id", "title", "amount", "currency")
    terms = {column: getattr(payment, column) for column in columns}
    known = StripePrice.objects.filter(**terms).order_by("id").first()
    if known is not None:
        return known.price_id
    product_id = stripe.create_product(
        name=payment.title,
        idempotency_key=_key(payment, "product"),
        metadata=_ids_of_target(payment),
    )
    price_id = stripe.create_price(
        product_id=product_id,
        amount=payment.amount,
        currency=payment.currency,
        idempotency_key=_key(payment, "price"),
    )
    StripePrice.objects.get_or_create(
        price_id=price_id, defaults={**terms, "product_id": product_id}
    )
    return price_id


def _ids_of_target(payment: Payment) -> dict[str, str]:
    if payment.lesson_id is not None:
        return {"lesson_id": str(payment.lesson_id)}
    return {"course_id": str(payment.course_id)}


def _key(payment: Payment, purpose: str) -> str:
    """Name one wish of one payment at Stripe, so that it is granted once however often asked."""
    amount = f"{payment.amount}{payment.currency}"
    return f"parta:{payment.token}:{amount}:{purpose}:{payment.attempt}"
