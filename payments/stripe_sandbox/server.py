"""The sandbox over HTTP: Stripe's API under /v1/, and pages for people."""

import ipaddress
import logging
import re
import socket
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from payments.stripe_sandbox import pages
from payments.stripe_sandbox.api import Reply, Request, StripeAPI
from payments.stripe_sandbox.forms import StripeFault
from payments.stripe_sandbox.state import Sandbox
from payments.stripe_sandbox.webhooks import RETRY_DELAYS, WebhookSender

logger = logging.getLogger(__name__)

BODY_LIMIT = 1024 * 1024
TICK = 1.0


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class SandboxHandler(BaseHTTPRequestHandler):
    server: "SandboxServer"
    server_version = "stripe-sandbox"

    def do_GET(self) -> None:
        try:
            self.send(self.respond())
        except StripeFault as fault:
            self.send(text_reply(fault.status, str(fault)))

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Write one line with the path, without the query and without the ids: a link is secret."""
        path = re.sub(r"_[A-Za-z0-9]{20,}", "_…", urlsplit(self.path).path)
        logger.info("%s %s", self.command, path)

    def respond(self) -> Reply:
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        # A page elsewhere whose name is made to resolve to this machine is not a friend.
        if not is_loopback(host):
            return text_reply(HTTPStatus.FORBIDDEN, "Forbidden")
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > BODY_LIMIT:
            return text_reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too large")
        return self.dispatch(self.rfile.read(int(length)).decode("utf-8", "replace"))

    def dispatch(self, body: str) -> Reply:
        parts = urlsplit(self.path)
        sandbox = self.server.sandbox
        if parts.path.startswith("/v1/"):
            headers = {name.title(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, parts.query, body, headers)
            return self.server.api.answer(request)
        sandbox.settle()
        match self.command, parts.path.strip("/").split("/"):
            case "GET", [""]:
                return html_reply(pages.overview_page(sandbox))
            case "GET", ["c", "pay", session_id]:
                return html_reply(pages.checkout_page(sandbox, session_id))
            case "POST", ["c", "pay", session_id]:
                return self._pay(session_id, body)
            case "POST", ["refund" | "refunds" | "disputes" as subject, *rest]:
                fields = {name: values[0] for name, values in parse_qs(body).items()}
                with sandbox.lock:
                    self._act(subject, rest, fields)
                return redirect("/")
        return text_reply(HTTPStatus.NOT_FOUND, "Not found")

    def _pay(self, session_id: str, body: str) -> Reply:
        """Pay, and send the buyer back."""
        match parse_qs(body).get("outcome"):
            case ["paid"]:
                session = self.server.sandbox.pay(session_id)
            case ["later" | "fails" as outcome]:
                succeeds = outcome == "later"
                session = self.server.sandbox.pay_later(session_id, succeeds=succeeds)
            case _:
                return text_reply(HTTPStatus.BAD_REQUEST, "Unknown outcome")
        return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id))

    def _act(self, subject: str, about: list[str], fields: dict[str, str]) -> None:
        """Do what a button of the overview says: what the merchant does in Stripe's dashboard, and
        what banks do."""
        sandbox = self.server.sandbox
        match subject, about:
            case "refund", []:
                sandbox.create_refund(fields)
            case "refunds", ["wait"]:
                sandbox.refunds_wait = fields.get("wait") == "1"
            case "refunds", [refund_id]:
                succeeds = fields.get("outcome") == "succeeded"
                sandbox.settle_refund(refund_id, succeeds=succeeds)
            case "disputes", []:
                sandbox.open_dispute(fields.get("charge", ""))
            case "disputes", [dispute_id] if fields.get("status") in {"won", "lost"}:
                sandbox.change_dispute(dispute_id, fields["status"])
            case _:
                raise StripeFault("There is no such button.")

    def send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        headers = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.content))}
        for name, value in {**headers, **reply.headers}.items():
            self.send_header(name, value)
        try:
            self.end_headers()
            self.wfile.write(reply.content)
        except (BrokenPipeError, ConnectionResetError):
            logger.info("The client did not wait for the answer")


class SandboxServer(ThreadingHTTPServer):
    """A running sandbox. Use it as a context manager; port 0 takes a free one, see `base_url`. A
    `listener` is a socket that listens on that host already, on whatever port.

    Raises ValueError for an address that others could reach.
    """

    daemon_threads = True
    # Tests have their own.
    handler_class: type[SandboxHandler] = SandboxHandler
    sandbox_class: type[Sandbox] = Sandbox
    api_class: type[StripeAPI] = StripeAPI

    def __init__(
        self,
        *,
        address: tuple[str, int] = ("127.0.0.1", 0),
        listener: socket.socket | None = None,
        api_key: str = "sk_test_sandbox",
        webhook_secret: str = "whsec_sandbox",  # noqa: S107
        webhook_url: str | None = None,
        retry_delays: Sequence[float] = RETRY_DELAYS,
        delay: int = 10,
        memory: Path | None = None,
    ) -> None:
        if not is_loopback(address[0]):
            msg = f"{address[0]} is no loopback address"
            raise ValueError(msg)
        super().__init__(address, self.handler_class, bind_and_activate=listener is None)
        if listener is not None:
            self.socket.close()
            self.socket, self.server_address = listener, listener.getsockname()
        self.base_url = f"http://{address[0]}:{self.server_address[1]}"
        self.webhook_secret = webhook_secret
        self.sandbox = self.sandbox_class(base_url=self.base_url, delay=delay, memory=memory)
        self.api = self.api_class(self.sandbox, api_key=api_key)
        self.stopping = threading.Event()
        self.webhooks: WebhookSender | None = None
        if webhook_url:
            self.webhooks = WebhookSender(
                url=webhook_url, secret=webhook_secret, retry_delays=retry_delays
            )
            self.sandbox.on_event = self.webhooks.send

    def __enter__(self) -> Self:
        if self.webhooks:
            self.webhooks.start()
        self._workers = [
            threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True),
            threading.Thread(target=self._settle_by_the_clock, daemon=True),
        ]
        for thread in self._workers:
            thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.stopping.set()
        self.shutdown()
        for thread in self._workers:
            thread.join()
        if self.webhooks:
            self.webhooks.stop()
        self.server_close()

    def _settle_by_the_clock(self) -> None:
        while not self.stopping.wait(TICK):
            self.sandbox.settle()


def text_reply(status: HTTPStatus, words: str) -> Reply:
    return Reply(status, words.encode(), "text/plain; charset=utf-8")


def html_reply(page: str) -> Reply:
    return Reply(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8")


def redirect(address: str) -> Reply:
    return Reply(HTTPStatus.SEE_OTHER, b"", headers={"Location": address})
