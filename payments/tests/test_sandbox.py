"""The sandbox itself: rules that Stripe's document can't state, its pages, webhooks, memory."""

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import stripe
from django.core.management import CommandError, call_command
from pytest_django import Settings

from payments.stripe_sandbox.api import Reply, Request
from payments.stripe_sandbox.forms import Json
from payments.stripe_sandbox.webhooks import signed
from payments.tests import stripe_rules
from payments.tests.receiver import Receiver
from payments.tests.sandbox import ControlledServer, Fault, FaultyAPI, MovableSandbox
from payments.tests.stripe_description import Description
from project.common import money

KEY = "sk_test_sandbox"
SESSION = {
    "mode": "payment",
    "success_url": "https://school.example/done?s={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://school.example/cancelled",
    "customer_email": "lev@example.com",
    "client_reference_id": "17",
    "metadata[payment_id]": "17",
    "payment_intent_data[metadata][payment_id]": "17",
}


@pytest.fixture
def stripe_api() -> FaultyAPI:
    return FaultyAPI(MovableSandbox(), api_key=KEY)


def ask(
    stripe_api: FaultyAPI,
    method: str,
    path: str,
    form: dict[str, str] | None = None,
    key: str | None = None,
) -> Reply:
    headers = {"Authorization": f"Bearer {KEY}"} | ({"Idempotency-Key": key} if key else {})
    text = urlencode(form or {})
    query, body = (text, "") if method == "GET" else ("", text)
    return stripe_api.answer(Request(method, path, query, body, headers))


def made(stripe_api: FaultyAPI, path: str, form: dict[str, str]) -> Json:
    reply = ask(stripe_api, "POST", path, form)
    assert reply.status == 200, reply.content
    answer: Json = json.loads(reply.content)
    return answer


def make_price(stripe_api: FaultyAPI, **changes: str) -> Json:
    product = made(stripe_api, "/v1/products", {"name": "Основы <Python>"})
    fields = {"product": product["id"], "unit_amount": "150000", "currency": "rub"}
    return made(stripe_api, "/v1/prices", fields | changes)


def make_session(stripe_api: FaultyAPI, **changes: str) -> Json:
    lines = {"line_items[0][price]": make_price(stripe_api)["id"], "line_items[0][quantity]": "1"}
    return made(stripe_api, "/v1/checkout/sessions", SESSION | lines | changes)


# --- What Stripe asks beyond its document ---


@pytest.mark.parametrize(
    ("path", "changes", "param"),
    [
        ("/v1/products", {"name": ""}, "name"),
        ("/v1/products", {"title": "A"}, "title"),
        ("/v1/products", {"metadata[a]": "x" * 501}, "metadata[a]"),
        ("/v1/prices", {"product": None}, "product"),
        ("/v1/prices", {"product": "prod_none"}, "product"),
        ("/v1/prices", {"unit_amount": "-1"}, "unit_amount"),
        ("/v1/prices", {"unit_amount": "12.5"}, "unit_amount"),
        ("/v1/prices", {"unit_amount": "100000000"}, "unit_amount"),
        ("/v1/prices", {"unit_amount": "1255", "currency": "kwd"}, "unit_amount"),
        ("/v1/prices", {"currency": "RUB"}, "currency"),
        ("/v1/prices", {"currency": "xxx"}, "currency"),
        ("/v1/checkout/sessions", {"mode": None}, "mode"),
        ("/v1/checkout/sessions", {"success_url": None}, "success_url"),
        ("/v1/checkout/sessions", {"success_url": "/done"}, "success_url"),
        ("/v1/checkout/sessions", {"cancel_url": "javascript:alert(1)"}, "cancel_url"),
        (
            "/v1/checkout/sessions",
            {"line_items[0][price]": None, "line_items[0][quantity]": None},
            "line_items",
        ),
        ("/v1/checkout/sessions", {"line_items[0][quantity]": None}, "line_items[0][quantity]"),
        ("/v1/checkout/sessions", {"line_items[0][qty]": "1"}, "line_items[qty]"),
        ("/v1/checkout/sessions", {"line_items": "price_1"}, "line_items"),
        ("/v1/checkout/sessions", {"customer_email": "nobody"}, "customer_email"),
        ("/v1/checkout/sessions", {"locale": "tlh"}, "locale"),
        ("/v1/checkout/sessions", {"expires_at": "1000"}, "expires_at"),
        ("/v1/checkout/sessions", {"metadata": "a"}, "metadata"),
        *(
            (
                "/v1/checkout/sessions",
                {"payment_intent_data[statement_descriptor_suffix]": suffix},
                "payment_intent_data[statement_descriptor_suffix]",
            )
            for suffix in ("A" * 23, "2026", "Хлеб", "a*b")
        ),
        ("/v1/refunds", {"payment_intent": None}, "payment_intent"),
        ("/v1/refunds", {"payment_intent": "pi_none"}, "payment_intent"),
        ("/v1/refunds", {"reason": "sorry"}, "reason"),
    ],
)
def test_wrong_request_is_refused_with_the_name_of_the_field(
    stripe_api: FaultyAPI,
    description: Description,
    path: str,
    changes: dict[str, str | None],
    param: str,
) -> None:
    price = make_price(stripe_api)
    good: dict[str, dict[str, str]] = {
        "/v1/products": {"name": "A"},
        "/v1/prices": {"product": price["product"], "unit_amount": "100", "currency": "rub"},
        "/v1/checkout/sessions": SESSION
        | {"line_items[0][price]": price["id"], "line_items[0][quantity]": "1"},
        "/v1/refunds": {"payment_intent": "pi_1"},
    }
    form = {name: value for name, value in (good[path] | changes).items() if value is not None}
    reply = ask(stripe_api, "POST", path, form)

    assert reply.status == 400
    assert json.loads(reply.content)["error"]["param"] == param
    description.check_answer("POST", path, 400, reply.content)


