"""Sending events as Stripe does: signed, until somebody answers with 2xx."""

import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from payments.stripe_sandbox.wire import Json

logger = logging.getLogger(__name__)

# Seconds between the tries; Stripe goes on for three days.
RETRY_DELAYS = (1, 2, 5, 10, 30, 60, 120, 300, 600)


def signed(event: Json, secret: str) -> tuple[bytes, str]:
    """Return the body of a webhook and its `Stripe-Signature`, as of now."""
    body = json.dumps(event, indent=2, ensure_ascii=False).encode()
    moment = int(time.time())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return body, f"t={moment},v1={digest}"


class Courier:
    """A thread that carries events to one address, and remembers those it must hold back.

    `delivered` is called with the id of an event that was accepted. Without an address
    everything is held back.
    """

    def __init__(
        self,
        *,
        url: str | None,
        secret: str,
        delivered: Callable[[str], None],
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self.withhold = url is None
        self.held: list[Json] = []
        self._url = url
        self._secret = secret
        self._delivered = delivered
        self._retry_delays = retry_delays
        self._waiting: list[tuple[float, int, int, Json]] = []
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="stripe-webhooks")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopped = True
            self._wake.notify()
        self._thread.join()

    def send(self, event: Json) -> None:
        """Carry the event soon, or hold it back."""
        with self._wake:
            if self.withhold:
                self.held.append(event)
            else:
                self._put(event, tries=0, delay=0)

    def release(self) -> int:
        """Hold nothing back any more; send what was held, oldest first. Returns how many."""
        with self._wake:
            events, self.held, self.withhold = self.held, [], False
            for event in events:
                self._put(event, tries=0, delay=0)
            return len(events)

    def _put(self, event: Json, *, tries: int, delay: float) -> None:
        due = time.monotonic() + delay
        heapq.heappush(self._waiting, (due, next(self._numbers), tries, event))
        self._wake.notify()

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            tries, event = entry
            if self._carry(event):
                self._delivered(event["id"])
            elif tries < len(self._retry_delays):
                with self._wake:
                    self._put(event, tries=tries + 1, delay=self._retry_delays[tries])
            else:
                logger.warning("Gave up sending event %s", event["id"])

    def _next(self) -> tuple[int, Json] | None:
        """Wait for the next event that is due; None once stopped."""
        with self._wake:
            while not self._stopped:
                wait = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if wait is not None and wait <= 0:
                    _due, _number, tries, event = heapq.heappop(self._waiting)
                    return tries, event
                self._wake.wait(wait)
        return None

    def _carry(self, event: Json) -> bool:
        """Send once; True if it was accepted."""
        if self._url is None:
            return False
        body, signature = signed(event, self._secret)
        parts = urlsplit(self._url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(parts.netloc, timeout=15)
        try:
            connection.request(
                "POST",
                parts.path or "/",
                body,
                {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature},
            )
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            logger.warning("%s: %s", event["type"], type(error).__name__)
            return False
        finally:
            connection.close()
        logger.info("%s: %s", event["type"], status)
        return 200 <= status < 300
