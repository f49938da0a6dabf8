"""The page at Stripe where a payment is made: opened, kept, closed.

Nothing here runs in a transaction while Stripe is asked. The row is there first, its keys name it
at Stripe, and what Stripe created is written down afterwards: whatever breaks in between, another
try gets the same session, and nobody ever saw a second one.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.models import (
    AutomaticReason,
    Finding,
    FindingKind,
    MoveSource,
    Payment,
    PaymentMethod,
    PaymentStatus,
    StripePrice,
)
from payments.models.states import OPEN_STATUSES
from payments.provider import stripe
from payments.provider.types import (
    KeyUsedOtherwise,
    ProviderError,
    ProviderRefused,
    Session,
    UnchargeableAmount,
)
from payments.services.findings import close_findings, note_refused_price, target_reference
from payments.services.modes import is_here
from payments.services.stripe_events import apply_session, remember_session, status_of
from payments.services.transitions import (
    Cause,
    IllegalMove,
    lock_payment,
    move_locked,
    move_payment,
)
from people.models import User
from project.common.frontend import payment_page
from project.common.mailboxes import for_sending

# How long a page may be paid on. Stripe wants half an hour at the least when it makes one, and the
# request may take a while.
OPEN_FOR = timedelta(hours=2)
OPEN_AT_LEAST = timedelta(minutes=35)

TOO_LATE = _("It is too late to cancel this order.")


def open_session(payment: Payment, *, user: User) -> tuple[Payment, bool]:
    """Create what Stripe needs for the payment; return it with its page, and whether this call
    made the page and no parallel one. Raises UnchargeableAmount, ProviderError; what Stripe refuses
    is noted for staff."""
    try:
        session = _create_session(payment, user)
    except ProviderRefused as error:
        Payment.objects.filter(pk=payment.pk).update(
            refusal=f"{error.words} ({error.reason})"[:500], refused_at=timezone.now()
        )
        if not isinstance(error, KeyUsedOtherwise):
            note_refused_price(payment, error.reason, error.words)
        if error.is_about_amount:
            raise UnchargeableAmount from error
        raise
    with transaction.atomic():
        payment = lock_payment(payment.pk)
        # A parallel request may have kept the page, or closed the payment.
        is_first = payment.is_half_made
        if is_first:
            remember_session(payment, session)
            taken = Finding.objects.filter(reference=target_reference(payment))
            close_findings(taken.filter(kind=FindingKind.PRICE_REFUSED))
    return payment, is_first


def _create_session(payment: Payment, user: User) -> Session:
    """A price that Stripe does not take, as it is archived or of another account, is made anew; for
    an address that it does not take it asks the buyer."""
    email = for_sending(user.email)
    try:
        return _try_to_create_session(payment, email, user.language)
    except ProviderRefused as error:
        if error.is_about_email:
            email = ""
        elif error.is_about_price:
            for price in _known_prices(payment):
                price.delete()
        else:
            raise
    return _try_to_create_session(payment, email, user.language)


def _try_to_create_session(payment: Payment, email: str, language: str) -> Session:
    page = payment_page(payment.pk)
    try:
        return stripe.create_session(
            payment_id=str(payment.token),
            price_id=_ensure_price(payment),
            success_url=page,
            cancel_url=page,
            title=payment.title,
            email=email,
            language=language,
            expires_at=_closing_time(payment),
            idempotency_key=_key(payment, "session"),
        )
    except ProviderError as error:
        if error.needs_new_key:
            _take_new_keys(payment)
        raise


def _closing_time(payment: Payment) -> datetime:
    """When the page will close: stored before it is asked for, so that another try asks for the
    same. When too little is left of it, another page is asked for."""
    planned, now = payment.session_expires_at, timezone.now()
    if planned is None or planned < now + OPEN_AT_LEAST:
        same = Payment.objects.filter(pk=payment.pk, session_expires_at=planned)
        attempt = F("attempt") if planned is None else F("attempt") + 1
        same.update(session_expires_at=now + OPEN_FOR, attempt=attempt)
        payment.refresh_from_db(fields=["session_expires_at", "attempt"])
    assert payment.session_expires_at is not None  # noqa: S101 - whoever asked first stored it
    return payment.session_expires_at


def close_session(payment: Payment) -> None:
    """Make sure that nobody can pay on the page any more; if somebody has, the payment is paid. An
    order in cash or by transfer needs nobody else. Raises ProviderError, and then nothing is
    changed."""
    if not payment.session_id:
        at_stripe = payment.method == PaymentMethod.STRIPE
        why = AutomaticReason.PAGE_NEVER_MADE if at_stripe else AutomaticReason.PAID_OTHERWISE
        cause = Cause(source=MoveSource.CHECKOUT, reason=why)
        move_payment(payment_id=payment.pk, to=PaymentStatus.EXPIRED, cause=cause)
    else:
        _store(payment, _end_session(payment), MoveSource.CHECKOUT)


def cancel_payment(payment: Payment, *, by: User) -> None:
    """Call off an order that the buyer has not paid for, after closing its page at Stripe. One that
    is cancelled stays so. Raises IllegalMove if it is settled, or money came or is on its way, which
    is stored; ProviderError, and then nothing is changed."""
    if payment.status == PaymentStatus.CANCELLED:
        return
    if payment.status != PaymentStatus.PENDING:
        raise IllegalMove(TOO_LATE)
    cause = Cause(source=MoveSource.BUYER, by=by)
    session = _end_session(payment) if payment.session_id else None
    if session is None or status_of(session) == PaymentStatus.EXPIRED:
        move_payment(payment_id=payment.pk, to=PaymentStatus.CANCELLED, cause=cause)
        return
    apply_session(payment_id=payment.pk, session=session, source=MoveSource.BUYER)
    raise IllegalMove(TOO_LATE)


def _end_session(payment: Payment) -> Session | None:
    """Close the page at Stripe; return the session as it is then, None if Stripe does not know it."""
    if not is_here(payment):
        return None
    try:
        return stripe.expire_session(payment.session_id, idempotency_key=_key(payment, "close"))
    except ProviderRefused:
        return _find_session(payment)


def _find_session(payment: Payment) -> Session | None:
    try:
        return stripe.retrieve_session(payment.session_id)
    except ProviderRefused as error:
        if error.is_unknown:
            return None
        raise


def ask_stripe(payment: Payment, *, source: MoveSource) -> Payment:
    """Retrieve the session of a payment that is still open, store what it says, and return the
    payment. One that was made in another mode or account waits until its page is closed. Raises
    ProviderError."""
    if not payment.session_id or payment not in Payment.objects.open_at_stripe():
        return payment
    if is_here(payment):
        return _store(payment, _find_session(payment), source)
    if payment.status == PaymentStatus.PENDING and not payment.payment_url:
        cause = Cause(source=source, reason=AutomaticReason.SESSION_UNKNOWN)
        # It may have moved meanwhile.
        with suppress(IllegalMove):
            move_payment(payment_id=payment.pk, to=PaymentStatus.EXPIRED, cause=cause)
        return Payment.objects.get(pk=payment.pk)
    return payment


@transaction.atomic
def _store(payment: Payment, session: Session | None, source: MoveSource) -> Payment:
    """Move the payment as its session says. Without one, as Stripe does not know it in this mode of
    this account, it leads to nothing any more."""
    payment = lock_payment(payment.pk)
    if session is not None:
        apply_session(payment_id=payment.pk, session=session, source=source)
        return Payment.objects.get(pk=payment.pk)
    if payment.status in OPEN_STATUSES:
        is_pending = payment.status == PaymentStatus.PENDING
        to = PaymentStatus.EXPIRED if is_pending else PaymentStatus.FAILED
        cause = Cause(source=source, reason=AutomaticReason.SESSION_UNKNOWN)
        move_locked(payment, to=to, cause=cause)
    return payment


def _ensure_price(payment: Payment) -> str:
    """Return the id of a price at Stripe for the payment's thing, title and amount; create it if
    there is none yet. Two at once may create two: each is right, and the older one is used from
    then on."""
    for known in _known_prices(payment):
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
    here = stripe.known_account()
    StripePrice.objects.get_or_create(
        price_id=price_id,
        defaults=_terms(payment)
        | {"product_id": product_id, "livemode": here.livemode, "account_id": here.id},
    )
    return price_id


def _known_prices(payment: Payment) -> list[StripePrice]:
    """Prices that the payment can be made with, the oldest first."""
    here = stripe.known_account()
    return [
        price
        for price in StripePrice.objects.filter(**_terms(payment)).order_by("id")
        if price.may_be_in(livemode=here.livemode, account_id=here.id)
    ]


def _terms(payment: Payment) -> dict[str, object]:
    columns = ("course_id", "lesson_id", "title", "amount", "currency")
    return {column: getattr(payment, column) for column in columns}


def _take_new_keys(payment: Payment) -> None:
    """Once for all that ask at the same time."""
    same = Payment.objects.filter(pk=payment.pk, attempt=payment.attempt)
    same.update(attempt=F("attempt") + 1)
    payment.refresh_from_db(fields=["attempt"])


def _ids_of_target(payment: Payment) -> dict[str, str]:
    if payment.lesson_id is not None:
        return {"lesson_id": str(payment.lesson_id)}
    return {"course_id": str(payment.course_id)}


def _key(payment: Payment, purpose: str) -> str:
    """Name one wish of one payment at Stripe, so that it is granted once however often asked."""
    amount = f"{payment.amount}{payment.currency}"
    return f"parta:{payment.token}:{amount}:{purpose}:{payment.attempt}"
