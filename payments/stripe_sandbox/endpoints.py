"""Answering one request of the API: who asks, which operation, once per idempotency key, and
what goes wrong on purpose."""

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal, get_args
from urllib.parse import unquote

from payments.stripe_sandbox import checks, objects
from payments.stripe_sandbox.state import Sandbox
from payments.stripe_sandbox.wire import Json, StripeFault, read_form, whole_number

ROUTES = [
    (method, re.compile(pattern), operation)
    for method, pattern, operation in (
        ("POST", r"/v1/products", "create_product"),
        ("GET", r"/v1/products/([^/]+)", "retrieve_product"),
        ("POST", r"/v1/prices", "create_price"),
        ("GET", r"/v1/prices/([^/]+)", "retrieve_price"),
        ("POST", r"/v1/checkout/sessions", "create_session"),
        ("GET", r"/v1/checkout/sessions/([^/]+)", "retrieve_session"),
        ("POST", r"/v1/checkout/sessions/([^/]+)/expire", "expire_session"),
        ("GET", r"/v1/checkout/sessions/([^/]+)/line_items", "list_line_items"),
        ("GET", r"/v1/payment_intents/([^/]+)", "retrieve_payment_intent"),
        ("GET", r"/v1/charges/([^/]+)", "retrieve_charge"),
        ("POST", r"/v1/refunds", "create_refund"),
        ("GET", r"/v1/refunds/([^/]+)", "retrieve_refund"),
        ("GET", r"/v1/events", "list_events"),
        ("GET", r"/v1/events/([^/]+)", "retrieve_event"),
    )
]
DAY = 24 * 3600

FaultKind = Literal["error", "unavailable", "rate_limit", "garbage", "stall", "drop", "drop_after"]
FAULT_KINDS = get_args(FaultKind)


