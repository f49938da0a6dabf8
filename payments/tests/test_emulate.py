"""A second peer that nobody here wrote: `emulate`, an npm package.

`npm ci --ignore-scripts` in payments/tests/emulate/ installs it; CI must have it. It is laxer
than Stripe and leaves out required fields (no amount in a session, no id in an event), so what
is shown here is that another implementation understands our requests and signs as we verify, and
that the gateway takes no such answer for a good one.
"""

import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import stripe
from pytest_django import Settings

from payments.provider import asking
from payments.provider import stripe as gateway
from payments.provider.types import InvalidEvent, InvalidSignature, ProviderUnavailable
from payments.tests.receiver import Receiver

PEER = Path(__file__).with_name("emulate")
INSTALLED = shutil.which("node") is not None and (PEER / "node_modules").exists()
pytestmark = pytest.mark.skipif(
    not INSTALLED and not os.environ.get("CI"),
    reason="emulate is not installed: npm ci --ignore-scripts in payments/tests/emulate",
)


@pytest.fixture
def peer(
    stripe_settings: Settings, receiver: Receiver, tmp_path: Path
) -> Iterator[stripe.StripeClient]:
    """The foreign stand-in, as our settings; gives a bare client of the SDK to look at it."""
    # No other process can take the port, and what is sent before emulate is ready waits.
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    seed = tmp_path / "seed.yaml"
    seed.write_text(
        f'stripe: {{webhooks: [{{url: "{receiver.url}", events: ["*"], secret: whsec_sandbox}}]}}'
    )
    stripe_settings.STRIPE_API_BASE = f"http://127.0.0.1:{port}"
    stripe_settings.STRIPE_TIMEOUT = (5.0, 5.0)
    command = ["node", "-r", "./loopback.cjs", "node_modules/emulate/dist/index.js", "start"]
    command += ["--service", "stripe", "--port", str(port), "--seed", str(seed)]
    command += ["--base-url", stripe_settings.STRIPE_API_BASE]
    with (
        listener,
        subprocess.Popen(
            command,
            cwd=PEER,
            env=os.environ | {"LISTENER": str(listener.fileno())},
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        assert any("Config:" in line for line in process.stdout)
        yield asking.client_of("sk_test_sandbox", stripe_settings.STRIPE_API_BASE, (5.0, 5.0))
        process.terminate()


def test_foreign_peer_understands_a_whole_purchase(
    peer: stripe.StripeClient, receiver: Receiver, settings: Settings
) -> None:
    product = gateway.create_product(name="Основы", idempotency_key="a", metadata={"course": "5"})
    price = gateway.create_price(
        product_id=product, amount=Decimal("1500.00"), currency="RUB", idempotency_key="b"
    )
    success_url = "https://a.example/{CHECKOUT_SESSION_ID}"
    with pytest.raises(ProviderUnavailable):
        gateway.create_session(
            payment_id="17",
            price_id=price,
            success_url=success_url,
            cancel_url="https://a.example",
            title="Основы",
            expires_at=datetime.now(UTC) + timedelta(hours=2),
            email="lev@example.com",
            language="ru",
            idempotency_key="c",
        )

    made = peer.v1.prices.retrieve(price)
    assert (made.unit_amount, made.product) == (150_000, product)
    (session,) = peer.v1.checkout.sessions.list().data
    assert session.metadata is not None
    assert session.metadata["payment_id"] == "17"
    assert session.success_url == success_url
    finish = f"{settings.STRIPE_API_BASE}/checkout/{session.id}/complete"
    assert _location(finish) == f"https://a.example/{session.id}"

    assert receiver.enough.wait(5)
    body, signature = receiver.taken[-1]
    with pytest.raises(InvalidEvent):
        gateway.parse_event(body, signature)
    with pytest.raises(InvalidSignature):
        gateway.parse_event(body + b" ", signature)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


def _location(url: str) -> str:
    """Where the page sends the buyer; the SDK can't press a button."""
    try:
        urllib.request.build_opener(_NoRedirect).open(url, b"", timeout=5).close()
    except urllib.error.HTTPError as redirect:
        with redirect:
            return str(redirect.headers["Location"])
    return ""
