"""Stripe's objects read as plain data (payments/provider/types.py). What is not as Stripe describes it
raises one of UNREADABLE."""

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from payments.provider.types import Charge, Event, ProviderDispute, ProviderRefund, Session
from project.common import money

logger = logging.getLogger(__name__)

type Json = Mapping[str, Any]

# The key, in metadata of a session and of its payment intent, that leads back to our payment.
PAYMENT_KEY = "payment_id"
# The same in the metadata of a refund, to our refund.
REFUND_KEY = "refund_token"
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


def read_id(answer: Json) -> str:
    if answer["object"] not in {"product", "price"}:
        msg = "neither a product nor a price"
        raise ValueError(msg)
    return _name(answer["id"])


def read_account(answer: Json) -> str:
    if answer["object"] != "account":
        msg = "not an account"
        raise ValueError(msg)
    return _name(answer["id"])


def read_session(answer: Json) -> Session:
    currency = (answer.get("currency") or "").upper() or None
    # Its id, or the whole of it if we asked for that.
    intent = answer.get("payment_intent")
    status = answer.get("status") or ""
    return Session(
        id=_name(answer["id"]),
        status=status,
        payment_status=answer["payment_status"],
        url=answer.get("url"),
        expires_at=_moment(answer["expires_at"]),
        amount=_from_minor_units(answer.get("amount_total"), currency),
        currency=currency,
        client_reference_id=answer.get("client_reference_id"),
        payment_intent_id=_id_of(intent),
        payment_failed=(
            status == "complete"
            and isinstance(intent, Mapping)
            and intent["status"] in {"requires_payment_method", "canceled"}
        ),
        paid_at=_charged_at(intent),
    )


def _charged_at(intent: str | Json | None) -> datetime | None:
    charge = intent.get("latest_charge") if isinstance(intent, Mapping) else None
    return _moment(charge["created"]) if isinstance(charge, Mapping) else None


def _read_charge(answer: Json) -> Charge:
    currency = answer["currency"].upper()
    return Charge(
        id=answer["id"],
        payment_intent_id=_intent_of(answer),
        payment_id=_metadata(answer).get(PAYMENT_KEY),
        amount=_from_minor_units(answer["amount"], currency),
        amount_refunded=_from_minor_units(answer["amount_refunded"], currency),
        currency=currency,
        refunded=answer["refunded"],
    )


def read_refund(answer: Json) -> ProviderRefund:
    currency = answer["currency"].upper()
    metadata = _metadata(answer)
    return ProviderRefund(
        id=_name(answer["id"]),
        status=answer.get("status") or "",
        payment_intent_id=_intent_of(answer),
        payment_id=metadata.get(PAYMENT_KEY),
        refund_token=metadata.get(REFUND_KEY),
        amount=_from_minor_units(answer["amount"], currency),
        currency=currency,
        created=_moment(answer["created"]),
        failure=answer.get("failure_reason") or "",
    )


def _read_dispute(answer: Json) -> ProviderDispute:
    currency = answer["currency"].upper()
    due_by = (answer.get("evidence_details") or {}).get("due_by")
    return ProviderDispute(
        id=_name(answer["id"]),
        status=answer["status"],
        reason=answer.get("reason") or "",
        payment_intent_id=_intent_of(answer),
        amount=_from_minor_units(answer["amount"], currency),
        currency=currency,
        created=_moment(answer["created"]),
        evidence_due_by=_moment(due_by) if due_by else None,
    )


def read_thin_event(answer: Json) -> Event:
    """An event that names what happened, and nothing of it."""
    return Event(
        id=_name(answer["id"]),
        type=_name(answer["type"]),
        created=datetime.fromisoformat(answer["created"]),
        livemode=answer.get("livemode", is_live()),
        is_thin=True,
    )


def read_event(answer: Json) -> Event:
    event = Event(
        id=_name(answer["id"]),
        type=_name(answer["type"]),
        created=_moment(answer["created"]),
        livemode=answer["livemode"],
        api_version=answer.get("api_version") or "",
    )
    if event.livemode != is_live():
        logger.warning("Event %s is of the other mode than our key", event.id)
        return event
    try:
        return _with_object(event, answer)
    except UNREADABLE as error:
        logger.error("Event %s can't be read: %s", event.id, type(error).__name__)  # noqa: TRY400
        return replace(event, is_unreadable=True)


def _with_object(event: Event, answer: Json) -> Event:
    match event.type.split("."):
        case ["checkout", "session", kind]:
            session = read_session(answer["data"]["object"])
            failed = session.payment_failed or kind == "async_payment_failed"
            return replace(event, session=replace(session, payment_failed=failed))
        case ["charge", "refunded"]:
            return replace(event, charge=_read_charge(answer["data"]["object"]))
        case ["refund", _] | ["charge", "refund", _]:
            return replace(event, refund=read_refund(answer["data"]["object"]))
        case ["charge", "dispute", _]:
            return replace(event, dispute=_read_dispute(answer["data"]["object"]))
    return event


def _metadata(answer: Json) -> Json:
    metadata: Json = answer.get("metadata") or {}
    return metadata


def _intent_of(answer: Json) -> str | None:
    """The payment intent of a charge, a refund or a dispute; that of the charge, if only this is
    told, and as a whole."""
    charge = answer.get("charge")
    of_charge = charge.get("payment_intent") if isinstance(charge, Mapping) else None
    return _id_of(answer.get("payment_intent") or of_charge)


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


def _from_minor_units(minor: int | None, currency: str | None) -> Decimal | None:
    if minor is None or currency is None:
        return None
    try:
        return Decimal(minor).scaleb(-money.exponent(currency))
    except KeyError:
        return None


def is_live() -> bool:
    return "_live_" in settings.STRIPE_API_KEY
