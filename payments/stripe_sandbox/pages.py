"""What the sandbox shows to people: the page where a buyer pays, and a list with refunds."""

from decimal import Decimal

from django.template.loader import render_to_string
from django.utils import translation

from payments.stripe_sandbox.forms import Json
from payments.stripe_sandbox.state import Sandbox
from project.common import money


def _total(session: Json) -> str:
    code = session["currency"].upper()
    return f"{Decimal(session['amount_total']).scaleb(-money.exponent(code))} {code}"


def checkout_page(sandbox: Sandbox, session_id: str) -> str:
    """Show what is bought and the ways to pay, or why there is nothing to pay any more."""
    session = sandbox.find("checkout.session", session_id)
    locale = session["locale"]
    with translation.override(locale if locale in {"en", "ru"} else None):
        return render_to_string(
            "payments/sandbox/checkout.html",
            {
                "session": session,
                "lines": sandbox.lines_of(session_id),
                "total": _total(session),
                "delay": sandbox.delay,
            },
        )


def overview_page(sandbox: Sandbox) -> str:
    """List the sessions, newest first, with a button that refunds what was paid."""
    charges = {charge["payment_intent"]: charge for charge in sandbox.all("charge")}
    rows = [
        {
            "session": session,
            "total": _total(session),
            "charge": charges.get(session["payment_intent"]),
        }
        for session in reversed(sandbox.all("checkout.session"))
    ]
    return render_to_string("payments/sandbox/overview.html", {"rows": rows})
