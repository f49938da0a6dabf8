"""The sandbox over HTTP: Stripe's API under /v1/, pages for people, a control API for tests."""

import ipaddress
import json
import logging
import re
import threading
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from payments.stripe_sandbox import pages
from payments.stripe_sandbox.endpoints import Desk, Fault, Reply, Request
from payments.stripe_sandbox.state import Sandbox
from payments.stripe_sandbox.webhooks import RETRY_DELAYS, Courier
from payments.stripe_sandbox.wire import StripeFault

logger = logging.getLogger(__name__)

BODY_LIMIT = 1024 * 1024
TICK = 1.0


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class SandboxServer(ThreadingHTTPServer):
    """A running sandbox. Use it as a context manager; port 0 takes a free one, see `base_url`.

    Raises ValueError for an address that others could reach.
    """

    daemon_threads = True

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str = "sk_test_sandbox",
        webhook_secret: str = "whsec_sandbox",  # noqa: S107
        webhook_url: str | None = None,
        retry_delays: tuple[float, ...] = RETRY_DELAYS,
        delay: int = 10,
        memory: Path | None = None,
    ) -> None:
        if not is_loopback(host):
            msg = f"{host} is no loopback address"
            raise ValueError(msg)
        super().__init__((host, port), SandboxHandler)
        self.base_url = f"http://{host}:{self.server_address[1]}"
        self.webhook_secret = webhook_secret
        self.sandbox = Sandbox(base_url=self.base_url, delay=delay, memory=memory)
        self.desk = Desk(self.sandbox, api_key=api_key)
        self.courier = Courier(
            url=webhook_url,
            secret=webhook_secret,
            delivered=self.sandbox.mark_delivered,
            retry_delays=retry_delays,
        )
        self.sandbox.on_event = self.courier.send
        self.stopping = threading.Event()

    def __enter__(self) -> Self:
        self.courier.start()
        self._workers = [
            threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True),
            threading.Thread(target=self._tick, daemon=True),
        ]
        for thread in self._workers:
            thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.stopping.set()
        self.shutdown()
        for thread in self._workers:
            thread.join()
        self.courier.stop()
        self.server_close()

    def _tick(self) -> None:
        while not self.stopping.wait(TICK):
            self.sandbox.settle()


class SandboxHandler(BaseHTTPRequestHandler):
    server: SandboxServer
    server_version = "stripe-sandbox"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, format: str, *args: Any) -> None:
        """Write one line with the path, without the query and without the ids: a link is secret."""
        path = re.sub(r"_[A-Za-z0-9]{20,}", "_…", urlsplit(self.path).path)
        logger.info("%s %s", self.command, path)

    def _answer(self, method: str) -> None:
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        # A page elsewhere whose name is made to resolve to this machine is not a friend.
        if not is_loopback(host):
            self._send(_text(HTTPStatus.FORBIDDEN, "Forbidden"))
            return
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > BODY_LIMIT:
            self._send(_text(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too large"))
            return
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        try:
            self._send(self._dispatch(method, body))
        except StripeFault as fault:
            self._send(_text(fault.status, str(fault)))

    def _dispatch(self, method: str, body: str) -> Reply:
        parts = urlsplit(self.path)
        steps = parts.path.strip("/").split("/")
        match method, steps:
            case _, ["v1", *_]:
                headers = {name.title(): value for name, value in self.headers.items()}
                request = Request(method, parts.path, parts.query, body, headers)
                return self.server.desk.answer(request)
            case _, ["_sandbox", subject]:
                return self._controlled(method, subject, body)
        self.server.sandbox.settle()
        return self._show(steps) if method == "GET" else self._act(steps, body)

    def _show(self, steps: list[str]) -> Reply:
        sandbox = self.server.sandbox
        match steps:
            case [""]:
                return _html(pages.overview_page(sandbox))
            case ["c", "pay", session_id]:
                session = sandbox.find("checkout.session", session_id)
                return _html(pages.checkout_page(sandbox, session))
        return _text(HTTPStatus.NOT_FOUND, "Not found")

    def _act(self, steps: list[str], body: str) -> Reply:
        match steps:
            case ["refund"]:
                return self._refund(body)
            case ["c", "pay", session_id]:
                return self._pay(session_id, body)
        return _text(HTTPStatus.NOT_FOUND, "Not found")

    def _pay(self, session_id: str, body: str) -> Reply:
        sandbox = self.server.sandbox
        match parse_qs(body).get("outcome"):
            case ["paid"]:
                session = sandbox.pay(session_id)
            case ["later"]:
                session = sandbox.pay_later(session_id, succeeds=True)
            case ["fails"]:
                session = sandbox.pay_later(session_id, succeeds=False)
            case _:
                return _text(HTTPStatus.BAD_REQUEST, "Unknown outcome")
        return _redirect(pages.way_back(session))

    def _refund(self, body: str) -> Reply:
        charge = parse_qs(body).get("charge", [""])[0]
        with self.server.sandbox.lock:
            self.server.sandbox.create_refund({"charge": charge}, None)
        return _redirect("/")

    def _controlled(self, method: str, subject: str, body: str) -> Reply:
        try:
            return self._control(method, subject, json.loads(body or "{}"))
        except (ValueError, TypeError, KeyError) as error:
            return _text(HTTPStatus.BAD_REQUEST, f"{type(error).__name__}: {error}")

    def _control(self, method: str, subject: str, asked: dict[str, Any]) -> Reply:
        """The control API; JSON in and out; `faults` takes the fields of Fault."""
        desk, sandbox, courier = self.server.desk, self.server.sandbox, self.server.courier
        match method, subject:
            case "POST", "faults":
                desk.faults.append(Fault(**asked))
            case "DELETE", "faults":
                desk.faults.clear()
            case "POST", "clock":
                sandbox.advance(int(asked["advance"]))
            case "POST", "withhold":
                courier.withhold = True
            case "POST", "release":
                courier.release()
            case "POST", "resend":
                courier.send(sandbox.find("event", asked["event"]))
            case "GET", "calls":
                return _json([asdict(call) for call in desk.calls])
            case _:
                return _text(HTTPStatus.NOT_FOUND, "Not found")
        return _json({"done": True})

    def _send(self, reply: Reply) -> None:
        if reply.wait:
            self.server.stopping.wait(reply.wait)
        if reply.cut:
            self.close_connection = True
            return
        self.send_response(reply.status)
        headers = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.content))}
        for name, value in {**headers, **reply.headers}.items():
            self.send_header(name, value)
        try:
            self.end_headers()
            self.wfile.write(reply.content)
        except (BrokenPipeError, ConnectionResetError):
            logger.info("The client did not wait for the answer")


def _text(status: int, words: str) -> Reply:
    return Reply(status, words.encode(), "text/plain; charset=utf-8")


def _html(page: str) -> Reply:
    return Reply(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8")


def _json(body: Any) -> Reply:
    return Reply(HTTPStatus.OK, json.dumps(body).encode())


def _redirect(address: str) -> Reply:
    return Reply(HTTPStatus.SEE_OTHER, b"", headers={"Location": address})