def test_currencies_are_those_of_the_platform() -> None:
    assert {"RUB", "JPY", "KWD"} <= stripe_rules.CURRENCIES
    assert all(money.exponent(currency) in {0, 2, 3} for currency in stripe_rules.CURRENCIES)


@pytest.mark.parametrize("seconds", [1799, 24 * 3600 + 1])
def test_session_lives_from_half_an_hour_to_a_day(stripe_api: FaultyAPI, seconds: int) -> None:
    form = SESSION | {"line_items[0][price]": make_price(stripe_api)["id"]}
    form |= {"line_items[0][quantity]": "1", "expires_at": str(stripe_api.sandbox.now() + seconds)}
    assert ask(stripe_api, "POST", "/v1/checkout/sessions", form).status == 400


def test_key_of_somebody_else_is_refused(stripe_api: FaultyAPI, description: Description) -> None:
    reply = stripe_api.answer(
        Request("GET", "/v1/events", "", "", {"Authorization": "Bearer sk_x"})
    )
    assert reply.status == 401
    description.check_answer("GET", "/v1/events", 401, reply.content)


def test_unknown_address_is_refused_in_stripes_shape(stripe_api: FaultyAPI) -> None:
    reply = ask(stripe_api, "GET", "/v1/unicorns")
    assert reply.status == 404
    assert json.loads(reply.content)["error"]["type"] == "invalid_request_error"


def test_every_answer_is_as_stripe_describes_it(
    stripe_api: FaultyAPI, description: Description
) -> None:
    session = make_session(stripe_api)
    stripe_api.sandbox.pay(session["id"])
    paid = stripe_api.sandbox.find("checkout.session", session["id"])
    refund = made(
        stripe_api, "/v1/refunds", {"payment_intent": paid["payment_intent"], "amount": "100"}
    )
    for path in (
        "/v1/account",
        f"/v1/products/{stripe_api.sandbox.all('product')[0]['id']}",
        f"/v1/prices/{stripe_api.sandbox.all('price')[0]['id']}",
        f"/v1/checkout/sessions/{session['id']}",
        f"/v1/checkout/sessions/{session['id']}/line_items",
        f"/v1/payment_intents/{paid['payment_intent']}",
        f"/v1/charges/{refund['charge']}",
        f"/v1/refunds/{refund['id']}",
        "/v1/events",
    ):
        reply = ask(stripe_api, "GET", path)
        assert reply.status == 200
        description.check_answer("GET", path, 200, reply.content)
    for event in stripe_api.sandbox.all("event"):
        description.check_object(event["data"]["object"])


