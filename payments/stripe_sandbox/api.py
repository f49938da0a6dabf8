"""Stripe's API: who asks, and for which operation."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import unquote

from payments.stripe_sandbox.forms import Json, StripeFault, read_form
from payments.stripe_sandbox.objects import new_id
from payments.stripe_sandbox.state import Sandbox

ROUTES = [
    (method, re.compile(pattern), operation)
    for method, pattern, operation in (
        ("GET", r"/v1/account", "retrieve_account"),
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
        ("GET", r"/v1/refunds", "list_refunds"),
        ("GET", r"/v1/refunds/([^/]+)", "retrieve_refund"),
        ("GET", r"/v1/events", "list_events"),
    )
]


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    content: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    operation: str
    object_id: str
    form: Json


class StripeAPI:
    """The API of one account. `answer` may be called from many threads at once."""

    def __init__(self, sandbox: Sandbox, *, api_key: str) -> None:
        self.sandbox = sandbox
        self.api_key = api_key

    def answer(self, request: Request) -> Reply:
        """Answer as Stripe would. Raises nothing."""
        try:
            reply = self.perform(self.read(request))
        except StripeFault as fault:
            reply = json_reply(fault.status, fault.body)
        return replace(reply, headers={"Request-Id": new_id("req"), **reply.headers})

    def read(self, request: Request) -> Call:
        """Raises StripeFault for an operation that there is not, and for another key of the API."""
        routes = (
            (operation, match)
            for method, pattern, operation in ROUTES
            if method == request.method and (match := pattern.fullmatch(request.path))
        )
        operation, match = next(routes, ("", None))
        if match is None:
            raise StripeFault(
                f"Unrecognized request URL ({request.method}: {request.path}).",
                status=HTTPStatus.NOT_FOUND,
            )
        if request.headers.get("Authorization") != f"Bearer {self.api_key}":
            raise StripeFault("Invalid API Key provided", status=HTTPStatus.UNAUTHORIZED)
        return Call(
            operation=operation,
            object_id=unquote("".join(match.groups())),
            form=read_form(request.body if request.method == "POST" else request.query),
        )

    def perform(self, call: Call) -> Reply:
        sandbox = self.sandbox
        with sandbox.lock:
            sandbox.settle()
            match call.operation.split("_", 1):
                case ["create", _]:
                    answer: Json = getattr(sandbox, call.operation)(call.form)
                case ["retrieve", "account"]:
                    answer = sandbox.account()
                case ["expire", _]:
                    answer = sandbox.expire_session(call.object_id)
                case ["list", "events"]:
                    since = int(call.form.get("created", {}).get("gte", 0))
                    kinds = call.form.get("types")
                    events = [
                        event
                        for event in sandbox.all("event")
                        if event["created"] >= since and (not kinds or event["type"] in kinds)
                    ]
                    answer = page("/v1/events", events[::-1], call.form)
                case ["list", "refunds"]:
                    intent = call.form.get("payment_intent")
                    if intent is not None:
                        sandbox.find("payment_intent", intent, param="payment_intent")
                    refunds = [
                        refund
                        for refund in sandbox.all("refund")
                        if intent in {None, refund["payment_intent"]}
                    ]
                    answer = page("/v1/refunds", refunds[::-1], call.form)
                case ["list", _]:
                    lines = sandbox.lines_of(call.object_id)
                    address = f"/v1/checkout/sessions/{call.object_id}/line_items"
                    answer = page(address, lines, call.form)
                case [_, kind]:
                    kind = "checkout.session" if kind == "session" else kind
                    answer = sandbox.find(kind, call.object_id)
            return json_reply(HTTPStatus.OK, sandbox.expand(answer, call.form.get("expand", ())))


def page(url: str, entries: list[Json], form: Json) -> Json:
    """A page of a list, newest first: at most a hundred entries, those after `starting_after`."""
    limit = int(form.get("limit", 10))
    ids = [entry["id"] for entry in entries]
    after = form.get("starting_after")
    start = ids.index(after) + 1 if after in ids else 0
    data = entries[start : start + limit]
    has_more = start + limit < len(entries)
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def json_reply(status: int, body: object) -> Reply:
    return Reply(status, json.dumps(body, indent=2, ensure_ascii=False).encode())
