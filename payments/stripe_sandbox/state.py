"""What the sandbox remembers and how it changes: objects, money on its way, events, a clock."""

import json
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from payments.stripe_sandbox import checks, objects
from payments.stripe_sandbox.wire import Json, StripeFault, required, whole_number


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a delayed payment will come to, and when."""

    due: int
    succeeds: bool


class Sandbox:
    """One account in test mode. Every public method is safe to call from any thread."""

    def __init__(
        self,
        *,
        base_url: str = "http://127.0.0.1:8001",
        delay: int = 10,
        memory: Path | None = None,
    ) -> None:
        self.base_url = base_url
        self.delay = delay
        self.lock = threading.RLock()
        self.on_event: Callable[[Json], None] = lambda event: None
        self._memory = memory
        self._clock_offset = 0
        self._objects: dict[str, Json] = {}
        self._lines: dict[str, list[Json]] = {}
        self._intent_metadata: dict[str, Json] = {}
        self._outcomes: dict[str, Outcome] = {}
        if memory and memory.exists():
            self._remember(json.loads(memory.read_text()))

    # --- Clock and memory ---

    def now(self) -> int:
        return int(time.time()) + self._clock_offset

    def advance(self, seconds: int) -> None:
        """Let time pass: sessions run out, delayed payments come to their end."""
        with self.lock:
            self._clock_offset += seconds
            self.settle()

    def settle(self) -> None:
        """Do what is due by the clock."""
        with self.lock:
            now = self.now()
            for session in self.all("checkout.session"):
                if session["status"] == "open" and session["expires_at"] <= now:
                    self._close(session["id"], key=None)
            for session_id, outcome in list(self._outcomes.items()):
                if outcome.due <= now:
                    self._conclude(session_id, succeeds=outcome.succeeds)

    def _remember(self, stored: Json) -> None:
        self._clock_offset = stored["clock_offset"]
        self._objects = stored["objects"]
        self._lines = stored["lines"]
        self._intent_metadata = stored["intent_metadata"]
        self._outcomes = {name: Outcome(**kept) for name, kept in stored["outcomes"].items()}

    def save(self) -> None:
        """Write everything to the file of the sandbox, if it has one."""
        if self._memory is None:
            return
        with self.lock:
            stored = {
                "clock_offset": self._clock_offset,
                "objects": self._objects,
                "lines": self._lines,
                "intent_metadata": self._intent_metadata,
                "outcomes": {
                    name: {"due": outcome.due, "succeeds": outcome.succeeds}
                    for name, outcome in self._outcomes.items()
                },
            }
            half_written = self._memory.with_suffix(".new")
            half_written.write_text(json.dumps(stored))
            half_written.replace(self._memory)

    # --- Reading ---

    def find(self, kind: str, object_id: str, *, param: str = "id") -> Json:
        """Return a copy. Raises StripeFault 404 from a path, 400 from a parameter."""
        with self.lock:
            found = self._objects.get(object_id)
            if found is None or found["object"] != kind:
                raise StripeFault(
                    f"No such {kind}: '{object_id}'",
                    param=param,
                    code="resource_missing",
                    status=HTTPStatus.NOT_FOUND if param == "id" else HTTPStatus.BAD_REQUEST,
                )
            return deepcopy(found)

    def all(self, kind: str) -> list[Json]:
        """Return copies, oldest first."""
        with self.lock:
            return [deepcopy(kept) for kept in self._objects.values() if kept["object"] == kind]

    def lines_of(self, session_id: str) -> list[Json]:
        with self.lock:
            return deepcopy(self._lines[session_id])

    def expand(self, answer: Json, paths: list[str]) -> Json:
        """Put whole objects where ids stand, for the paths asked."""
        for path in paths:
            head, _, rest = path.partition(".")
            if head == "line_items" and answer["object"] == "checkout.session":
                answer["line_items"] = {
                    "object": "list",
                    "data": self.lines_of(answer["id"]),
                    "has_more": False,
                    "url": f"/v1/checkout/sessions/{answer['id']}/line_items",
                }
                continue
            if head not in answer:
                raise StripeFault(f"This property cannot be expanded ({head}).", param="expand")
            if answer[head] in self._objects:
                answer[head] = deepcopy(self._objects[answer[head]])
            if rest and answer[head]:
                self.expand(answer[head], [rest])
        return answer

    # --- What the API does ---

    def create_product(self, form: Json, key: str | None) -> Json:
        required(form, "name")
        if form.get("id") in self._objects:
            raise StripeFault("Product already exists.", code="resource_already_exists")
        return self._keep(objects.product(form, now=self.now()), "product.created", key)

    def create_price(self, form: Json, key: str | None) -> Json:
        currency = checks.check_currency(form)
        unit_amount = checks.check_unit_amount(form, currency)
        product = self.find("product", required(form, "product"), param="product")
        price = objects.price(
            form, product_id=product["id"], unit_amount=unit_amount, now=self.now()
        )
        return self._keep(price, "price.created", key)

    def create_session(self, form: Json, key: str | None) -> Json:
        checks.check_mode(form)
        checks.check_addresses(form)
        checks.check_buyer(form)
        expires_at = checks.check_expiry(form, self.now())
        lines = [self._line(price, quantity) for price, quantity in checks.check_lines(form)]
        if len({line["currency"] for line in lines}) > 1:
            raise StripeFault("All line items must have one currency.", param="line_items")
        session = objects.session(
            form, lines=lines, expires_at=expires_at, base_url=self.base_url, now=self.now()
        )
        self._lines[session["id"]] = lines
        self._intent_metadata[session["id"]] = form.get("payment_intent_data", {}).get(
            "metadata", {}
        )
        return self._keep(session, None, key)

    def _line(self, price_id: str, quantity: int) -> Json:
        price = self.find("price", price_id, param="line_items[0][price]")
        if not price["active"]:
            raise StripeFault("The price specified is inactive.", param="line_items[0][price]")
        name = self.find("product", price["product"])["name"]
        return objects.line_item(price, description=name, quantity=quantity)

    def expire_session(self, session_id: str, key: str | None) -> Json:
        session = self.find("checkout.session", session_id)
        if session["status"] != "open":
            raise StripeFault(
                'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
                f" Session has a status of {session['status']}.",
            )
        return self._close(session_id, key=key)

    def create_refund(self, form: Json, key: str | None) -> Json:
        checks.check_reason(form)
        charge = self._charge_to_refund(form)
        left = charge["amount"] - charge["amount_refunded"]
        if not left:
            raise StripeFault(
                f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
            )
        amount = whole_number(form, "amount", lowest=1, highest=left) or left
        refund = objects.refund(form, charged=charge, amount=amount, now=self.now())
        self._keep(refund, "refund.created", key)
        refunded = charge["amount_refunded"] + amount
        self._change(
            charge["id"],
            "charge.refunded",
            key,
            amount_refunded=refunded,
            refunded=refunded == charge["amount"],
        )
        return refund

    def _charge_to_refund(self, form: Json) -> Json:
        if form.get("charge"):
            return self.find("charge", form["charge"], param="charge")
        intent = self.find(
            "payment_intent", required(form, "payment_intent"), param="payment_intent"
        )
        if not intent["latest_charge"]:
            raise StripeFault(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        return self.find("charge", intent["latest_charge"])

    # --- What a buyer does on the hosted page ---

    def pay(self, session_id: str) -> Json:
        """Pay by a method that settles at once."""
        with self.lock:
            self._complete(session_id, paid=True)
            return self.find("checkout.session", session_id)

    def pay_later(self, session_id: str, *, succeeds: bool) -> Json:
        """Pay by a method that settles later, by the clock, well or badly."""
        with self.lock:
            self._complete(session_id, paid=False)
            self._outcomes[session_id] = Outcome(self.now() + self.delay, succeeds)
            self.save()
            return self.find("checkout.session", session_id)

    def _complete(self, session_id: str, *, paid: bool) -> None:
        session = self.find("checkout.session", session_id)
        if session["status"] != "open":
            raise StripeFault(f"This Checkout Session is {session['status']}.")
        intent = objects.payment_intent(
            session, metadata=self._intent_metadata[session_id], now=self.now()
        )
        self._keep(intent, "payment_intent.created", None)
        if paid:
            self._take_money(intent)
        email = session["customer_email"] or "buyer@example.com"
        self._change(
            session_id,
            "checkout.session.completed",
            None,
            status="complete",
            payment_status="paid" if paid else "unpaid",
            payment_intent=intent["id"],
            customer_details=objects.customer_details(email),
            url=None,
        )

    def _take_money(self, intent: Json) -> None:
        charge = self._keep(objects.charge(intent, now=self.now()), "charge.succeeded", None)
        self._change(
            intent["id"],
            "payment_intent.succeeded",
            None,
            status="succeeded",
            amount_received=intent["amount"],
            latest_charge=charge["id"],
        )

    def _conclude(self, session_id: str, *, succeeds: bool) -> None:
        del self._outcomes[session_id]
        session = self.find("checkout.session", session_id)
        intent = self.find("payment_intent", session["payment_intent"])
        if succeeds:
            self._take_money(intent)
            self._change(
                session_id, "checkout.session.async_payment_succeeded", None, payment_status="paid"
            )
        else:
            self._change(
                intent["id"],
                "payment_intent.payment_failed",
                None,
                status="requires_payment_method",
            )
            self._change(session_id, "checkout.session.async_payment_failed", None)

    def _close(self, session_id: str, *, key: str | None) -> Json:
        return self._change(session_id, "checkout.session.expired", key, status="expired", url=None)

    # --- Keeping ---

    def _keep(self, made: Json, event: str | None, key: str | None) -> Json:
        with self.lock:
            self._objects[made["id"]] = made
            if event:
                self._tell(event, made, key)
            self.save()
            return deepcopy(made)

    def _change(self, object_id: str, event: str, key: str | None, **changes: Any) -> Json:
        with self.lock:
            changed = self._objects[object_id]
            changed.update(changes)
            self._tell(event, changed, key)
            self.save()
            return deepcopy(changed)

    def _tell(self, kind: str, subject: Json, key: str | None) -> None:
        event = objects.event(kind, deepcopy(subject), key=key, now=self.now())
        self._objects[event["id"]] = event
        self.on_event(deepcopy(event))

    def mark_delivered(self, event_id: str) -> None:
        with self.lock:
            self._objects[event_id]["pending_webhooks"] = 0
            self.save()
