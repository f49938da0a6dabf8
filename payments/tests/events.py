"""Events of Stripe's about payments of ours, in its own shapes, without anybody to send them."""

import time

from payments.models import Payment
from payments.provider import stripe
from payments.stripe_sandbox.forms import Json
from payments.stripe_sandbox.objects import make


def a_session(payment: Payment, **changes: object) -> Json:
    """The session of a payment, as long as nobody has paid."""
    now = int(time.time())
    amount = stripe.to_minor_units(payment.amount, payment.currency)
    made = make(
        "checkout.session",
        now=now,
        amount_subtotal=amount,
        amount_total=amount,
        currency=payment.currency.lower(),
        client_reference_id=str(payment.token),
        metadata={"payment_id": str(payment.token)},
        expires_at=now + 1800,
        success_url="https://school.example",
        url="https://checkout.stripe.example",
    )
    return made | ({"id": payment.session_id} if payment.session_id else {}) | changes


def a_charge(payment: Payment, **changes: object) -> Json:
    """The money of a payment, given back."""
    amount = stripe.to_minor_units(payment.amount, payment.currency)
    made = make(
        "charge",
        now=int(time.time()),
        amount=amount,
        amount_captured=amount,
        amount_refunded=amount,
        currency=payment.currency.lower(),
        metadata={"payment_id": str(payment.token)},
        payment_intent=payment.payment_intent_id or "pi_new",
        refunded=True,
    )
    return made | changes


def a_refund(payment: Payment, **changes: object) -> Json:
    charge = a_charge(payment)
    fields = {name: charge[name] for name in ("amount", "currency", "payment_intent")}
    return make("refund", now=int(time.time()), charge=charge["id"], **fields) | changes


def a_dispute(payment: Payment, **changes: object) -> Json:
    charge = a_charge(payment)
    fields = {name: charge[name] for name in ("amount", "currency", "payment_intent")}
    made = make("dispute", now=int(time.time()), charge=charge["id"], **fields)
    made["evidence_details"]["due_by"] = int(time.time()) + 7 * 24 * 3600
    return made | changes


def an_event(kind: str, subject: Json, **changes: object) -> Json:
    now = int(time.time())
    return make("event", now=now, type=kind, data={"object": subject}) | changes
