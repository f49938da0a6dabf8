"""Other keys, and what was archived: ids that Stripe does not know, or takes no more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.models import Payment, PaymentMove, StripePrice
from payments.provider import stripe
from payments.services import catching_up, consistency, reconciliation
from payments.tests.factories import PaymentFactory
from payments.tests.sandbox import Fault
from payments.tests.shop import session_of, the_payment

pytestmark = pytest.mark.django_db


def go_live(stripe_sandbox, settings):
    """Test keys were for trying; now come those of the live mode."""
    stripe_sandbox.sandbox.forget_everything(livemode=True)
    stripe_sandbox.api.api_key = settings.STRIPE_API_KEY = "sk_live_real"


def change_account(stripe_sandbox, settings):
    stripe_sandbox.sandbox.forget_everything()
    stripe_sandbox.api.api_key = settings.STRIPE_API_KEY = "sk_test_other_account"


def forget(stripe_sandbox, settings):
    """Test data were deleted in the dashboard: the key and the account are the same."""
    account = stripe_sandbox.sandbox.account()
    stripe_sandbox.sandbox.forget_everything()
    stripe_sandbox.sandbox._kept["account"] = account


def hide_account(stripe_sandbox, settings):
    """Another account, and its key may not say so."""
    change_account(stripe_sandbox, settings)
    stripe_sandbox.sandbox.tells_account = False


def archive(stripe_sandbox, settings):
    for price in stripe_sandbox.sandbox.all("price"):
        stripe_sandbox.sandbox.archive_price(price["id"])


CHANGES = [go_live, change_account, forget, hide_account, archive]


def buy_as_stranger(api, stranger, course):
    return api(stranger).post("payments", {"course_id": course.pk, "method": "stripe"})


@pytest.mark.parametrize("change", CHANGES)
def test_a_course_can_be_bought_after_a_change(
    api, buy, course, stranger, stripe_sandbox, stripe_settings, change
):
    buy()
    change(stripe_sandbox, stripe_settings)
    answer = buy_as_stranger(api, stranger, course)
    assert answer.status_code == 201, answer.content
    price = StripePrice.objects.latest("pk")
    assert stripe_sandbox.api.calls[-1].form["line_items"][0]["price"] == price.price_id
    assert stripe_sandbox.sandbox.find("price", price.price_id)["active"]


@pytest.mark.parametrize("change", [go_live, change_account, forget, hide_account])
def test_a_page_that_is_nowhere_any_more_is_replaced(buy, stripe_sandbox, stripe_settings, change):
    first = buy().json()
    change(stripe_sandbox, stripe_settings)
    if change in {forget, hide_account}:
        # Nothing tells that the page is not there any more.
        assert buy().json() == first
        Payment.objects.update(session_expires_at=timezone.now())
    second = buy()
    assert second.status_code == 201, second.content
    assert stripe_sandbox.sandbox.find("checkout.session", session_of(second.json()))
    assert Payment.objects.get(pk=first["id"]).status == "expired"
    move = PaymentMove.objects.get()
    assert (move.source, move.reason) == ("checkout", "session unknown")


@pytest.mark.parametrize(("status", "end"), [("pending", "expired"), ("processing", "failed")])
def test_an_unknown_session_of_an_open_payment_is_given_up_when_asked_about(
    api, learner, stripe_sandbox, status, end
):
    payment = PaymentFactory.create(
        payer=learner, method="stripe", status=status, session_id="cs_test_of_another"
    )
    answer = api(learner).get(f"payments/{payment.pk}/status")
    assert (answer.status_code, answer.json()["status"]) == (200, end)


def test_reconciliation_gives_up_what_stripe_does_not_know(buy, stripe_sandbox, stripe_settings):
    buy()
    forget(stripe_sandbox, stripe_settings)
    reconciliation.reconcile_payments(at=timezone.now() + timedelta(minutes=16))
    assert the_payment().status == "expired"


@pytest.mark.parametrize(("tells", "livemode"), [(True, False), (True, True), (False, False)])
def test_what_is_made_at_stripe_knows_its_mode_and_account(
    buy, stripe_sandbox, stripe_settings, tells, livemode
):
    (go_live if livemode else change_account)(stripe_sandbox, stripe_settings)
    stripe_sandbox.sandbox.tells_account = tells
    buy()
    account = stripe_sandbox.sandbox.account_id if tells else ""
    for row in (the_payment(), StripePrice.objects.get()):
        assert (row.livemode, row.account_id) == (livemode, account)


def test_an_account_is_asked_for_once(buy, stripe_sandbox, stripe_settings):
    change_account(stripe_sandbox, stripe_settings)
    for _time in range(3):
        stripe.ask_account()
    asked = [call.operation for call in stripe_sandbox.api.calls]
    assert asked == ["retrieve_account"]


def test_a_worker_that_sold_nothing_leaves_out_payments_of_another_account(buy, stripe_sandbox):
    buy()
    stripe._accounts.clear()
    assert consistency.to_ask_about() == [the_payment().pk]
    Payment.objects.update(account_id="acct_other")
    stripe._accounts.clear()
    assert consistency.to_ask_about() == []


def test_an_archived_price_of_a_half_made_payment_is_not_made_again_by_its_key(
    buy, stripe_sandbox, stripe_settings
):
    buy()
    # The page was made, and neither it nor its price was written down here.
    Payment.objects.update(session_id="")
    StripePrice.objects.all().delete()
    archive(stripe_sandbox, stripe_settings)
    payment = the_payment()
    Payment.objects.update(attempt=payment.attempt)
    stripe_sandbox.api._kept = {
        key: kept for key, kept in stripe_sandbox.api._kept.items() if ":session:" not in key
    }
    assert buy().status_code == 201
    assert the_payment().attempt == payment.attempt + 1


def test_a_refusal_for_another_reason_is_not_tried_again(buy, stripe_sandbox):
    stripe_sandbox.api.faults.append(Fault("refuse", "create_session"))
    assert buy().status_code == 502
    asked = [call.operation for call in stripe_sandbox.api.calls]
    assert asked == ["create_product", "create_price", "create_session"]
    assert StripePrice.objects.count() == 1


@pytest.mark.parametrize(
    ("made_in", "asked_in", "may_be_there"),
    [
        ((False, "acct_1"), (False, "acct_1"), True),
        ((False, "acct_1"), (True, "acct_1"), False),
        ((False, "acct_1"), (False, "acct_2"), False),
        # Of old rows nothing is known, and a key may not tell its account.
        ((None, "acct_1"), (True, "acct_1"), True),
        ((False, ""), (False, "acct_1"), True),
        ((False, "acct_1"), (False, ""), True),
    ],
)
def test_what_was_made_at_stripe_may_be_where_nothing_speaks_against_it(
    made_in, asked_in, may_be_there
):
    price = StripePrice(livemode=made_in[0], account_id=made_in[1])
    assert price.may_be_in(livemode=asked_in[0], account_id=asked_in[1]) is may_be_there


def test_a_look_in_the_other_mode_leaves_no_gap_in_this_one(
    bought, stripe_sandbox, stripe_settings
):
    """Live keys for a day, and back to the test keys: what happened there meanwhile is heard of."""
    sandbox = stripe_sandbox.sandbox
    now = timezone.now()
    catching_up.catch_up(at=now)
    test_mode = (sandbox._kept, stripe_settings.STRIPE_API_KEY)
    sandbox.create_refund({"payment_intent": bought.payment_intent_id})
    go_live(stripe_sandbox, stripe_settings)
    catching_up.catch_up(at=now + timedelta(days=1))
    sandbox.livemode = False
    sandbox._kept, stripe_settings.STRIPE_API_KEY = test_mode
    stripe_sandbox.api.api_key = stripe_settings.STRIPE_API_KEY
    catching_up.catch_up(at=now + timedelta(days=2))
    bought.refresh_from_db()
    assert bought.refunds.get().status == "succeeded"
