"""What the sandbox shows to people: the page where a buyer pays, and a list with refunds."""

from decimal import Decimal

from django.template.loader import render_to_string
from django.utils import translation

from payments.stripe_sandbox.state import Sandbox
from payments.stripe_sandbox.wire import Json
from project.common import money


def _price(minor: int, currency: str) -> str:
    code = currency.upper()
    return f"{Decimal(minor).scaleb(-money.exponent(code))} {code}"


def checkout_page(sandbox: Sandbox, session: Json) -> str:
    """Show what is bought and the ways to pay, or why there is nothing to pay any more."""
    locale = session["locale"]
    with translation.override(locale if locale in {"en", "ru"} else None):
        return render_to_string(
            "payments/sandbox/checkout.html",
            {
                "session": session,
                "lines": sandbox.lines_of(session["id"]),
                "total": _price(session["amount_total"], session["currency"]),
                "delay": sandbox.delay,
            },
        )


def overview_page(sandbox: Sandbox) -> str:
    """List the sessions, newest first, with a button that refunds what was paid."""
    rows = [
        {"session": session, "total": _price(session["amount_total"], session["currency"])}
        | {"charge": _charge_of(sandbox, session)}
        for session in reversed(sandbox.all("checkout.session"))
    ]
    return render_to_string("payments/sandbox/overview.html", {"rows": rows})


def _charge_of(sandbox: Sandbox, session: Json) -> Json | None:
    if session["payment_status"] != "paid":
        return None
    intent = sandbox.find("payment_intent", session["payment_intent"])
    return sandbox.find("charge", intent["latest_charge"])


def way_back(session: Json) -> str:
    """Return where the buyer is sent after paying."""
    address: str = session["success_url"]
    return address.replace("{CHECKOUT_SESSION_ID}", session["id"])
