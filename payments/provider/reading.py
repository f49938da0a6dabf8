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
        paid_at=_charged_at(intent),
    )


def _charged_at(intent: str | Json | None) -> datetime | None:
    charge = intent.get("latest_charge") if isinstance(intent, Mapping) else None
    return _moment(charge["created"]) if isinstance(charge, Mapping) else None


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


def read_refund(answer: Json) -> ProviderRefund:
    currency = answer["currency"].upper()
    metadata = answer["metadata"] or {}
    return ProviderRefund(
        id=_name(answer["id"]),
        status=answer["status"],
        payment_intent_id=_id_of(answer["payment_intent"]),
        payment_id=metadata.get(PAYMENT_KEY),
        refund_token=metadata.get(REFUND_KEY),
        amount=_from_minor_units(answer["amount"], currency),
        currency=currency,
        created=_moment(answer["created"]),
        failure=answer.get("failure_reason") or "",
    )


def _read_dispute(answer: Json) -> ProviderDispute:
    currency = answer["currency"].upper()
    due_by = answer["evidence_details"]["due_by"]
    return ProviderDispute(
        id=_name(answer["id"]),
        status=answer["status"],
        reason=answer["reason"],
        payment_intent_id=_id_of(answer["payment_intent"]),
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
