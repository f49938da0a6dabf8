"""Webhooks: bodies from Stripe's own object shapes, signed with the SDK's own signer."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import stripe
from pytest_django import Settings

from payments.provider import stripe as gateway
from payments.provider.types import InvalidEvent, InvalidSignature
from payments.stripe_sandbox.objects import make
from payments.tests.stripe_description import Description

SECRET = "whsec_sandbox"
NOW = 1_790_000_000
pytestmark = pytest.mark.usefixtures("stripe_settings")


def make_session(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "amount_subtotal": 150_000,
        "amount_total": 150_000,
        "currency": "rub",
        "expires_at": NOW + 1800,
        "metadata": {"payment_id": "17"},
        "success_url": "https://a.example",
        "url": "/c/pay",
    }
    return make("checkout.session", now=NOW, **fields | changes)


def make_charge(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "amount": 150_000,
        "amount_captured": 150_000,
        "currency": "rub",
        "metadata": {"payment_id": "17"},
        "payment_intent": "pi_1",
    }
    return make("charge", now=NOW, **fields | changes)


def make_event(kind: str, subject: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return make("event", now=NOW, type=kind, data={"object": subject}) | changes


def signed(body: bytes, *, secret: str = SECRET, at: float | None = None) -> str:
    header: str = stripe.WebhookSignature.generate_signature_header(
        body.decode(), secret, timestamp=int(at or time.time())
    )
    return header


def parsed(event: dict[str, Any]) -> Any:
    body = json.dumps(event).encode()
    return gateway.parse_event(body, signed(body))


@pytest.mark.parametrize(
    "kind", ["completed", "async_payment_succeeded", "async_payment_failed", "expired"]
)
def test_event_of_a_session_carries_the_session(description: Description, kind: str) -> None:
    subject = make_session(payment_intent="pi_1")
    made = make_event(f"checkout.session.{kind}", subject)
    description.check_object(subject)
    event = parsed(made)

    assert (event.id, event.type, event.livemode) == (made["id"], made["type"], False)
    assert event.created == datetime.fromtimestamp(NOW, UTC)
    assert event.session.id == subject["id"]
    assert event.session.payment_intent_id == "pi_1"
    assert (event.session.amount, event.session.currency) == (Decimal(1500), "RUB")
    assert event.charge is event.refund is None


def test_event_of_a_refunded_charge(description: Description) -> None:
    subject = make_charge(amount_refunded=50_000)
    description.check_object(subject)
    event = parsed(make_event("charge.refunded", subject))

    assert event.charge.payment_intent_id == subject["payment_intent"]
    assert event.charge.payment_id == "17"
    assert (event.charge.amount, event.charge.amount_refunded) == (1500, 500)
    assert not event.charge.refunded
    whole = make_charge(amount_refunded=150_000, refunded=True)
    assert parsed(make_event("charge.refunded", whole)).charge.refunded


def test_event_of_a_refund(description: Description) -> None:
    charge = make_charge()
    fields = {name: charge[name] for name in ("amount", "currency", "payment_intent")}
    subject = make("refund", now=NOW, charge=charge["id"], status="failed", **fields)
    description.check_object(subject)
    event = parsed(make_event("refund.failed", subject))

    assert event.refund.status == "failed"
    assert (event.refund.id, event.refund.payment_intent_id) == (
        subject["id"],
        charge["payment_intent"],
    )
    assert (event.refund.amount, event.refund.currency) == (Decimal(1500), "RUB")


@pytest.mark.parametrize(
    ("session", "intent", "failed"),
    [
        ("complete", "requires_payment_method", True),
        ("complete", "canceled", True),
        ("complete", "processing", False),
        ("complete", "succeeded", False),
        # Nobody has tried to pay yet, or the page ran out first.
        ("open", "requires_payment_method", False),
        ("expired", "canceled", False),
    ],
)
def test_whole_object_in_place_of_an_id_is_read(session: str, intent: str, *, failed: bool) -> None:
    whole = {"id": "pi_1", "status": intent}
    event = parsed(
        make_event("checkout.session.completed", make_session(status=session, payment_intent=whole))
    )
    assert event.session.payment_intent_id == "pi_1"
    assert event.session.payment_failed is failed


def test_objects_without_metadata_and_with_the_longest_names_are_read() -> None:
    longest = "e" * 255
    charge = make_charge(metadata=None, payment_intent=None, id=longest)
    event = parsed(make_event("charge.refunded", charge, id=longest))
    assert (event.id, event.charge.id) == (longest, longest)
    assert event.charge.payment_id is event.charge.payment_intent_id is None
    session = make_session(metadata=None, currency=None, amount_total=None)
    event = parsed(make_event("checkout.session.completed", session))
    assert event.session.currency is event.session.amount is None


def test_foreign_currency_has_no_amount() -> None:
    event = parsed(make_event("checkout.session.completed", make_session(currency="xts")))
    assert (event.session.amount, event.session.currency) == (None, "XTS")


@pytest.mark.parametrize("kind", ["customer.created", "charge.succeeded", "brand.new.kind", "x"])
def test_unknown_type_has_no_object(kind: str) -> None:
    event = parsed(make_event(kind, {"object": "customer", "id": "cus_1"}))
    assert event.type == kind
    assert event.session is event.charge is event.refund is None


def test_event_of_the_other_mode_has_no_object() -> None:
    event = parsed(make_event("checkout.session.completed", make_session(), livemode=True))
    assert event.livemode
    assert event.session is None


def test_signature_of_five_minutes_ago_is_taken() -> None:
    assert gateway.parse_event(BODY, signed(BODY, at=time.time() - 290)).id == "evt_1"


def test_signature_during_a_change_of_the_secret_is_taken() -> None:
    body = json.dumps(make_event("x", {})).encode()
    old = signed(body, secret="whsec_old").partition("v1=")[2]
    assert gateway.parse_event(body, f"{signed(body)},v1={old}")


BODY = json.dumps(make_event("x", {}, id="evt_1")).encode()
# What is sent in place of a good body and its signature; made when the test runs, as now.
FORGERIES: dict[str, Callable[[], tuple[bytes, str]]] = {
    "changed body": lambda: (BODY + b" ", signed(BODY)),
    "other secret": lambda: (BODY, signed(BODY, secret="whsec_other")),
    "too old": lambda: (BODY, signed(BODY, at=time.time() - 301)),
    "later time put in": lambda: (BODY, "t=1," + signed(BODY).partition(",")[2]),
    "no header": lambda: (BODY, ""),
    "garbage": lambda: (BODY, "garbage"),
    "half a header": lambda: (BODY, "t=1,v1"),
    "time is no number": lambda: (BODY, "t=x," + signed(BODY).partition(",")[2]),
    "other scheme": lambda: (BODY, signed(BODY).replace("v1=", "v0=")),
    "letters outside ASCII": lambda: (BODY, f"t={int(time.time())},v1=\xe9\xe9"),
    "body is no UTF-8": lambda: (b"\xff\xfe", signed(BODY)),
    "no body": lambda: (b"", signed(BODY)),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_forged_webhook_is_refused(forge: Callable[[], tuple[bytes, str]]) -> None:
    with pytest.raises(InvalidSignature):
        gateway.parse_event(*forge())


def test_while_a_secret_is_replaced_both_sign(stripe_settings: Settings) -> None:
    stripe_settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", "whsec_old"]
    for secret in ("whsec_new", "whsec_old"):
        assert gateway.parse_event(BODY, signed(BODY, secret=secret))
    with pytest.raises(InvalidSignature):
        gateway.parse_event(BODY, signed(BODY, secret="whsec_older"))


@pytest.mark.parametrize("secret", ["", " "])
def test_without_a_secret_every_webhook_is_refused(stripe_settings: Settings, secret: str) -> None:
    stripe_settings.STRIPE_WEBHOOK_SECRETS = [secret] if secret else []
    with pytest.raises(InvalidSignature):
        gateway.parse_event(BODY, signed(BODY, secret=secret))


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"null",
        b"{}",
        b'"text"',
        pytest.param(b"[" * 100_000, id="deep"),
        b'{"id": "evt_1", "type": "x", "created": "then", "livemode": false}',
        b'{"id": "evt_1", "type": "x", "created": 1e400, "livemode": false}',
        b'{"id": "evt_1", "type": null, "created": 1, "livemode": false}',
        pytest.param(
            b'{"id": "%s", "type": "x", "created": 1, "livemode": false}' % (b"e" * 256), id="long"
        ),
        b'{"id": "evt_\\u0000", "type": "x", "created": 1, "livemode": false}',
        b'{"id": "evt_1", "type": "x\\ud800", "created": 1, "livemode": false}',
    ],
)
def test_signed_garbage_is_refused_as_such(body: bytes) -> None:
    with pytest.raises(InvalidEvent):
        gateway.parse_event(body, signed(body))


@pytest.mark.parametrize(
    "event",
    [
        make_event("checkout.session.completed", {"id": "cs_1"}),
        make_event("checkout.session.completed", make_session(id="cs_\x00")),
        make_event("checkout.session.completed", make_session(payment_intent="cs_\x00")),
        make_event("charge.refunded", {}) | {"data": {}},
        make_event("charge.dispute.created", {"id": "dp_1", "amount": 100}),
    ],
)
def test_what_is_not_as_stripe_describes_it_is_named_as_such(event: Any) -> None:
    assert parsed(event).is_unreadable
