"""What Stripe asks of a request beyond its OpenAPI description (see
docs/decisions/006-own-stripe-stand-in.md)."""

import re
from urllib.parse import urlsplit

from payments.stripe_sandbox.forms import Json, StripeFault, required, whole_number
from project.common import money

HIGHEST_AMOUNT = 99_999_999
CURRENCIES = money.TWO_DECIMAL | money.ZERO_DECIMAL | money.THREE_DECIMAL
LOCALES = frozenset(
    (  # noqa: SIM905
        "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb "
        "nl pl pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW"
    ).split()
)
REFUND_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})

# The parameters that the sandbox knows, by operation; Stripe knows more of them.
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
        "payment_intent_data": {"metadata": dict},
    },
    "create_refund": {
        "charge": str, "payment_intent": str, "amount": str, "reason": str, "metadata": dict,
    },
}  # fmt: skip


def check_currency(form: Json) -> str:
    """Stripe takes lower case only."""
    currency = required(form, "currency")
    if currency != currency.lower() or currency.upper() not in CURRENCIES:
        raise StripeFault(f"Invalid currency: {currency}.", param="currency")
    return currency


def check_unit_amount(form: Json, currency: str) -> int:
    required(form, "unit_amount")
    amount = whole_number(form, "unit_amount", lowest=0, highest=HIGHEST_AMOUNT) or 0
    if currency.upper() in money.THREE_DECIMAL and amount % 10:
        raise StripeFault(
            "The last digit of an amount in this currency must be 0.", param="unit_amount"
        )
    return amount


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
    if form.get("locale", "auto") not in LOCALES:
        raise StripeFault("Invalid locale", param="locale")
    if len(form.get("client_reference_id", "")) > 200:
        raise StripeFault("Invalid string: too long", param="client_reference_id")


def check_expiry(form: Json, now: int) -> int:
    """Between half an hour and a day from now; a day if nothing is said."""
    day = now + 24 * 3600
    return whole_number(form, "expires_at", lowest=now + 1800, highest=day) or day


def check_lines(form: Json) -> list[tuple[str, int]]:
    """Return price ids and quantities; the payment mode needs at least one line."""
    lines = form.get("line_items")
    if not isinstance(lines, list) or not lines:
        raise StripeFault(
            "You must provide `line_items` in payment mode.",
            param="line_items",
            code="parameter_missing",
        )
    checked = []
    for number, line in enumerate(lines):
        quantity = whole_number(line, "quantity", lowest=1, highest=999_999)
        if quantity is None:
            raise StripeFault("Quantity is required.", param=f"line_items[{number}][quantity]")
        checked.append((required(line, "price"), quantity))
    return checked


def check_reason(form: Json) -> None:
    if form.get("reason", "duplicate") not in REFUND_REASONS:
        raise StripeFault("Invalid reason", param="reason")