def test_archived_price_is_taken_for_no_new_session(stripe_api: FaultyAPI) -> None:
    session = make_session(stripe_api)
    [price] = stripe_api.sandbox.all("price")
    assert not stripe_api.sandbox.archive_price(price["id"])["active"]
    form = SESSION | {"line_items[0][price]": price["id"], "line_items[0][quantity]": "1"}
    reply = ask(stripe_api, "POST", "/v1/checkout/sessions", form)
    assert reply.status == 400
    assert json.loads(reply.content)["error"]["param"] == "line_items[0][price]"
    # Those that were made before can be paid.
    assert stripe_api.sandbox.pay(session["id"])["payment_status"] == "paid"


def test_another_account_knows_nothing_and_keeps_other_keys(stripe_api: FaultyAPI) -> None:
    first = json.loads(ask(stripe_api, "POST", "/v1/products", {"name": "A"}, "k").content)
    account = stripe_api.sandbox.account_id
    stripe_api.sandbox.forget_everything(livemode=True)
    assert stripe_api.sandbox.account_id != account
    reply = ask(stripe_api, "GET", f"/v1/products/{first['id']}")
    assert reply.status == 404
    assert json.loads(reply.content)["error"]["code"] == "resource_missing"
    second = json.loads(ask(stripe_api, "POST", "/v1/products", {"name": "A"}, "k").content)
    assert (second["livemode"], first["livemode"]) == (True, False)
    assert second["id"] != first["id"]


def test_restricted_key_may_not_ask_whose_it_is(
    stripe_api: FaultyAPI, description: Description
) -> None:
    stripe_api.sandbox.tells_account = False
    reply = ask(stripe_api, "GET", "/v1/account")
    assert reply.status == 403
    description.check_answer("GET", "/v1/account", 403, reply.content)


def test_event_keeps_what_was_so_when_it_happened(stripe_api: FaultyAPI) -> None:
    session = make_session(stripe_api)
    stripe_api.sandbox.pay_later(session["id"], succeeds=True)
    stripe_api.sandbox.advance(10)
    events = [
        (event["type"], event["data"]["object"]["payment_status"])
        for event in stripe_api.sandbox.all("event")
        if event["type"].startswith("checkout")
    ]
    assert events == [
        ("checkout.session.completed", "unpaid"),
        ("checkout.session.async_payment_succeeded", "paid"),
    ]


# --- Idempotency ---


def test_validation_failure_does_not_use_the_key_up(stripe_api: FaultyAPI) -> None:
    assert ask(stripe_api, "POST", "/v1/products", {"name": ""}, key="k").status == 400
    assert ask(stripe_api, "POST", "/v1/products", {"name": "A"}, key="k").status == 200


def test_failure_is_replayed_and_a_day_later_forgotten(stripe_api: FaultyAPI) -> None:
    stripe_api.faults.append(Fault("error"))
    replies = [ask(stripe_api, "POST", "/v1/products", {"name": "A"}, key="k") for _ in range(2)]
    assert [reply.status for reply in replies] == [500, 500]
    assert [reply.headers.get("Idempotent-Replayed") for reply in replies] == [None, "true"]
    stripe_api.sandbox.advance(24 * 3600)
    assert ask(stripe_api, "POST", "/v1/products", {"name": "A"}, key="k").status == 200


def test_twenty_at_once_with_one_key_make_one_thing(stripe_api: FaultyAPI) -> None:
    statuses: list[int] = []

    def create() -> None:
        statuses.append(ask(stripe_api, "POST", "/v1/products", {"name": "A"}, key="k").status)

    threads = [threading.Thread(target=create) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 409}
    assert len(stripe_api.sandbox.all("product")) == 1


def test_fault_comes_at_the_call_that_was_named(stripe_api: FaultyAPI) -> None:
    stripe_api.faults.append(Fault("rate_limit", operation="create_product", skip=1))
    replies = [ask(stripe_api, "POST", "/v1/products", {"name": "A"}) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 429, 200]


# --- Over HTTP ---


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


def fetch(url: str, form: dict[str, str] | bytes | None = None) -> tuple[int, str, str]:
    """Return status, Location and text."""
    data = urlencode(form).encode() if isinstance(form, dict) else form
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(urllib.request.Request(url, data), timeout=5) as response:
            return response.status, "", response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Location", ""), error.read().decode()


@pytest.fixture
def server() -> Iterator[ControlledServer]:
    with ControlledServer() as running:
        yield running


def test_page_shows_what_is_bought_and_escapes_it(server: ControlledServer) -> None:
    session = make_session(server.api)
    status, _location, page = fetch(session["url"])
    assert status == 200
    assert "Основы &lt;Python&gt;" in page
    assert "₽1,500" in page


