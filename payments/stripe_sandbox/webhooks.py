"""Sending events as Stripe does: signed, until somebody answers with 2xx."""

import hashlib
import hmac
import http.client
import json
import logging
import queue
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from payments.stripe_sandbox.forms import Json

logger = logging.getLogger(__name__)

# Seconds between the tries; Stripe goes on for three days.
RETRY_DELAYS = (1, 2, 5, 10, 30, 60, 120, 300, 600)


def signed(event: Json, secret: str) -> tuple[bytes, str]:
    """Return the body of a webhook and its `Stripe-Signature`, as of now."""
    body = json.dumps(event, indent=2, ensure_ascii=False).encode()
    moment = int(time.time())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return body, f"t={moment},v1={digest}"


class WebhookSender(threading.Thread):
    """Sends events to one address, one after the other; those that were refused again later."""

    def __init__(
        self, *, url: str, secret: str, retry_delays: Sequence[float] = RETRY_DELAYS
    ) -> None:
        super().__init__(daemon=True, name="stripe-webhooks")
        self._url = urlsplit(url)
        self._secret = secret
        self._retry_delays = retry_delays
        self._waiting: queue.Queue[tuple[Json, int] | None] = queue.Queue()

    def send(self, event: Json, tries: int = 0) -> None:
        self._waiting.put((event, tries))

    def stop(self) -> None:
        self._waiting.put(None)
        self.join()

    def run(self) -> None:
        while (entry := self._waiting.get()) is not None:
            event, tries = entry
            if self._post(event):
                continue
            if tries == len(self._retry_delays):
                logger.warning("Gave up sending event %s", event["id"])
                continue
            timer = threading.Timer(self._retry_delays[tries], self.send, (event, tries + 1))
            timer.daemon = True
            timer.start()

    def _post(self, event: Json) -> bool:
        """Send once; True if it was accepted."""
        body, signature = signed(event, self._secret)
        is_https = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if is_https else http.client.HTTPConnection
        connection = kind(self._url.netloc, timeout=15)
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}
        try:
            connection.request("POST", self._url.path or "/", body, headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            logger.warning("%s: %s", event["type"], type(error).__name__)
            return False
        finally:
            connection.close()
        logger.info("%s: %s", event["type"], status)
        return 200 <= status < 300
