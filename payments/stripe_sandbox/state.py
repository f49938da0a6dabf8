"""What the sandbox keeps and how it changes: objects, money on its way, events."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from http import HTTPStatus
from pathlib import Path

from payments.stripe_sandbox.forms import Json, StripeFault
from payments.stripe_sandbox.objects import TEMPLATES, make, new_id

DAY = 24 * 3600
# What Stripe gives for evidence, about.
TIME_TO_ANSWER = 9 * DAY


NOTHING: dict[str, Json] = {"objects": {}, "lines": {}, "intent_data": {}, "outcomes": {}}


class Sandbox:
    """One account in one mode, test if not said otherwise. Every public method is safe to call from
    any thread."""

    def __init__(
        self,
        *,
        base_url: str = "http://127.0.0.1:8001",
        delay: int = 10,
        memory: Path | None = None,
    ) -> None:
        self.base_url = base_url
        self.delay = delay
        # Whether refunds are under way until `settle_refund`, as with many banks.
        self.refunds_wait = False
        self.livemode = False
        # What the account adds to a total of which nobody says that no tax shall be added.
        self.tax_percent = 0
        # What the account lets buyers pay in, where nobody says that prices are not to be adapted.
        self.local_currency = ""
        # Whether our key may ask whose it is: a restricted one may not.
        self.tells_account = True
        self.lock = threading.RLock()
        self.on_event: Callable[[Json], object] = lambda event: None
        self._memory = memory
        # Lines and what the payment intent will have are by session, and so are outcomes: when a
        # delayed payment will come to its end, and to which.
        self._kept: dict[str, Json]
        self.forget_everything()
        if memory and memory.exists():
            self._kept |= json.loads(memory.read_text())
        # What is remembered may be from another port.
        for session in self.all("checkout.session"):
            if session["url"]:
                self._kept["objects"][session["id"]]["url"] = self._page_of(session["id"])

    def now(self) -> int:
        return int(time.time())

    def settle(self) -> None:
        """Do what is due by the clock: sessions run out, delayed payments come to their end."""
        with self.lock:
            for session in self.all("checkout.session"):
                if session["status"] == "open" and session["expires_at"] <= self.now():
                    self._close(session["id"])
            for session_id, outcome in list(self._kept["outcomes"].items()):
                if outcome["due"] <= self.now():
                    self._conclude(session_id, succeeds=outcome["succeeds"])

    def save(self) -> None:
        """Write everything to the file of the sandbox, if it has one."""
        if self._memory is not None:
            half_written = self._memory.with_suffix(".new")
            half_written.write_text(json.dumps(self._kept))
            half_written.replace(self._memory)

    # --- Reading ---

    def find(self, kind: str, object_id: str, *, param: str = "id") -> Json:
        """Return a copy. Raises StripeFault 404 from a path, 400 from a parameter."""
        with self.lock:
            found: Json | None = deepcopy(self._kept["objects"].get(object_id))
        if found is None or found["object"] != kind:
            raise StripeFault(
                f"No such {kind}: '{object_id}'",
                param=param,
                code="resource_missing",
                status=HTTPStatus.NOT_FOUND if param == "id" else HTTPStatus.BAD_REQUEST,
            )
        return found

    def all(self, kind: str) -> list[Json]:
        """Return copies, oldest first."""
        with self.lock:
            found = (kept for kept in self._kept["objects"].values() if kept["object"] == kind)
            return deepcopy(list(found))

    def lines_of(self, session_id: str) -> list[Json]:
        """Raises StripeFault."""
        self.find("checkout.session", session_id)
        with self.lock:
            return deepcopy(self._kept["lines"][session_id])

    def expand(self, answer: Json, names: Iterable[str]) -> Json:
        """Put whole objects where ids stand, for the fields asked, as `payment_intent` or
        `payment_intent.latest_charge`."""
        for name in names:
            place, *inner = name.split(".", 1)
            if place not in answer:
                raise StripeFault(f"This property cannot be expanded ({name}).", param="expand")
            if isinstance(answer[place], str) and answer[place] in self._kept["objects"]:
                answer[place] = deepcopy(self._kept["objects"][answer[place]])
            if inner and answer[place]:
                self.expand(answer[place], inner)
        return answer

    @property
    def account_id(self) -> str:
        return str(self._kept["account"]["id"])

    def account(self) -> Json:
        """Raises StripeFault."""
        if not self.tells_account:
            raise StripeFault(
                "The provided key does not have the required permissions for this endpoint.",
                status=HTTPStatus.FORBIDDEN,
            )
        return deepcopy(self._kept["account"])

    # --- What the API does ---

    def create_product(self, form: Json) -> Json:
        return self._keep(make("product", form, now=self.now()), "product.created")

    def create_price(self, form: Json) -> Json:
        self.find("product", form["product"], param="product")
        amount = int(form["unit_amount"])
        fields = {"unit_amount": amount, "unit_amount_decimal": str(amount)}
        return self._keep(make("price", form, now=self.now(), **fields), "price.created")

    def create_session(self, form: Json) -> Json:
        lines = [self._line(line["price"], int(line["quantity"])) for line in form["line_items"]]
        net = sum(line["amount_total"] for line in lines)
        taxed = form.get("automatic_tax", {}).get("enabled", "true") == "true"
        tax = net * self.tax_percent // 100 if taxed else 0
        adapted = form.get("adaptive_pricing", {}).get("enabled", "true") == "true"
        session_id = new_id("cs_live" if self.livemode else "cs_test")
        session = make(
            "checkout.session",
            form,
            now=self.now(),
            id=session_id,
            amount_subtotal=net,
            amount_total=net + tax,
            currency=(adapted and self.local_currency) or lines[0]["currency"],
            total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": tax},
            adaptive_pricing={"enabled": adapted},
            automatic_tax=TEMPLATES["checkout.session"]["automatic_tax"],
            invoice_creation=None,
            expires_at=int(form.get("expires_at", self.now() + DAY)),
            url=self._page_of(session_id),
        )
        self._kept["lines"][session_id] = lines
        self._kept["intent_data"][session_id] = form.get("payment_intent_data", {})
        return self._keep(session)

    def _page_of(self, session_id: str) -> str:
        return f"{self.base_url}/c/pay/{session_id}"

    def _line(self, price_id: str, quantity: int) -> Json:
        param = "line_items[0][price]"
        price = self.find("price", price_id, param=param)
        if not price["active"]:
            raise StripeFault(
                "The price specified is inactive. This field only accepts active prices.",
                param=param,
            )
        total = price["unit_amount"] * quantity
        return make(
            "item",
            now=self.now(),
            price=price,
            quantity=quantity,
            description=self.find("product", price["product"])["name"],
            currency=price["currency"],
            amount_subtotal=total,
            amount_total=total,
        )

    def expire_session(self, session_id: str) -> Json:
        session = self.find("checkout.session", session_id)
        if session["status"] != "open":
            raise StripeFault(
                'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
                f" Session has a status of {session['status']}.",
            )
        return self._close(session_id)

    def create_refund(self, form: Json) -> Json:
        intent = self.find("payment_intent", form["payment_intent"], param="payment_intent")
        if not intent["latest_charge"]:
            raise StripeFault(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        charge = self.find("charge", intent["latest_charge"])
        disputes = (one for one in self.all("dispute") if one["charge"] == charge["id"])
        if any(not one["status"].startswith("warning_") for one in disputes):
            raise StripeFault(
                f"Charge {charge['id']} has been charged back.", code="charge_disputed"
            )
        left = charge["amount"] - charge["amount_refunded"]
        if not left:
            raise StripeFault(
                f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
            )
        amount = int(form.get("amount", left))
        if amount > left:
            raise StripeFault(
                f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
                param="amount",
            )
        fields = {
            "amount": amount,
            "charge": charge["id"],
            "currency": charge["currency"],
            "payment_intent": charge["payment_intent"],
            "status": "pending" if self.refunds_wait else "succeeded",
        }
        refund = self._keep(make("refund", form, now=self.now(), **fields), "refund.created")
        refunded = charge["amount_refunded"] + amount
        changes = {"amount_refunded": refunded, "refunded": refunded == charge["amount"]}
        self._change(charge["id"], "charge.refunded", **changes)
        return refund

    # --- What is done in the dashboard ---

    def archive_price(self, price_id: str) -> Json:
        """Take a price out of sale: no new session is made with it."""
        return self._change(price_id, "price.updated", active=False)

    def forget_everything(self, *, livemode: bool = False) -> None:
        """Be another account, or the other mode: nothing of the one before is known there."""
        with self.lock:
            self.livemode = livemode
            self._kept = deepcopy(NOTHING) | {"account": make("account", now=self.now())}

    # --- What banks do ---

    def settle_refund(self, refund_id: str, *, succeeds: bool) -> Json:
        """Let a refund come to its end; one that succeeded may fail, too, days later."""
        with self.lock:
            refund = self.find("refund", refund_id)
            if succeeds:
                return self._change(refund_id, "refund.updated", status="succeeded")
            charge = self._kept["objects"][refund["charge"]]
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False
            reason = "lost_or_stolen_card"
            return self._change(refund_id, "refund.failed", status="failed", failure_reason=reason)

    def open_dispute(self, charge_id: str, *, status: str = "needs_response") -> Json:
        """A buyer's bank calls a payment into question."""
        with self.lock:
            charge = self.find("charge", charge_id)
            self._kept["objects"][charge_id]["disputed"] = True
            fields = {name: charge[name] for name in ("amount", "currency", "payment_intent")}
            dispute = make("dispute", now=self.now(), charge=charge_id, status=status, **fields)
            dispute["evidence_details"]["due_by"] = self.now() + TIME_TO_ANSWER
            return self._keep(dispute, "charge.dispute.created")

    def change_dispute(self, dispute_id: str, status: str) -> Json:
        """Let a dispute go on, or be decided: won, lost, warning_closed."""
        with self.lock:
            closed = status in {"won", "lost", "warning_closed"}
            kind = "charge.dispute.closed" if closed else "charge.dispute.updated"
            return self._change(dispute_id, kind, status=status)

    # --- What a buyer does on the hosted page ---

    def pay(self, session_id: str) -> Json:
        """Pay by a method that settles at once."""
        with self.lock:
            return self._complete(session_id, is_paid=True)

    def pay_later(self, session_id: str, *, succeeds: bool) -> Json:
        """Pay by a method that settles later, by the clock, well or badly."""
        with self.lock:
            outcome = {"due": self.now() + self.delay, "succeeds": succeeds}
            session = self._complete(session_id, is_paid=False)
            self._kept["outcomes"][session_id] = outcome
            self.save()
            return session

    def _complete(self, session_id: str, *, is_paid: bool) -> Json:
        session = self.find("checkout.session", session_id)
        if session["status"] != "open":
            raise StripeFault(f"This Checkout Session is {session['status']}.")
        intent = make(
            "payment_intent",
            self._kept["intent_data"].get(session_id),
            now=self.now(),
            amount=session["amount_total"],
            currency=session["currency"],
        )
        self._keep(intent, "payment_intent.created")
        if is_paid:
            self._take_money(intent)
        email = session["customer_email"] or "buyer@example.com"
        return self._change(
            session_id,
            "checkout.session.completed",
            status="complete",
            payment_status="paid" if is_paid else "unpaid",
            payment_intent=intent["id"],
            customer_details=TEMPLATES["customer_details"] | {"email": email},
            url=None,
        )

    def _take_money(self, intent: Json) -> None:
        amount = intent["amount"]
        charge = make(
            "charge",
            now=self.now(),
            amount=amount,
            amount_captured=amount,
            currency=intent["currency"],
            metadata=dict(intent["metadata"]),
            payment_intent=intent["id"],
        )
        self._keep(charge, "charge.succeeded")
        changes = {"amount_received": amount, "latest_charge": charge["id"]}
        self._change(intent["id"], "payment_intent.succeeded", status="succeeded", **changes)

    def _conclude(self, session_id: str, *, succeeds: bool) -> None:
        del self._kept["outcomes"][session_id]
        session = self.find("checkout.session", session_id)
        intent = self.find("payment_intent", session["payment_intent"])
        if succeeds:
            self._take_money(intent)
            kind = "checkout.session.async_payment_succeeded"
            self._change(session_id, kind, payment_status="paid")
        else:
            kind, status = "payment_intent.payment_failed", "requires_payment_method"
            self._change(intent["id"], kind, status=status)
            self._change(session_id, "checkout.session.async_payment_failed")

    def _close(self, session_id: str) -> Json:
        return self._change(session_id, "checkout.session.expired", status="expired", url=None)

    # --- Keeping ---

    def _keep(self, made: Json, event: str | None = None) -> Json:
        with self.lock:
            if "livemode" in made:
                made["livemode"] = self.livemode
            self._kept["objects"][made["id"]] = made
            if event:
                self._tell(event, made)
            self.save()
            return deepcopy(made)

    def _change(self, object_id: str, event: str, **changes: object) -> Json:
        with self.lock:
            changed: Json = self._kept["objects"][object_id]
            changed.update(changes)
            self._tell(event, changed)
            self.save()
            return deepcopy(changed)

    def _tell(self, kind: str, subject: Json) -> None:
        """Make an event around a copy of the object: what it says never changes afterwards."""
        data = {"object": deepcopy(subject)}
        request = {"id": new_id("req"), "idempotency_key": None}
        event = make("event", now=self.now(), type=kind, data=data, request=request)
        event["livemode"] = self.livemode
        self._kept["objects"][event["id"]] = event
        self.on_event(deepcopy(event))