@pytest.mark.parametrize(
    ("outcome", "payment_status"), [("paid", "paid"), ("later", "unpaid"), ("fails", "unpaid")]
)
def test_buyer_is_sent_back_with_the_session(
    server: ControlledServer, outcome: str, payment_status: str
) -> None:
    session = make_session(server.api)
    status, location, _page = fetch(session["url"], {"outcome": outcome})
    assert (status, location) == (303, f"https://school.example/done?s={session['id']}")
    after = server.sandbox.find("checkout.session", session["id"])
    assert (after["status"], after["payment_status"]) == ("complete", payment_status)
    assert fetch(session["url"], {"outcome": outcome})[0] == 400
    assert "outcome" not in fetch(session["url"])[2]


def test_expired_page_offers_nothing(server: ControlledServer) -> None:
    session = make_session(server.api)
    server.sandbox.advance(24 * 3600)
    assert "outcome" not in fetch(session["url"])[2]
    assert fetch(session["url"], {"outcome": "paid"})[0] == 400


def test_overview_refunds_what_was_paid(server: ControlledServer) -> None:
    session = make_session(server.api)
    server.sandbox.pay(session["id"])
    charge = server.sandbox.all("charge")[0]
    intent = charge["payment_intent"]
    assert intent in fetch(f"{server.base_url}/")[2]
    assert fetch(f"{server.base_url}/refund", {"payment_intent": intent})[0] == 303
    assert server.sandbox.find("charge", charge["id"])["refunded"]
    assert intent not in fetch(f"{server.base_url}/")[2]


def test_control_api_moves_the_clock_and_plans_faults(server: ControlledServer) -> None:
    session = make_session(server.api)
    control = f"{server.base_url}/_sandbox"
    assert fetch(f"{control}/clock", b'{"advance": 86400}')[0] == 200
    assert server.sandbox.find("checkout.session", session["id"])["status"] == "expired"
    assert fetch(f"{control}/faults", b'{"kind": "error", "operation": "create_price"}')[0] == 200
    assert server.api.faults == [Fault("error", operation="create_price")]
    assert "create_session" in fetch(f"{control}/calls")[2]


@pytest.mark.parametrize(
    ("subject", "body"),
    [("faults", b'{"kind": "rain"}'), ("faults", b'{"sort": 1}'), ("clock", b"{}"), ("x", b"[")],
)
def test_control_api_says_what_it_did_not_understand(
    server: ControlledServer, subject: str, body: bytes
) -> None:
    assert fetch(f"{server.base_url}/_sandbox/{subject}", body)[0] == 400


