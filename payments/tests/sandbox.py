"""The sandbox as tests need it: it refuses what Stripe refuses, answers once for each idempotency key,
its clock can be moved, things go wrong on purpose, events wait to be looked at, and all that was asked
is known."""

import json
import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import Any, Literal, get_args

from payments.stripe_sandbox.api import Call, Reply, Request, StripeAPI, json_reply
from payments.stripe_sandbox.forms import Json, StripeFault
from payments.stripe_sandbox.server import SandboxHandler, SandboxServer, text_reply
from payments.stripe_sandbox.state import DAY, NOTHING, Sandbox
from payments.tests.stripe_rules import check_request

FaultKind = Literal[
    "error", "refuse", "unavailable", "rate_limit", "garbage", "stall", "drop", "drop_after"
]
FAULT_KINDS = get_args(FaultKind)


@dataclass(slots=True)
class Fault:
    """What shall go wrong, at which operation (`*`: any), after how many calls, how many times.

    error: 500, kept under the key and replayed as Stripe does; refuse: 400 with this code and these words;
    unavailable: 503, and rate_limit: 429, nothing is kept; garbage: done, but the answer is HTML; stall: done, but the answer comes
    `seconds` late; drop: the connection is cut before anything is done; drop_after: done, then cut.
    """

    kind: FaultKind
    operation: str = "*"
    skip: int = 0
    times: int = 1
    seconds: float = 0
    code: str = "parameter_invalid"
    words: str = "It was planned to be refused."

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(self.kind)


@dataclass(frozen=True, slots=True)
class LateReply(Reply):
    """`cut`: close the connection without a word; `wait`: seconds before the first byte."""

    wait: float = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class KeyedCall(Call):
    """`key` is the idempotency key of a request, `asked` the whole of it."""

    key: str | None
    asked: str