@dataclass(slots=True)
class Fault:
    """What shall go wrong, at which operation (`*`: any), after how many calls, how many times.

    error: 500, kept under the key and replayed as Stripe does; unavailable: 503, and rate_limit:
    429, nothing is kept; garbage: done, but the answer is HTML; stall: done, but the answer comes
    `seconds` late; drop: the connection is cut before anything is done; drop_after: done, then cut.
    """

    kind: FaultKind
    operation: str = "*"
    skip: int = 0
    times: int = 1
    seconds: float = 0

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(self.kind)


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """`cut`: close the connection without a word; `wait`: seconds before the first byte."""

    status: int
    content: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked and answered; kept for tests."""

    operation: str
    key: str | None
    form: Json
    status: int
    replayed: bool


@dataclass(slots=True)
class _Kept:
    """What a key was used for, and the answer once there is one."""

    asked: str
    at: int
    reply: Reply | None = None


class Desk:
    """The API of one account. `answer` may be called from many threads at once."""

    def __init__(self, sandbox: Sandbox, *, api_key: str) -> None:
        self.sandbox = sandbox
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self._api_key = api_key
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Reply:
        """Answer as Stripe would. Raises nothing."""
        operation, key, form, reply = "unknown", request.headers.get("Idempotency-Key"), {}, None
        try:
            operation, object_id = _route(request)
            self._check_api_key(request)
            form = read_form(request.query if request.method == "GET" else request.body)
            reply = self._answer(request, operation, object_id, form, key)
        except StripeFault as fault:
            reply = _reply(fault.status, fault.body)
        replayed = "Idempotent-Replayed" in reply.headers
        self.calls.append(Call(operation, key, form, reply.status, replayed))
        return replace(reply, headers={"Request-Id": objects.new_id("req"), **reply.headers})

    def _answer(
        self, request: Request, operation: str, object_id: str, form: Json, key: str | None
    ) -> Reply:
        fault = self._planned_fault(operation)
        if fault and fault.kind in {"drop", "unavailable", "rate_limit"}:
            return _not_begun(fault)
        if request.method != "POST" or not key:
            return _spoil(self._execute(operation, object_id, form, key, fault), fault)
        kept = self._begin(key, f"{request.path}?{request.body}")
        if kept.reply:
            return replace(kept.reply, headers={"Idempotent-Replayed": "true"})
        try:
            kept.reply = self._execute(operation, object_id, form, key, fault)
        except StripeFault:
            self._forget(key)
            raise
        return _spoil(kept.reply, fault)

    def _execute(
        self, operation: str, object_id: str, form: Json, key: str | None, fault: Fault | None
    ) -> Reply:
        if fault and fault.kind == "error":
            return _reply(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                {"error": {"type": "api_error", "message": "Something went wrong at the sandbox."}},
            )
        checks.check_names(operation, form)
        with self.sandbox.lock:
            self.sandbox.settle()
            answer = _perform(self.sandbox, operation, object_id, form, key)
            paths = form.get("expand") or []
            return _reply(HTTPStatus.OK, self.sandbox.expand(answer, list(paths)))

    def _check_api_key(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self._api_key}":
            raise StripeFault("Invalid API Key provided", status=HTTPStatus.UNAUTHORIZED)

    # --- Once per key ---

    def _begin(self, key: str, asked: str) -> _Kept:
        """Take the key. Raises StripeFault if it is in use, or was used for something else."""
        if len(key) > 255:
            raise StripeFault("Idempotency keys have at most 255 characters.")
        with self._lock:
            now = self.sandbox.now()
            kept = self._kept.get(key)
            if kept is None or kept.at + DAY <= now:
                self._kept[key] = _Kept(asked, now)
                return self._kept[key]
            if kept.asked != asked:
                raise StripeFault(
                    "Keys for idempotent requests can only be used with the same parameters"
                    " they were first used with.",
                    kind="idempotency_error",
                )
            if kept.reply is None:
                raise StripeFault(
                    "Another request with this key is still running.",
                    code="idempotency_key_in_use",
                    status=HTTPStatus.CONFLICT,
                )
            return kept

    def _forget(self, key: str) -> None:
        with self._lock:
            del self._kept[key]

    # --- On purpose ---

    def _planned_fault(self, operation: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.operation not in {"*", operation} or not fault.times:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None


def _route(request: Request) -> tuple[str, str]:
    for method, pattern, operation in ROUTES:
        if method == request.method and (match := pattern.fullmatch(request.path)):
            return operation, unquote(match[1]) if match.groups() else ""
    raise StripeFault(
        f"Unrecognized request URL ({request.method}: {request.path}).",
        status=HTTPStatus.NOT_FOUND,
    )


def _perform(sandbox: Sandbox, operation: str, object_id: str, form: Json, key: str | None) -> Json:
    match operation.split("_", 1):
        case ["create", _]:
            made: Json = getattr(sandbox, operation)(form, key)
            return made
        case ["expire", _]:
            return sandbox.expire_session(object_id, key)
        case ["list", "events"]:
            return _page("/v1/events", _events(sandbox, form))
        case ["list", _]:
            sandbox.find("checkout.session", object_id)
            return _page(
                f"/v1/checkout/sessions/{object_id}/line_items", sandbox.lines_of(object_id)
            )
    kind = operation.removeprefix("retrieve_")
    return sandbox.find("checkout.session" if kind == "session" else kind, object_id)


def _events(sandbox: Sandbox, form: Json) -> list[Json]:
    """The newest first; `delivery_success=false`: those whose webhook did not arrive."""
    events = list(reversed(sandbox.all("event")))
    if "type" in form:
        events = [event for event in events if event["type"] == form["type"]]
    if "delivery_success" in form:
        delivered = form["delivery_success"] == "true"
        events = [event for event in events if (event["pending_webhooks"] == 0) == delivered]
    return events[: whole_number(form, "limit", lowest=1, highest=100) or 10]


def _page(url: str, entries: list[Json]) -> Json:
    return {"object": "list", "data": entries, "has_more": False, "url": url}


def _reply(status: int, body: Any) -> Reply:
    return Reply(status, json.dumps(body, indent=2, ensure_ascii=False).encode())


def _not_begun(fault: Fault) -> Reply:
    if fault.kind == "drop":
        return Reply(0, b"", cut=True)
    status = 429 if fault.kind == "rate_limit" else 503
    kind = "invalid_request_error" if fault.kind == "rate_limit" else "api_error"
    return _reply(status, {"error": {"type": kind, "message": "Asked for by the control API."}})


def _spoil(reply: Reply, fault: Fault | None) -> Reply:
    """Let an answer that was prepared well go wrong on its way."""
    match fault.kind if fault else None:
        case "garbage":
            return replace(reply, content=b"<html>Bad gateway</html>", content_type="text/html")
        case "stall" if fault:
            return replace(reply, wait=fault.seconds)
        case "drop_after":
            return replace(reply, cut=True)
    return reply
