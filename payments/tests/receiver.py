"""Somebody who takes webhooks, over real HTTP."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """Takes webhooks; the first `failures` of them it answers with 500. `enough` is set once the
    completion of a session was taken."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ReceiverHandler)
        self.failures = 0
        self.taken: list[tuple[bytes, str]] = []
        self.enough = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"


class _ReceiverHandler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((body, self.headers["Stripe-Signature"]))
        self.send_response(500 if len(self.server.taken) <= self.server.failures else 204)
        self.end_headers()
        if b"checkout.session.completed" in body and len(self.server.taken) > self.server.failures:
            self.server.enough.set()

    def log_message(self, format: str, *args: object) -> None:
        pass
