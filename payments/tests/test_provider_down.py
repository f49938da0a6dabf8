"""Stripe down, slow, or talking nonsense, over a real socket: always one of our errors, and no
word of what was sent or answered in the log."""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pytest_django import Settings

from payments.provider import stripe
from payments.provider.types import (
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnavailable,
)

SECRET_WORDS = ("lev@example.com", "school.example", "https://pay.example", "sk_test", "cs_test_1")
CALLS: dict[str, Callable[[], object]] = {
    "product": lambda: stripe.create_product(name="A", idempotency_key="a", metadata={}),
    "price": lambda: stripe.create_price(
        product_id="prod_1", amount=Decimal(1), currency="RUB", idempotency_key="b"
    ),
    "session": lambda: stripe.create_session(
        payment_id="17",
        price_id="price_1",
        success_url="https://school.example/done",
        cancel_url="https://school.example/cancelled",
        title="A",
        email="lev@example.com",
        language="en",
        expires_at=datetime(2026, 11, 1, tzinfo=UTC),
        idempotency_key="c",
    ),
    "retrieve": lambda: stripe.retrieve_session("cs_test_1"),
    "expire": lambda: stripe.expire_session("cs_test_1", idempotency_key="d"),
    "refunds": lambda: stripe.list_refunds("pi_1"),
    "events": lambda: list(stripe.list_events(since=datetime(2026, 11, 1, tzinfo=UTC))),
    "refund": lambda: stripe.refund(
        payment_intent_id="pi_1",
        amount=Decimal(1),
        currency="RUB",
        payment_id="17",
        refund_token="e",
    ),
}


class Hostile(ThreadingHTTPServer):
    """Says the same to everybody, or nothing for as long as it lives."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HostileHandler)
        self.status, self.content, self.behaviour = 200, b"", "answer"
        self.keys: list[str | None] = []
        self.over = threading.Event()


class _HostileHandler(BaseHTTPRequestHandler):
    server: Hostile

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.keys.append(self.headers.get("Idempotency-Key"))
        if self.server.behaviour == "stall":
            self.server.over.wait()
        if self.server.behaviour != "answer":
            return
        self.send_response(self.server.status)
        self.send_header("Request-Id", "req_hostile")
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hostile(stripe_settings: Settings) -> Iterator[Hostile]:
    with Hostile() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        stripe_settings.STRIPE_API_BASE = f"http://127.0.0.1:{server.server_address[1]}"
        # Nobody waits for it to the end but who meets a stall; a busy machine may answer late.
        stripe_settings.STRIPE_TIMEOUT = (5.0, 5.0)
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def error_body(kind: str, **said: str) -> bytes:
    fields = "".join(f', "{name}": "{value}"' for name, value in said.items())
    return f'{{"error": {{"type": "{kind}", "message": "lev@example.com"{fields}}}}}'.encode()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("status", "content", "tries", "expected"),
    [
        (500, error_body("api_error"), 3, ProviderUnavailable),
        (503, b"<html>https://pay.example</html>", 3, ProviderUnavailable),
        (409, error_body("idempotency_error"), 3, ProviderUnavailable),
        (409, error_body("invalid_request_error"), 3, ProviderUnavailable),
        (429, error_body("invalid_request_error", code="rate_limit"), 1, ProviderUnavailable),
        (400, error_body("invalid_request_error", code="amount_too_small"), 1, ProviderRefused),
        (402, error_body("card_error", code="card_declined"), 1, ProviderRefused),
        (401, error_body("invalid_request_error"), 1, ProviderMisconfigured),
        (403, error_body("invalid_request_error"), 1, ProviderMisconfigured),
        (404, b"nothing here", 1, ProviderUnavailable),
        (400, b'{"error": "lev@example.com"}', 1, ProviderUnavailable),
        (400, b"[]", 1, ProviderUnavailable),
        (200, b"<html>https://pay.example</html>", 1, ProviderUnavailable),
        (200, b"\xff\xfe\x00", 1, ProviderUnavailable),
        (200, b"", 1, ProviderUnavailable),
        (200, b"{}", 1, ProviderUnavailable),
        (200, b"[]", 1, ProviderUnavailable),
        (200, b"null", 1, ProviderUnavailable),
        (200, b'"cs_test_1"', 1, ProviderUnavailable),
        (200, b'{"id": "cs_test_1", "expires_at": "soon"}', 1, ProviderUnavailable),
        (204, b"", 1, ProviderUnavailable),
    ],
)
def test_every_answer_that_is_none_becomes_an_error_of_ours(
    hostile: Hostile,
    caplog: pytest.LogCaptureFixture,
    call: Callable[[], object],
    status: int,
    content: bytes,
    tries: int,
    expected: type[ProviderError],
) -> None:
    hostile.status, hostile.content = status, content
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderError) as failed:
        call()

    assert type(failed.value) is expected
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
    assert len(hostile.keys) == tries
    assert len(set(hostile.keys)) == 1
    assert caplog.text
    assert not [word for word in SECRET_WORDS if word in caplog.text + str(failed.value)]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("behaviour", ["drop", "stall"])
def test_silence_is_an_unknown_outcome(
    hostile: Hostile, stripe_settings: Settings, call: Callable[[], object], behaviour: str
) -> None:
    hostile.behaviour = behaviour
    stripe_settings.STRIPE_TIMEOUT = (0.2, 0.05)
    with pytest.raises(ProviderUnavailable) as failed:
        call()
    assert not failed.value.needs_new_key
    assert len(hostile.keys) == 3
    assert len(set(hostile.keys)) == 1


def test_nobody_listening_is_an_unknown_outcome(stripe_settings: Settings) -> None:
    with Hostile() as nobody:
        port = nobody.server_address[1]
    stripe_settings.STRIPE_API_BASE = f"http://127.0.0.1:{port}"
    with pytest.raises(ProviderUnavailable):
        stripe.retrieve_session("cs_test_1")


def test_refusal_tells_its_reason(hostile: Hostile) -> None:
    hostile.status = 400
    hostile.content = error_body("invalid_request_error", code="amount_too_small")
    with pytest.raises(ProviderRefused) as refused:
        stripe.retrieve_session("cs_test_1")
    assert refused.value.reason == "amount_too_small"
