"""Stripe, behind plain data (payments/provider/types.py). Only this package knows the SDK.

Minor units are made and read here alone. What asks Stripe may not be called inside a database
transaction, and refuses with RuntimeError there: a slow answer would hold the transaction's locks,
and a row that is rolled back could not be matched with what was created for it.
"""

import json
import logging
import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from unicodedata import normalize

from django.conf import settings

from payments.provider.asking import ask
from payments.provider.reading import (
    PAYMENT_KEY,
    REFUND_KEY,
    UNREADABLE,
    Json,
    is_live,
    read_account,
    read_event,
    read_id,
    read_refund,
    read_session,
    read_thin_event,
)
from payments.provider.types import (
    Account,
    Event,
    InvalidEvent,
    InvalidSignature,
    ProviderMisconfigured,
    ProviderRefund,
    ProviderRefused,
    Session,
    UnchargeableAmount,
)
from project.common import money
from project.common.lazily import load_lazily

if TYPE_CHECKING:
    import stripe
    from stripe.params import EventListParams, RefundListParams
    from stripe.params.checkout import SessionCreateParams
else:
    stripe = load_lazily("stripe")

logger = logging.getLogger(__name__)

# The events that change something here: an endpoint of the webhook needs these.
EVENTS = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)


# Whose each key is: asked once per process.
_accounts: dict[str, str] = {}


def known_account() -> Account:
    """Where our key leads, as far as this process knows. Asks nobody."""
    return Account(is_live(), _accounts.get(settings.STRIPE_API_KEY, ""))


def ask_account() -> Account:
    """Where our key leads; asks Stripe the first time. Raises ProviderUnavailable."""
    if settings.STRIPE_API_KEY not in _accounts:
        try:
            account_id = ask(lambda client: client.v1.accounts.retrieve_current(), read_account)
        except (ProviderMisconfigured, ProviderRefused):
            account_id = ""
        _accounts[settings.STRIPE_API_KEY] = account_id
    return known_account()


def create_product(*, name: str, idempotency_key: str, metadata: dict[str, str]) -> str:
    """Create what is sold and return its id. Raises ProviderError."""
    return ask(
        lambda client: client.v1.products.create(
            {"name": name, "metadata": metadata}, {"idempotency_key": idempotency_key}
        ),
        read_id,
    )


def create_price(*, product_id: str, amount: Decimal, currency: str, idempotency_key: str) -> str:
    """Create the price of a product and return its id; Stripe never lets it change. Raises
    UnchargeableAmount before anything is sent, and ProviderError."""
    unit_amount = to_minor_units(amount, currency)
    return ask(
        lambda client: client.v1.prices.create(
            {"product": product_id, "unit_amount": unit_amount, "currency": currency.lower()},
            {"idempotency_key": idempotency_key},
        ),
        read_id,
        product_id,
    )


def create_session(  # noqa: PLR0913 - what Stripe shows, and for how long
    *,
    payment_id: str,
    price_id: str,
    success_url: str,
    cancel_url: str,
    title: str,
    email: str,
    language: str,
    expires_at: datetime,
    idempotency_key: str,
) -> Session:
    """Create the page where the payment is made; its address is `url`. It asks for an `email` that is
    empty. Stripe puts the session's
    id in the place of `{CHECKOUT_SESSION_ID}` in `success_url`. Raises KeyUsedOtherwise if the key
    comes again with anything else changed, ProviderError."""
    metadata = {PAYMENT_KEY: payment_id}
    parameters: SessionCreateParams = {
        "mode": "payment",
        "line_items": [{"price": price_id, "quantity": 1}],
        "success_url": success_url,
        "cancel_url": cancel_url,
        "client_reference_id": payment_id,
        "locale": language,
        "metadata": metadata,
        "expires_at": int(expires_at.timestamp()),
        # The account may add tax of itself: then the total would not be the price.
        "automatic_tax": {"enabled": False},
        # It may let the buyer pay in another currency. Whatever else changes a total (discounts,
        # shipping, quantities, options) has to be asked for.
        "adaptive_pricing": {"enabled": False},
        # Stripe does not copy the session's metadata there, and a refund's event has only these.
        "payment_intent_data": {"metadata": metadata, "description": title},
    }
    if email:
        parameters["customer_email"] = email
    if suffix := statement_suffix(title):
        parameters["payment_intent_data"]["statement_descriptor_suffix"] = suffix
    if settings.STRIPE_RECEIPTS == "email" and email:
        parameters["payment_intent_data"]["receipt_email"] = email
    elif settings.STRIPE_RECEIPTS == "invoice":
        parameters["invoice_creation"] = {"enabled": True}
    return ask(
        lambda client: client.v1.checkout.sessions.create(
            parameters, {"idempotency_key": idempotency_key}
        ),
        read_session,
        payment_id,
        price_id,
    )


def statement_suffix(title: str) -> str:
    """What the buyer's bank shows of a title: at most 22 characters of ASCII with a Latin letter
    among them and none of `<>\\'"*`. Empty where a title leaves nothing of the kind."""
    ascii_only = normalize("NFKD", title).encode("ascii", "ignore").decode()
    suffix = " ".join(re.sub(r"[^ -~]|[<>\\'\"*]", " ", ascii_only).split())[:22].strip()
    return suffix if re.search("[A-Za-z]", suffix) else ""


