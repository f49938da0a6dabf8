"""Stripe, behind plain data (payments/provider/types.py): the only module that knows the SDK.

Minor units are made and read here alone. What asks Stripe may not be called inside a database
transaction, and refuses with RuntimeError there: a slow answer would hold the transaction's locks,
and a row that is rolled back could not be matched with what was created for it.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connections

from payments.provider.types import (
    Charge,
    Event,
    InvalidEvent,
    InvalidSignature,
    KeyUsedOtherwise,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnavailable,
    Refund,
    Session,
    UnchargeableAmount,
)
from project.common import money
from project.common.lazily import load_lazily

if TYPE_CHECKING:
    import stripe
else:
    # 20 MiB and an eighth of a second, for processes that speak to Stripe.
    stripe = load_lazily("stripe")

logger = logging.getLogger(__name__)

type Json = Mapping[str, Any]

# The highest amount, in minor units, that Stripe takes in every currency (eight digits).
HIGHEST_MINOR_AMOUNT = 99_999_999
# The key, in metadata of a session and of its payment intent, that leads back to our payment.
PAYMENT_KEY = "payment_id"
# How reading fails when an answer is not what Stripe describes.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


def create_product(*, name: str, idempotency_key: str, metadata: dict[str, str]) -> str:
    """Create what is sold and return its id. Raises ProviderError."""
    return _ask(
        lambda client: client.v1.products.create(
            {"name": name, "metadata": metadata}, {"idempotency_key": idempotency_key}
        ),
        _read_id,
    )


def create_price(*, product_id: str, amount: Decimal, currency: str, idempotency_key: str) -> str:
    """Create the price of a product and return its id; Stripe never lets it change. Raises
    UnchargeableAmount before anything is sent, and ProviderError."""
    unit_amount = to_minor_units(amount, currency)
    return _ask(
        lambda client: client.v1.prices.create(
            {"product": product_id, "unit_amount": unit_amount, "currency": currency.lower()},
            {"idempotency_key": idempotency_key},
        ),
        _read_id,
        product_id,
    )


def create_session(
    *,
    payment_id: str,
    price_id: str,
    success_url: str,
    cancel_url: str,
    email: str,
    language: str,
    idempotency_key: str,
) -> Session:
    """Create the page where the payment is made; its address is `url`. Stripe puts the session's
    id in the place of `{CHECKOUT_SESSION_ID}` in `success_url`. Raises KeyUsedOtherwise if the key
    comes again with anything else changed, ProviderError."""
    metadata = {PAYMENT_KEY: payment_id}
    return _ask(
        lambda client: client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [{"price": price_id, "quantity": 1}],
                "success_url": success_url,
                "cancel_url": cancel_url,
                "client_reference_id": payment_id,
                "customer_email": email,
                "locale": language,
                "metadata": metadata,
                # Stripe does not copy the session's there, and a refund's event has only these.
                "payment_intent_data": {"metadata": metadata},
            },
            {"idempotency_key": idempotency_key},
        ),
        _read_session,
        payment_id,
        price_id,
    )


def retrieve_session(session_id: str) -> Session:
    """Ask what became of a session. Raises ProviderError."""
    return _ask(
        lambda client: client.v1.checkout.sessions.retrieve(
            session_id, {"expand": ["payment_intent"]}
        ),
        _read_session,
        session_id,
    )


def expire_session(session_id: str, *, idempotency_key: str) -> Session:
    """Close an open session, so that nobody can pay it. Raises ProviderRefused if it is not open
    any more (retrieve it then: it may have been paid meanwhile), ProviderError."""
    return _ask(
        lambda client: client.v1.checkout.sessions.expire(
            session_id, options={"idempotency_key": idempotency_key}
        ),
        _read_session,
        session_id,
    )


def retrieve_charge(payment_intent_id: str) -> Charge | None:
    """Ask how much was taken, and how much given back; None if nothing was charged yet.
    Raises ProviderError."""
    return _ask(
        lambda client: client.v1.payment_intents.retrieve(
            payment_intent_id, {"expand": ["latest_charge"]}
        ),
        lambda intent: _read_charge(intent["latest_charge"]) if intent["latest_charge"] else None,
        payment_intent_id,
    )


def refund(*, payment_intent_id: str, payment_id: str, idempotency_key: str) -> Refund:
    """Give back all that is left of a payment. Raises ProviderRefused if there is nothing left
    (reason `charge_already_refunded`), ProviderError."""
    return _ask(
        lambda client: client.v1.refunds.create(
            {
                "payment_intent": payment_intent_id,
                "reason": "requested_by_customer",
                "metadata": {PAYMENT_KEY: payment_id},
            },
            {"idempotency_key": idempotency_key},
        ),
        _read_refund,
        payment_intent_id,
    )


def parse_event(raw_body: bytes, signature_header: str) -> Event:
    """Verify a webhook over the bytes as they came, and read it. Needs no network, so it may run
    in a transaction. Raises InvalidSignature, InvalidEvent."""
    try:
        stripe.WebhookSignature.verify_header(
            raw_body,
            signature_header,
            settings.STRIPE_WEBHOOK_SECRET,
            tolerance=stripe.Webhook.DEFAULT_TOLERANCE,
        )
    # ValueError: bytes that are no UTF-8. TypeError: a signature in letters outside ASCII.
    except (ValueError, TypeError, stripe.SignatureVerificationError):
        raise InvalidSignature from None
    try:
        return _read_event(json.loads(raw_body))
    except UNREADABLE:
        raise InvalidEvent from None


def to_minor_units(amount: Decimal, currency: str) -> int:
    """Return the amount in the currency's smallest unit. Raises UnchargeableAmount for one that
    is not positive, above Stripe's limit, finer than the unit (nothing is ever rounded), or in a
    currency outside our table."""
    try:
        minor = amount.scaleb(money.exponent(currency))
    except KeyError:
        raise UnchargeableAmount from None
    # Stripe takes three-decimal currencies only in steps of ten of their smallest unit.
    step = 10 if currency in money.THREE_DECIMAL else 1
    if not minor.is_finite() or not 0 < minor <= HIGHEST_MINOR_AMOUNT or minor % step:
        raise UnchargeableAmount
    return int(minor)


def _from_minor_units(minor: int | None, currency: str | None) -> Decimal | None:
    if minor is None or currency is None:
        return None
    try:
        return Decimal(minor).scaleb(-money.exponent(currency))
    except KeyError:
        return None


# --- Asking ---------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _client(api_key: str, base: str, timeout: tuple[float, float]) -> "stripe.StripeClient":
    return stripe.StripeClient(
        api_key,
        base_addresses={"api": base},
        http_client=stripe.RequestsClient(timeout=timeout),
        max_network_retries=2,
    )


def _ask[Answer](
    call: "Callable[[stripe.StripeClient], stripe.StripeObject]",
    read: Callable[[Json], Answer],
    *identifiers: str,
) -> Answer:
    """Call Stripe outside any transaction; turn its answer into ours and its errors into ours.
    Raises ValueError if an identifier is empty: the SDK would ask for the list instead."""
    if not all(identifiers):
        msg = "an id of Stripe is empty"
        raise ValueError(msg)
    _refuse_inside_transaction()
    if not settings.STRIPE_API_KEY:
        raise ProviderMisconfigured
    client = _client(settings.STRIPE_API_KEY, settings.STRIPE_API_BASE, settings.STRIPE_TIMEOUT)
    try:
        answer = call(client).to_dict()
        if answer.get("livemode", _is_live()) != _is_live():
            logger.error("Stripe answered in the other mode than our key's")
            raise ProviderMisconfigured
        return read(answer)
    except stripe.StripeError as error:
        # Without its cause: that one's words may hold an e-mail address or a link.
        raise _translated(error) from None
    # The SDK itself fails like that on an error that is no object, and so do our readers.
    except UNREADABLE as error:
        logger.error("Stripe's answer can't be read: %s", type(error).__name__)  # noqa: TRY400
        raise ProviderUnavailable from None


def _translated(error: "stripe.StripeError") -> ProviderError:
    """Log what leads to the request at Stripe and no word of its content; choose our error."""
    logger.error(
        "Stripe: %s, status %s, code %s, request %s",
        type(error).__name__,
        error.http_status,
        error.code,
        error.request_id,
    )
    match error:
        case stripe.AuthenticationError() | stripe.PermissionError():
            return ProviderMisconfigured()
        case stripe.IdempotencyError():
            return KeyUsedOtherwise()
        case stripe.InvalidRequestError() | stripe.CardError():
            return ProviderRefused(error.code or "")
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return ProviderUnavailable(needs_new_key=headers.get("idempotent-replayed") == "true")


def _refuse_inside_transaction() -> None:
    """Raise RuntimeError inside `transaction.atomic()`. The same rule as Django's own
    `atomic(durable=True)`: the block that a TestCase wraps around a test does not count."""
    for connection in connections.all(initialized_only=True):
        blocks = connection.atomic_blocks
        if blocks and not blocks[-1]._from_testcase:  # type: ignore[attr-defined]  # noqa: SLF001
            msg = "Stripe may not be called inside a database transaction"
            raise RuntimeError(msg)


def _is_live() -> bool:
    return "_live_" in settings.STRIPE_API_KEY


# --- Reading --------------------------------------------------------------------------------


def _read_id(answer: Json) -> str:
    if answer["object"] not in {"product", "price"}:
        msg = "neither a product nor a price"
        raise ValueError(msg)
    return _name(answer["id"])


def _read_session(answer: Json) -> Session:
    currency = answer["currency"].upper() if answer["currency"] else None
    # Its id, or the whole of it if we asked for that.
    intent = answer["payment_intent"]
    return Session(
        id=_name(answer["id"]),
        status=answer["status"],
        payment_status=answer["payment_status"],
        url=answer["url"],
        expires_at=_moment(answer["expires_at"]),
        amount=_from_minor_units(answer["amount_total"], currency),
        currency=currency,
        client_reference_id=answer["client_reference_id"],
        payment_intent_id=_id_of(intent),
        payment_failed=(
            answer["status"] == "complete"
            and isinstance(intent, Mapping)
            and intent["status"] in {"requires_payment_method", "canceled"}
        ),
    )


def _read_charge(answer: Json) -> Charge:
    currency = answer["currency"].upper()
    return Charge(
        id=answer["id"],
        payment_intent_id=_id_of(answer["payment_intent"]),
        payment_id=(answer["metadata"] or {}).get(PAYMENT_KEY),
        amount=_from_minor_units(answer["amount"], currency),
        amount_refunded=_from_minor_units(answer["amount_refunded"], currency),
        currency=currency,
        refunded=answer["refunded"],
    )


def _read_refund(answer: Json) -> Refund:
    currency = answer["currency"].upper()
    return Refund(
        id=answer["id"],
        status=answer["status"],
        payment_intent_id=_id_of(answer["payment_intent"]),
        charge_id=_id_of(answer["charge"]),
        amount=_from_minor_units(answer["amount"], currency),
        currency=currency,
    )


def _read_event(answer: Json) -> Event:
    event = Event(
        id=_name(answer["id"]),
        type=_name(answer["type"]),
        created=_moment(answer["created"]),
        livemode=answer["livemode"],
    )
    if event.livemode != _is_live():
        logger.warning("Event %s is of the other mode than our key", event.id)
        return event
    match event.type.split("."):
        case ["checkout", "session", kind]:
            session = _read_session(answer["data"]["object"])
            failed = session.payment_failed or kind == "async_payment_failed"
            return replace(event, session=replace(session, payment_failed=failed))
        case ["charge", "refunded"]:
            return replace(event, charge=_read_charge(answer["data"]["object"]))
        case ["refund", _]:
            return replace(event, refund=_read_refund(answer["data"]["object"]))
    return event


def _id_of(reference: str | Json | None) -> str | None:
    """Return the id, whether Stripe sent it or the whole object in its place."""
    if reference is None:
        return None
    return _name(reference["id"] if isinstance(reference, Mapping) else reference)


def _name(text: str) -> str:
    """Return an id or a type; TypeError or ValueError for what none of ours could be stored as."""
    if not re.fullmatch(r"[!-~]{1,255}", text):
        msg = "no name of Stripe's"
        raise ValueError(msg)
    return text


def _moment(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