@dataclass(slots=True)
class KeptReply:
    """What a key was used for, and the answer once there is one."""

    asked: str
    at: int
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked and answered."""

    operation: str
    key: str | None
    form: Json
    status: int
    replayed: bool


class MovableSandbox(Sandbox):
    offset = 0
    # What is in the other mode of the account.
    _other: Json | None = None

    def now(self) -> int:
        return super().now() + self.offset

    def advance(self, seconds: int) -> None:
        """Let time pass: sessions run out, delayed payments come to their end."""
        with self.lock:
            self.offset += seconds
            self.settle()

    def switch_mode(self, *, livemode: bool) -> None:
        """Answer to the key of that mode: each knows nothing of the other."""
        with self.lock:
            if livemode != self.livemode:
                empty = deepcopy(NOTHING) | {"account": self._kept["account"]}
                self._kept, self._other = self._other or empty, self._kept
                self.livemode = livemode
            self.settle()


class FaultyAPI(StripeAPI):
    sandbox: MovableSandbox

    def __init__(self, sandbox: Sandbox, *, api_key: str) -> None:
        super().__init__(sandbox, api_key=api_key)
        self.calls: list[Asked] = []
        self.faults: list[Fault] = []
        self._planning = threading.Lock()
        self._kept: dict[str, KeptReply] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Reply:
        reply = super().answer(request)
        try:
            call = self.read(request)
        except StripeFault:
            call = KeyedCall("unknown", "", {}, request.headers.get("Idempotency-Key"), "")
        replayed = "Idempotent-Replayed" in reply.headers
        self.calls.append(Asked(call.operation, call.key, call.form, reply.status, replayed))
        return reply

    def read(self, request: Request) -> KeyedCall:
        call = super().read(request)
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        asked = f"{request.path}?{request.body}"
        return KeyedCall(call.operation, call.object_id, call.form, key, asked)

    def perform(self, call: Call) -> Reply:
        assert isinstance(call, KeyedCall)
        fault = self._planned_fault(call.operation)
        match fault.kind if fault else None:
            case "drop":
                return LateReply(0, b"", cut=True)
            case "refuse" if fault:
                raise StripeFault(fault.words, code=fault.code)
            case "rate_limit":
                return _failure(HTTPStatus.TOO_MANY_REQUESTS, "invalid_request_error")
            case "unavailable":
                return _failure(HTTPStatus.SERVICE_UNAVAILABLE, "api_error")
            case "error":
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                return self._once(call, lambda: _failure(status, "api_error"))
        reply = self._once(call, lambda: self._perform_checked(call))
        return reply if "Idempotent-Replayed" in reply.headers else _spoilt(reply, fault)

    def _perform_checked(self, call: Call) -> Reply:
        if self.sandbox.offset and call.form.get("expires_at", "").isdecimal():
            # It was reckoned by our clock.
            call.form["expires_at"] = str(int(call.form["expires_at"]) + self.sandbox.offset)
        check_request(call.operation, call.form, now=self.sandbox.now())
        return super().perform(call)

    def _once(self, call: KeyedCall, act: Callable[[], Reply]) -> Reply:
        """Act, or say again what was said to the same key. A refusal (StripeFault) is not kept."""
        if not call.key:
            return act()
        # Each mode of each account has keys of its own.
        key = f"{self.sandbox.account_id} {self.sandbox.livemode} {call.key}"
        kept = self._take_key(key, call.asked)
        if kept.reply:
            return replace(kept.reply, headers={"Idempotent-Replayed": "true"})
        try:
            kept.reply = act()
        except StripeFault:
            with self._lock:
                del self._kept[key]
            raise
        return kept.reply

    def _take_key(self, key: str, asked: str) -> KeptReply:
        """Raises StripeFault if the key is in use, or was used for something else."""
        with self._lock:
            now = self.sandbox.now()
            kept = self._kept.get(key)
            if kept is None or kept.at + DAY <= now:
                self._kept[key] = KeptReply(asked, now)
                return self._kept[key]
        if kept.asked != asked:
            raise StripeFault(
                "Keys for idempotent requests can only be used with the same parameters they were"
                " first used with.",
                kind="idempotency_error",
            )
        if kept.reply is None:
            raise StripeFault(
                "Another request with this key is still running.",
                code="idempotency_key_in_use",
                status=HTTPStatus.CONFLICT,
            )
        return kept

    def _planned_fault(self, operation: str) -> Fault | None:
        with self._planning:
            for fault in self.faults:
                if fault.operation not in {"*", operation} or not fault.times:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None


def _failure(status: HTTPStatus, kind: str) -> Reply:
    return json_reply(status, {"error": {"type": kind, "message": "It was planned to fail."}})


def _spoilt(reply: Reply, fault: Fault | None) -> Reply:
    """Let an answer that was prepared well go wrong on its way."""
    match fault.kind if fault else None:
        case "garbage":
            return replace(reply, content=b"<html>Bad gateway</html>", content_type="text/html")
        case "stall" if fault:
            return LateReply(reply.status, reply.content, wait=fault.seconds)
        case "drop_after":
            return LateReply(reply.status, reply.content, cut=True)
    return reply


class ControlledHandler(SandboxHandler):
    """Adds a control API over HTTP; JSON in and out; `faults` takes the fields of Fault."""

    server: "ControlledServer"

    def dispatch(self, body: str) -> Reply:
        if not self.path.startswith("/_sandbox/"):
            return super().dispatch(body)
        try:
            return self._control(self.path.removeprefix("/_sandbox/"), json.loads(body or "{}"))
        except (ValueError, TypeError, KeyError) as error:
            return text_reply(HTTPStatus.BAD_REQUEST, f"{type(error).__name__}: {error}")

    def _control(self, subject: str, asked: dict[str, Any]) -> Reply:
        match self.command, subject:
            case "POST", "faults":
                self.server.api.faults.append(Fault(**asked))
            case "POST", "clock":
                self.server.sandbox.advance(int(asked["advance"]))
            case "GET", "calls":
                return json_reply(HTTPStatus.OK, [asdict(call) for call in self.server.api.calls])
            case _:
                return text_reply(HTTPStatus.NOT_FOUND, "Not found")
        return json_reply(HTTPStatus.OK, {"done": True})

    def send(self, reply: Reply) -> None:
        if isinstance(reply, LateReply):
            self.server.stopping.wait(reply.wait)
            if reply.cut:
                self.close_connection = True
                return
        super().send(reply)


class ControlledServer(SandboxServer):
    """`.sandbox.pay(id)` is the buyer, `.api.faults` what shall go wrong, `.api.calls` what was
    asked, `.events` what Stripe would have told us; only an address gets them sent. Delayed money
    comes after an hour: what a test does meanwhile may take long on a busy machine."""

    handler_class = ControlledHandler
    sandbox_class = MovableSandbox
    api_class = FaultyAPI
    sandbox: MovableSandbox
    api: FaultyAPI

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"delay": 3600} | options)
        self.events: list[Json] = []
        if self.webhooks is None:
            self.sandbox.on_event = self.events.append
