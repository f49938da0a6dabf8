"""What the sandbox shows to people: the page where a buyer pays, and a list of
what was paid, with buttons for what merchants and banks do later."""

from decimal import Decimal

from django.template.loader import render_to_string
from django.utils import translation

from payments.stripe_sandbox.forms import Json
from payments.stripe_sandbox.state import Sandbox
from project.common import money


def _total(session: Json) -> str:
    return _shown({"amount": session["amount_total"], "currency": session["currency"]})


def _shown(money_object: Json) -> str:
    code = money_object["currency"].upper()
    return money.shown(Decimal(money_object["amount"]).scaleb(-money.exponent(code)), code)


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
    """List the sessions, newest first, with buttons for what is done with the money later."""
    charges = {charge["payment_intent"]: charge for charge in sandbox.all("charge")}
    rows = [
        _row(sandbox, session, charges.get(session["payment_intent"]))
        for session in reversed(sandbox.all("checkout.session"))
    ]
    context = {"rows": rows, "refunds_wait": sandbox.refunds_wait}
    return render_to_string("payments/sandbox/overview.html", context)


def _row(sandbox: Sandbox, session: Json, charge: Json | None) -> Json:
    row: Json = {"session": session, "total": _total(session), "charge": charge}
    if charge:
        of_charge = {
            kind: [one for one in sandbox.all(kind) if one["charge"] == charge["id"]]
            for kind in ("refund", "dispute")
        }
        left = charge["amount"] - charge["amount_refunded"]
        refunds = [refund | {"total": _shown(refund)} for refund in of_charge["refund"]]
        row |= {"left": left, "part": left // 2, "refunds": refunds}
        row["disputes"] = of_charge["dispute"]
    return row
