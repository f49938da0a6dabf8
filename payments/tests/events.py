"""Events of Stripe's about payments of ours, in its own shapes, without anybody to send them."""

import time

from payments.models import Payment
from payments.provider import stripe
from payments.stripe_sandbox import objects
from payments.stripe_sandbox.wire import Json


def a_session(payment: Payment, **changes: object) -> Json:
    """The session of a payment, as long as nobody has paid."""
    now = int(time.time())
    bought = {
        "unit_amount": stripe.to_minor_units(payment.amount, payment.currency),
        "currency": payment.currency.lower(),
    }
    form = {
        "success_url": "https://school.example",
        "client_reference_id": str(payment.token),
        "metadata": {"payment_id": str(payment.token)},
    }
    line = objects.line_item(bought, description=payment.title, quantity=1)
    made = objects.session(form, lines=[line], expires_at=now + 1800, base_url="", now=now)
    return made | ({"id": payment.session_id} if payment.session_id else {}) | changes


def a_charge(payment: Payment, **changes: object) -> Json:
    """The money of a payment, given back."""
    now = int(time.time())
    metadata = {"payment_id": str(payment.token)}
    intent = objects.payment_intent(a_session(payment), metadata=metadata, now=now)
    charge = objects.charge(intent | {"id": payment.payment_intent_id or "pi_new"}, now=now)
    return charge | {"refunded": True, "amount_refunded": charge["amount"]} | changes


def a_refund(payment: Payment, **changes: object) -> Json:
    charge = a_charge(payment)
    made = objects.refund({}, charged=charge, amount=charge["amount"], now=int(time.time()))
    return made | changes


def an_event(kind: str, subject: Json, **changes: object) -> Json:
    return objects.event(kind, subject, key=None, now=int(time.time())) | changes