def test_stranger_host_name_is_refused(server: ControlledServer) -> None:
    asked = urllib.request.Request(f"{server.base_url}/", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urllib.request.urlopen(asked, timeout=5)
    refused.value.close()


# --- Webhooks ---


def test_webhooks_are_repeated_until_they_are_taken(receiver: Receiver) -> None:
    receiver.failures = 2
    with ControlledServer(webhook_url=receiver.url, retry_delays=(0, 0, 0)) as server:
        assert server.webhooks
        server.sandbox.on_event = server.events.append
        server.sandbox.pay(make_session(server.api)["id"])
        server.webhooks.send(server.events[-1])
        assert receiver.enough.wait(5)

    assert len(receiver.taken) == 3
    assert len({body for body, _signature in receiver.taken}) == 1
    for body, signature in receiver.taken:
        stripe.WebhookSignature.verify_header(body, signature, "whsec_sandbox", tolerance=300)


def test_events_are_signed_as_the_sdk_expects(
    stripe_api: FaultyAPI, description: Description
) -> None:
    stripe_api.sandbox.pay(make_session(stripe_api)["id"])
    events = stripe_api.sandbox.all("event")
    assert events
    for event in events:
        body, signature = signed(event, "whsec_test")
        parsed = stripe.Webhook.construct_event(body, signature, "whsec_test")
        assert parsed.id == event["id"]


# --- Memory and the command ---


def test_sandbox_remembers_after_a_restart(tmp_path: Path) -> None:
    memory = tmp_path / "sandbox.json"
    before = FaultyAPI(MovableSandbox(memory=memory), api_key=KEY)
    session = make_session(before)
    before.sandbox.pay_later(session["id"], succeeds=True)
    after = MovableSandbox(memory=memory)
    after.advance(10)
    assert after.find("checkout.session", session["id"])["payment_status"] == "paid"


def test_open_sessions_move_with_the_sandbox_to_another_port(tmp_path: Path) -> None:
    memory = tmp_path / "sandbox.json"
    before = FaultyAPI(MovableSandbox(memory=memory), api_key=KEY)
    waiting, paid = make_session(before)["id"], make_session(before)["id"]
    before.sandbox.pay(paid)
    after = MovableSandbox(memory=memory, base_url="http://127.0.0.1:8002")
    page = after.find("checkout.session", waiting)["url"]
    assert page == f"http://127.0.0.1:8002/c/pay/{waiting}"
    assert after.find("checkout.session", paid)["url"] is None


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"DEBUG": "on"}, ["sk_test_sandbox", ["whsec_sandbox"], "http://127.0.0.1:8001", True]),
        (
            {"DEBUG": "on", "STRIPE_SANDBOX_PORT": "9001"},
            ["sk_test_sandbox", ["whsec_sandbox"], "http://127.0.0.1:9001", True],
        ),
        (
            {"DEBUG": "on", "STRIPE_API_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"},
            ["sk_test_1", ["whsec_1"], "https://api.stripe.com", False],
        ),
        ({}, ["", [], "https://api.stripe.com", False]),
    ],
)
def test_settings_point_to_the_sandbox_in_development_without_a_key_only(
    environment: dict[str, str], expected: list[object]
) -> None:
    program = (
        "import json; from project import settings as s; print(json.dumps([s.STRIPE_API_KEY,"
        " s.STRIPE_WEBHOOK_SECRETS, s.STRIPE_API_BASE, s.STRIPE_SANDBOX]))"
    )
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    shown = subprocess.run(
        [sys.executable, "-c", program],
        env=kept | {"ENV_FILE": ""} | environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
    )
    assert json.loads(shown.stdout) == expected


def test_command_is_refused_in_production(settings: Settings) -> None:
    with pytest.raises(CommandError, match="DEBUG"):
        call_command("stripe_sandbox", port=0)


def test_command_is_refused_beside_a_real_key(settings: Settings) -> None:
    settings.DEBUG = True
    with pytest.raises(CommandError, match="STRIPE_API_KEY"):
        call_command("stripe_sandbox", port=0)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "school.example"])  # noqa: S104
def test_sandbox_listens_on_loopback_only(settings: Settings, host: str) -> None:
    settings.DEBUG = settings.STRIPE_SANDBOX = True
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_sandbox"]
    with pytest.raises(CommandError, match="loopback"):
        call_command("stripe_sandbox", host=host, port=0)


def press(server: ControlledServer, address: str, **fields: str) -> int:
    status: int = fetch(f"{server.base_url}{address}", fields)[0]
    assert fetch(f"{server.base_url}/")[0] == 200
    return status


def test_overview_lets_refunds_wait_succeed_and_fail(server: ControlledServer) -> None:
    session = make_session(server.api)
    server.sandbox.pay(session["id"])
    [charge] = server.sandbox.all("charge")
    press(server, "/refunds/wait", wait="1")
    intent = charge["payment_intent"]
    press(server, "/refund", payment_intent=intent, amount=str(charge["amount"] // 2))
    [refund] = server.sandbox.all("refund")
    assert (refund["status"], refund["amount"]) == ("pending", charge["amount"] // 2)
    for outcome in ("succeeded", "failed"):
        press(server, f"/refunds/{refund['id']}", outcome=outcome)
        [refund] = server.sandbox.all("refund")
        assert refund["status"] == outcome
    press(server, "/refunds/wait", wait="0")
    press(server, "/refund", payment_intent=intent)
    assert [one["status"] for one in server.sandbox.all("refund")] == ["failed", "succeeded"]


@pytest.mark.parametrize("status", ["won", "lost"])
def test_overview_opens_and_decides_a_dispute(server: ControlledServer, status: str) -> None:
    session = make_session(server.api)
    server.sandbox.pay(session["id"])
    [charge] = server.sandbox.all("charge")
    press(server, "/disputes", charge=charge["id"])
    [dispute] = server.sandbox.all("dispute")
    assert dispute["status"] == "needs_response"
    press(server, f"/disputes/{dispute['id']}", status=status)
    assert [one["status"] for one in server.sandbox.all("dispute")] == [status]
    assert press(server, f"/disputes/{dispute['id']}", status="forgotten") == 400
