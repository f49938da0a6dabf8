"""What Stripe asks of a request beyond its OpenAPI description (see
docs/decisions/006-own-stripe-stand-in.md)."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from payments.stripe_sandbox.forms import Json, StripeFault
from project.common import money

CURRENCIES = money.EXPONENTS.keys()
THREE_DECIMAL = dict.fromkeys(["bhd", "jod", "kwd", "omr", "tnd"], 10)
LOCALES = frozenset(
    (  # noqa: SIM905
        "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb "
        "nl pl pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW"
    ).split()
)
REFUND_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})

# The parameters that we send, by operation; Stripe knows more of them.
PARAMETERS: dict[str, Json] = {
    "create_product": {"name": str, "metadata": dict},
    "create_price": {"product": str, "unit_amount": str, "currency": str, "metadata": dict},
    "create_session": {
        "mode": str,
        "line_items": {"price": str, "quantity": str},
        "success_url": str,
        "cancel_url": str,
        "customer_email": str,
        "locale": str,
        "client_reference_id": str,
        "expires_at": str,
        "metadata": dict,
        "automatic_tax": {"enabled": str},
        "adaptive_pricing": {"enabled": str},
        "invoice_creation": {"enabled": str},
        "payment_intent_data": {
            "metadata": dict,
            "description": str,
            "statement_descriptor_suffix": str,
            "receipt_email": str,
        },
    },
    "create_refund": {
        "charge": str, "payment_intent": str, "amount": str, "reason": str, "metadata": dict,
    },
    "list_refunds": {"payment_intent": str, "limit": str, "starting_after": str},
    "list_events": {"limit": str, "starting_after": str, "created": {"gte": str}, "types": list},
    "list_line_items": {"limit": str, "starting_after": str},
}  # fmt: skip


def check_request(operation: str, form: Json, *, now: int) -> None:
    """Raises StripeFault, as Stripe refuses it."""
    refuse_unknown(form, PARAMETERS.get(operation, {}) | {"expand": list})
    match operation:
        case "create_product":
            required(form, "name")
        case "create_price":
            required(form, "product")
            check_amount(form)
        case "create_session":
            check_session(form)
            # Between half an hour and a day from now.
            whole_number(form, "expires_at", lowest=now + 1800, highest=now + 24 * 3600)
            check_lines(form)
        case "list_refunds" | "list_events" | "list_line_items":
            whole_number(form, "limit", lowest=1, highest=100)
        case "create_refund":
            if form.get("reason", "duplicate") not in REFUND_REASONS:
                raise StripeFault("Invalid reason", param="reason")
            required(form, "payment_intent")


def check_amount(form: Json) -> None:
    """In a currency in lower case."""
    currency = required(form, "currency")
    if currency != currency.lower() or currency.upper() not in CURRENCIES:
        raise StripeFault(f"Invalid currency: {currency}.", param="currency")
    required(form, "unit_amount")
    highest = 10 ** {"idr": 12, "cop": 10, "inr": 9}.get(currency, 8) - 1
    amount = whole_number(form, "unit_amount", lowest=0, highest=highest) or 0
    if amount % {**dict.fromkeys(["isk", "ugx"], 100), **THREE_DECIMAL}.get(currency, 1):
        raise StripeFault("Such an amount can't be charged exactly.", param="unit_amount")


def check_session(form: Json) -> None:
    """A hosted page for one payment needs a way back; both addresses are absolute."""
    if required(form, "mode") != "payment":
        raise StripeFault("The sandbox knows the mode `payment` only.", param="mode")
    required(form, "success_url")
    for name in ("success_url", "cancel_url"):
        parts = urlsplit(required(form, name)) if name in form else None
        if parts and (parts.scheme not in {"http", "https"} or not parts.netloc):
            raise StripeFault("Not a valid URL", param=name, code="url_invalid")
    email = form.get("customer_email")
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        raise StripeFault(
            f"Invalid email address: {email}", param="customer_email", code="email_invalid"
        )
    suffix = form.get("payment_intent_data", {}).get("statement_descriptor_suffix")
    if suffix is not None and not is_suffix(suffix):
        raise StripeFault(
            "The statement descriptor suffix must contain at least one Latin character, be no longer"
            " than 22 characters and have none of < > \\ ' \" *.",
            param="payment_intent_data[statement_descriptor_suffix]",
        )
    if form.get("locale", "auto") not in LOCALES:
        raise StripeFault("Invalid locale", param="locale")
    if len(form.get("client_reference_id", "")) > 200:
        raise StripeFault("Invalid string: too long", param="client_reference_id")


def is_suffix(text: str) -> bool:
    """What banks can show beside a payment."""
    is_shown = re.fullmatch(r"[ -~]{1,22}", text) and re.search("[A-Za-z]", text)
    return bool(is_shown) and not re.search(r"[<>\\'\"*]", text)


def check_lines(form: Json) -> None:
    """The payment mode needs at least one line."""
    lines = form.get("line_items")
    if not isinstance(lines, list) or not lines:
        raise StripeFault(
            "You must provide `line_items` in payment mode.",
            param="line_items",
            code="parameter_missing",
        )
    for number, line in enumerate(lines):
        quantity = whole_number(line, "quantity", lowest=1, highest=999_999)
        if quantity is None:
            raise StripeFault("Quantity is required.", param=f"line_items[{number}][quantity]")
        required(line, "price")


def whole_number(form: Json, name: str, *, lowest: int, highest: int) -> int | None:
    """Read an integer field; None if it is absent."""
    text = form.get(name)
    if text is None:
        return None
    is_number = isinstance(text, str) and re.fullmatch(r"-?\d{1,18}", text)
    if not is_number or not lowest <= int(text) <= highest:
        raise StripeFault(
            f"Invalid integer: {text}. It must be from {lowest} to {highest}.",
            param=name,
            code="parameter_invalid_integer",
        )
    return int(text)


def required(form: Json, name: str) -> str:
    """Read a text field that must be there and not empty."""
    value = form.get(name)
    if value is None:
        raise StripeFault(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if not isinstance(value, str):
        raise StripeFault(f"Invalid string: {name}", param=name)
    if not value:
        raise StripeFault(
            f"You passed an empty string for '{name}'.", param=name, code="parameter_invalid_empty"
        )
    return value


def refuse_unknown(form: Json, known: Mapping[str, Any], inside: str = "") -> None:
    """Refuse a field that is not among the known ones, as Stripe does, or that is not of its kind:
    text, list, or the fields that it has itself. What is under `metadata` is free."""
    for name, value in form.items():
        param = f"{inside}[{name}]" if inside else name
        if name not in known:
            raise StripeFault(
                f"Received unknown parameter: {param}", param=param, code="parameter_unknown"
            )
        if name == "metadata":
            check_metadata(value)
        elif isinstance(known[name], dict):
            for inner in value if isinstance(value, list) else [value]:
                if not isinstance(inner, dict):
                    raise StripeFault("Invalid object", param=param)
                refuse_unknown(inner, known[name], param)
        elif not isinstance(value, known[name]):
            raise StripeFault(f"Invalid value for {param}", param=param)


def check_metadata(value: Any) -> None:
    if value == "":
        return
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise StripeFault("Invalid object", param="metadata")
    if len(value) > 50:
        raise StripeFault("Metadata cannot have more than 50 keys.", param="metadata")
    for name, text in value.items():
        if len(name) > 40 or len(text) > 500:
            raise StripeFault("Metadata is too long.", param=f"metadata[{name}]")
