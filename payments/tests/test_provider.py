"""The gateway against the sandbox, with Stripe's own description between them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
import stripe
from django.db import transaction
from pytest_django import Settings

from payments.provider import asking
from payments.provider import stripe as gateway
from payments.provider.types import (
    KeyUsedOtherwise,
    ProviderMisconfigured,
    ProviderRefund,
    ProviderRefused,
    ProviderUnavailable,
    Session,
    UnchargeableAmount,
)
from payments.tests.sandbox import ControlledServer, Fault
from payments.tests.stripe_description import Description
from payments.tests.stripe_rules import is_suffix
from payments.tests.transport import SpecCheckedClient


def make_price() -> str:
    product = gateway.create_product(name="Python", idempotency_key="k:product", metadata={})
    return gateway.create_price(
        product_id=product, amount=Decimal("1500.00"), currency="RUB", idempotency_key="k:price"
    )


def create_session(
    price_id: str,
    *,
    payment_id: str = "17",
    idempotency_key: str = "k:session:1",
    expires_at: datetime | None = None,
) -> Session:
    return gateway.create_session(
        payment_id=payment_id,
        price_id=price_id,
        success_url="https://school.example/done?session={CHECKOUT_SESSION_ID}",
        cancel_url="https://school.example/cancelled",
        title="Python",
        email="lev@example.com",
        language="ru",
        expires_at=expires_at or datetime.now(UTC) + timedelta(hours=2),
        idempotency_key=idempotency_key,
    )


def open_session() -> Session:
    return create_session(make_price())


def test_session_says_what_the_payment_must_be_compared_with(
    stripe_sandbox: ControlledServer,
) -> None:
    session = open_session()

    assert session.status == "open"
    assert session.payment_status == "unpaid"
    assert session.url == f"{stripe_sandbox.base_url}/c/pay/{session.id}"
    assert (session.amount, session.currency) == (Decimal(1500), "RUB")
    made = stripe_sandbox.sandbox.find("checkout.session", session.id)
    assert session.expires_at == datetime.fromtimestamp(made["expires_at"], UTC)
    assert (made["customer_email"], made["locale"]) == ("lev@example.com", "ru")
    assert session.client_reference_id == made["metadata"]["payment_id"] == "17"
    assert session.payment_intent_id is None
    form = stripe_sandbox.api.calls[-1].form
    assert (form["mode"], form["line_items"][0]["quantity"]) == ("payment", "1")
    assert SpecCheckedClient.checked == 3


def test_paid_session_is_complete_and_has_no_link(stripe_sandbox: ControlledServer) -> None:
    session = open_session()
    stripe_sandbox.sandbox.pay(session.id)
    after = gateway.retrieve_session(session.id)

    assert (after.status, after.payment_status, after.url) == ("complete", "paid", None)
    assert after.payment_intent_id is not None
    [charge] = stripe_sandbox.sandbox.all("charge")
    assert after.paid_at == datetime.fromtimestamp(charge["created"], UTC)
    assert gateway.list_refunds(after.payment_intent_id) == []


@pytest.mark.parametrize(("succeeds", "payment_status"), [(True, "paid"), (False, "unpaid")])
def test_delayed_money_comes_or_not(
    stripe_sandbox: ControlledServer, *, succeeds: bool, payment_status: str
) -> None:
    session = open_session()
    stripe_sandbox.sandbox.pay_later(session.id, succeeds=succeeds)
    on_its_way = gateway.retrieve_session(session.id)
    assert (on_its_way.status, on_its_way.payment_status) == ("complete", "unpaid")
    assert (on_its_way.payment_intent_id is not None, on_its_way.paid_at) == (True, None)

    stripe_sandbox.sandbox.advance(3600)
    assert gateway.retrieve_session(session.id).payment_status == payment_status


def test_expired_session_can_be_neither_paid_nor_expired_again(
    stripe_sandbox: ControlledServer,
) -> None:
    session = open_session()
    assert gateway.expire_session(session.id, idempotency_key="k:expire").status == "expired"
    with pytest.raises(ProviderRefused):
        gateway.expire_session(session.id, idempotency_key="k:expire:2")


def test_session_runs_out_when_it_was_asked_to(stripe_sandbox: ControlledServer) -> None:
    session = open_session()
    stripe_sandbox.sandbox.advance(2 * 3600)
    assert gateway.retrieve_session(session.id).status == "expired"


def refund(intent: str, amount: int, token: str) -> ProviderRefund:
    return gateway.refund(
        payment_intent_id=intent,
        amount=Decimal(amount),
        currency="RUB",
        payment_id="17",
        refund_token=token,
    )


def test_each_refund_is_made_once_and_listed(stripe_sandbox: ControlledServer) -> None:
    session = open_session()
    intent = stripe_sandbox.sandbox.pay(session.id)["payment_intent"]
    first = refund(intent, 500, "a")
    assert (first.status, first.amount, first.currency) == ("succeeded", Decimal(500), "RUB")
    assert (first.payment_id, first.refund_token) == ("17", "a")
    assert refund(intent, 500, "a").id == first.id
    second = refund(intent, 1000, "b")
    assert gateway.list_refunds(intent) == [second, first]
    with pytest.raises(ProviderRefused) as refused:
        refund(intent, 1, "c")
    assert refused.value.reason == "charge_already_refunded"


def test_a_disputed_payment_is_not_refunded(stripe_sandbox: ControlledServer) -> None:
    intent = stripe_sandbox.sandbox.pay(open_session().id)["payment_intent"]
    [charge] = stripe_sandbox.sandbox.all("charge")
    stripe_sandbox.sandbox.open_dispute(charge["id"])
    with pytest.raises(ProviderRefused) as refused:
        refund(intent, 1, "a")
    assert refused.value.reason == "charge_disputed"


def test_events_are_read_back_to_a_moment_page_by_page(stripe_sandbox: ControlledServer) -> None:
    sandbox = stripe_sandbox.sandbox
    price = make_price()
    keys = (f"k:{number}" for number in count())

    def bought() -> str:
        session = create_session(price, idempotency_key=next(keys))
        sandbox.pay(session.id)
        return session.id

    bought()
    sandbox.advance(3600)
    since = datetime.fromtimestamp(sandbox.now(), UTC)
    sessions = [bought() for _number in range(101)]
    events = gateway.list_events(since=since)
    assert [call.operation for call in stripe_sandbox.api.calls].count("list_events") == 2
    told = [event.session.id for event in events if event.session]
    assert told == sessions
    assert min(event.created for event in events) >= since


@pytest.mark.parametrize(
    ("title", "suffix"),
    [
        ("Python", "Python"),
        ("Основы Python: часть 2", "Python: 2"),
        ("Хлеб дома", ""),
        ("2026", ""),
        ("Crème brûlée", "Creme brulee"),
        ("<b>\"Best\" * of 'C\\C'", "b Best of C C"),
        ("A course of thirty-two letters now", "A course of thirty-two"),
        ("Twenty one letters is x rest", "Twenty one letters is"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}\n\tb", "A b"),
    ],
)
def test_title_as_a_bank_shows_it(title: str, suffix: str) -> None:
    assert gateway.statement_suffix(title) == suffix
    assert not suffix or is_suffix(suffix)


# --- Amounts ---


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1500.00", "RUB", 150_000),
        ("0.01", "USD", 1),
        ("1500.00", "JPY", 1500),
        ("1.50", "KWD", 1500),
        ("1.250", "KWD", 1250),
        ("999999.99", "RUB", 99_999_999),
        ("99999999", "JPY", 99_999_999),
        ("9999999999.99", "IDR", 999_999_999_999),
        ("99999999.99", "COP", 9_999_999_999),
        ("9999999.99", "INR", 999_999_999),
        ("5", "ISK", 500),
        ("5", "UGX", 500),
    ],
)
def test_amount_in_minor_units(
    stripe_sandbox: ControlledServer, amount: str, currency: str, minor: int
) -> None:
    product = gateway.create_product(name="A", idempotency_key="p", metadata={"course_id": "5"})
    price_id = gateway.create_price(
        product_id=product, amount=Decimal(amount), currency=currency, idempotency_key="q"
    )
    price = stripe_sandbox.sandbox.find("price", price_id)
    assert (price["unit_amount"], price["currency"]) == (minor, currency.lower())


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("1500.50", "JPY"),
        ("0.001", "RUB"),
        ("1.2505", "KWD"),
        ("1.255", "KWD"),
        ("1000000.00", "RUB"),
        ("10000000000.00", "IDR"),
        ("1E+20", "RUB"),
        ("0", "RUB"),
        ("-1", "RUB"),
        ("NaN", "RUB"),
        ("Infinity", "RUB"),
        ("10.50", "UGX"),
        ("0.01", "ISK"),
        ("10", "XTS"),
        ("10", "rub"),
    ],
)
def test_amount_that_stripe_could_not_take_exactly_is_not_sent(
    stripe_sandbox: ControlledServer, amount: str, currency: str
) -> None:
    with pytest.raises(UnchargeableAmount):
        gateway.create_price(
            product_id="prod_1", amount=Decimal(amount), currency=currency, idempotency_key="q"
        )
    assert stripe_sandbox.api.calls == []


# --- Idempotency ---


def test_tries_of_one_call_carry_one_key_and_make_one_thing(
    stripe_sandbox: ControlledServer,
) -> None:
    stripe_sandbox.api.faults.append(Fault("drop_after", operation="create_product"))
    gateway.create_product(name="A", idempotency_key="payment:1", metadata={})

    calls = [(call.operation, call.key, call.replayed) for call in stripe_sandbox.api.calls]
    assert calls == [
        ("create_product", "payment:1", False),
        ("create_product", "payment:1", True),
    ]
    assert len(stripe_sandbox.sandbox.all("product")) == 1


def test_second_try_of_the_caller_finds_what_the_first_made(
    stripe_sandbox: ControlledServer,
) -> None:
    price_id = make_price()
    until = datetime.now(UTC) + timedelta(hours=2)
    stripe_sandbox.api.faults.append(Fault("garbage", operation="create_session", times=3))
    with pytest.raises(ProviderUnavailable):
        create_session(price_id, expires_at=until)
    session = create_session(price_id, expires_at=until)

    assert [made["id"] for made in stripe_sandbox.sandbox.all("checkout.session")] == [session.id]


def test_failure_that_stripe_replays_is_told_as_such(stripe_sandbox: ControlledServer) -> None:
    stripe_sandbox.api.faults.append(Fault("error"))
    with pytest.raises(ProviderUnavailable) as failed:
        gateway.create_product(name="A", idempotency_key="payment:1", metadata={})
    assert failed.value.needs_new_key
    gateway.create_product(name="A", idempotency_key="payment:1:2", metadata={})


def test_key_with_other_parameters_is_refused(stripe_sandbox: ControlledServer) -> None:
    gateway.create_product(name="A", idempotency_key="payment:1", metadata={})
    with pytest.raises(KeyUsedOtherwise):
        gateway.create_product(name="B", idempotency_key="payment:1", metadata={})


# --- Refusals ---


def test_guard_refuses_to_ask_inside_a_transaction(
    stripe_sandbox: ControlledServer, db: None
) -> None:
    gateway.create_product(name="A", idempotency_key="a", metadata={})
    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"):
        gateway.create_product(name="B", idempotency_key="b", metadata={})
    assert len(stripe_sandbox.api.calls) == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda: gateway.retrieve_session(""),
        lambda: gateway.expire_session("", idempotency_key="k"),
        lambda: gateway.list_refunds(""),
        lambda: refund("", 1, "a"),
        lambda: gateway.create_price(
            product_id="", amount=Decimal(1), currency="RUB", idempotency_key="k"
        ),
        lambda: create_session("price_1", payment_id=""),
        lambda: create_session(""),
    ],
)
def test_empty_id_is_never_sent(
    stripe_sandbox: ControlledServer, ask: Callable[[], object]
) -> None:
    with pytest.raises(ValueError, match="empty"):
        ask()
    assert stripe_sandbox.api.calls == []


def test_unknown_session_is_refused_with_stripes_reason(stripe_sandbox: ControlledServer) -> None:
    with pytest.raises(ProviderRefused) as refused:
        gateway.retrieve_session("cs_test_nothing")
    assert refused.value.reason == "resource_missing"


@pytest.mark.parametrize("key", ["", "sk_test_other"])
def test_wrong_key_is_our_configuration(
    stripe_sandbox: ControlledServer, stripe_settings: Settings, key: str
) -> None:
    stripe_settings.STRIPE_API_KEY = key
    with pytest.raises(ProviderMisconfigured):
        gateway.retrieve_session("cs_test_1")
    assert len(stripe_sandbox.api.calls) == bool(key)
    # The key is asked for each time, not kept from the start.
    stripe_settings.STRIPE_API_KEY = "sk_test_sandbox"
    assert gateway.create_product(name="A", idempotency_key="a", metadata={})


def test_answer_of_the_other_mode_is_refused(
    stripe_sandbox: ControlledServer, stripe_settings: Settings
) -> None:
    stripe_sandbox.api.api_key = stripe_settings.STRIPE_API_KEY = "sk_live_real"
    with pytest.raises(ProviderMisconfigured):
        gateway.create_product(name="A", idempotency_key="a", metadata={})


# --- The judge can say no ---


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"sucess_url": "https://a.example"}, ""),
        ({"line_items": [{"price": "price_1", "qty": 1}]}, "line_items[0]"),
        ({"line_items": [{"price": "price_1", "quantity": "many"}]}, "line_items[0][quantity]"),
        ({"mode": "paymnt"}, "mode"),
        ({"payment_method_types": ["card"]}, ""),
        ({"metadata": {"payment_id": {"deep": "1"}}}, "metadata[payment_id]"),
        ({"client_reference_id": "x" * 201}, "client_reference_id"),
        ({"payment_intent_data": {"metdata": {}, "x": "1"}}, "payment_intent_data"),
    ],
)
def test_description_refuses_a_wrong_request(
    stripe_sandbox: ControlledServer, parameters: dict[str, object], param: str
) -> None:
    client = asking.client_of("sk_test_sandbox", stripe_sandbox.base_url, (1.0, 1.0))
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.checkout.sessions.create(parameters)  # type: ignore[arg-type]
    assert refused.value.code == "refused_by_description"
    assert refused.value.param == param
    assert stripe_sandbox.api.calls == []


@pytest.mark.parametrize(
    "damage", [{"id": 5}, {"amout_total": 1}, {"status": "opn"}, {"livemode": None}]
)
def test_description_refuses_a_wrong_answer(
    stripe_sandbox: ControlledServer, description: Description, damage: dict[str, object]
) -> None:
    made = stripe_sandbox.sandbox.find("checkout.session", open_session().id)
    description.check_object(made)
    with pytest.raises(Exception, match=next(iter(damage))):
        description.check_object(made | damage)