def retrieve_session(session_id: str) -> Session:
    """Ask what became of a session. Raises ProviderError."""
    return ask(
        lambda client: client.v1.checkout.sessions.retrieve(
            session_id, {"expand": ["payment_intent.latest_charge"]}
        ),
        read_session,
        session_id,
    )


def expire_session(session_id: str, *, idempotency_key: str) -> Session:
    """Close an open session, so that nobody can pay it. Raises ProviderRefused if it is not open
    any more (retrieve it then: it may have been paid meanwhile), ProviderError."""
    return ask(
        lambda client: client.v1.checkout.sessions.expire(
            session_id, options={"idempotency_key": idempotency_key}
        ),
        read_session,
        session_id,
    )


def refund(
    *,
    payment_intent_id: str,
    amount: Decimal,
    currency: str,
    payment_id: str,
    refund_token: str,
) -> ProviderRefund:
    """Give back a part of a payment, or all of it; once for each `refund_token`, however often it
    is called. Raises ProviderRefused, as with the reasons `charge_already_refunded` and
    `charge_disputed`; ProviderError."""
    minor = to_minor_units(amount, currency)
    return ask(
        lambda client: client.v1.refunds.create(
            {
                "payment_intent": payment_intent_id,
                "amount": minor,
                "reason": "requested_by_customer",
                "metadata": {PAYMENT_KEY: payment_id, REFUND_KEY: refund_token},
            },
            {"idempotency_key": f"parta:refund:{refund_token}"},
        ),
        read_refund,
        payment_intent_id,
    )


def list_refunds(payment_intent_id: str) -> list[ProviderRefund]:
    """Every refund of a payment, whoever asked for it. Raises ProviderError."""
    refunds: list[ProviderRefund] = []
    parameters: RefundListParams = {"payment_intent": payment_intent_id, "limit": 100}
    more = True
    while more:
        found, more = ask(
            lambda client: client.v1.refunds.list(parameters),
            lambda answer: (
                [read_refund(refund) for refund in answer["data"]], answer["has_more"] is True,
            ),
            payment_intent_id,
        )  # fmt: skip
        refunds += found
        if found:
            parameters["starting_after"] = found[-1].id
    return refunds


def list_events(*, since: datetime) -> list[Event]:
    """What happened since then and concerns us, the earliest first; Stripe goes back thirty days.
    Events that can't be read are left out, with a line in the log. Raises ProviderError."""
    events: list[Event] = []
    parameters: EventListParams = {
        "limit": 100,
        "created": {"gte": int(since.timestamp())},
        "types": list(EVENTS),
    }
    more = True
    while more:
        found, more, last = ask(
            lambda client: client.v1.events.list(parameters), _read_page_of_events
        )
        events += found
        parameters["starting_after"] = last
    return events[::-1]


def _read_page_of_events(answer: Json) -> tuple[list[Event], bool, str]:
    events = []
    for told in answer["data"]:
        try:
            events.append(read_event(told))
        except UNREADABLE as error:
            logger.error("An event can't be read: %s", type(error).__name__)  # noqa: TRY400
    last = answer["data"][-1]["id"] if answer["data"] else ""
    return events, answer["has_more"] is True, last


def parse_event(raw_body: bytes, signature_header: str) -> Event:
    """Verify a webhook over the bytes as they came, and read it. Needs no network, so it may run
    in a transaction. Raises InvalidSignature, InvalidEvent."""
    secrets = settings.STRIPE_WEBHOOK_SECRETS
    if not any(_is_signed(raw_body, signature_header, secret) for secret in secrets):
        raise InvalidSignature
    try:
        answer = json.loads(raw_body)
        is_thin = answer["object"] == "v2.core.event"
        return read_thin_event(answer) if is_thin else read_event(answer)
    except UNREADABLE:
        raise InvalidEvent from None


def _is_signed(raw_body: bytes, signature_header: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(
            raw_body, signature_header, secret, tolerance=stripe.Webhook.DEFAULT_TOLERANCE
        )
    # ValueError: bytes that are no UTF-8. TypeError: a signature in letters outside ASCII.
    except (ValueError, TypeError, stripe.SignatureVerificationError):
        return False
    return True


def own_version() -> str:
    """The version of Stripe's API that we read."""
    return str(stripe.api_version)


def to_minor_units(amount: Decimal, currency: str) -> int:
    """Return the amount in the currency's smallest unit. Raises UnchargeableAmount for one that
    is not positive, above Stripe's limit, finer than the unit (nothing is ever rounded), or in a
    currency outside our table."""
    try:
        highest = money.highest_charge(currency)
        minor = amount.scaleb(money.exponent(currency))
    except KeyError:
        raise UnchargeableAmount from None
    is_within = minor.is_finite() and 0 < amount <= highest
    if not is_within or not money.fits_currency(amount, currency):
        raise UnchargeableAmount
    return int(minor)
