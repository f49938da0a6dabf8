"""What Stripe refuses will not heal by itself: the buyer learns that, and staff learn why."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.models import Payment
from payments.services import reconciliation
from payments.tests.sandbox import Fault
from payments.tests.shop import the_payment

pytestmark = pytest.mark.django_db

WORDS = "You may not sell to lev@example.com in this currency."


@pytest.fixture
def refuse(stripe_sandbox):
    """Have the next page refused."""

    def plan(code="currency_not_supported"):
        fault = Fault("refuse", "create_session", code=code, words=WORDS)
        stripe_sandbox.api.faults.append(fault)

    return plan


@pytest.mark.parametrize("code", ["amount_too_small", "amount_too_large"])
def test_an_amount_that_stripe_refuses_is_named_as_the_reason(buy, refuse, code):
    refuse(code)
    answer = buy()
    assert (answer.status_code, answer.json()["code"]) == (409, "unchargeable_amount")


def test_a_refusal_does_not_ask_to_try_again_and_a_silence_does(buy, refuse, stripe_sandbox):
    refuse()
    refused = buy()
    stripe_sandbox.api.faults.append(Fault("unavailable", "create_session", times=3))
    silent = buy()
    told = {(answer.status_code, answer.json()["code"]) for answer in (refused, silent)}
    assert told == {(502, "payment_provider_error")}
    assert "will not help" in refused.json()["detail"]
    assert "Try again later" in silent.json()["detail"]


def test_staff_see_why_stripe_refused_and_the_buyer_sees_nothing(
    api, buy, learner, refuse, client_of, administrator
):
    refuse()
    buy()
    assert api(learner).get("payments").json()["items"] == []
    payment = the_payment()
    client = client_of(administrator)
    assert str(payment.pk) in client.get("/admin/payments/payment/").content.decode()
    page = client.get(f"/admin/payments/payment/{payment.pk}/change/").content.decode()
    assert "You may not sell to … in this currency. (currency_not_supported)" in page


def test_the_next_try_goes_on_with_new_keys(buy, refuse, stripe_sandbox):
    refuse()
    assert buy().status_code == 502
    answer = buy()
    assert answer.status_code == 201
    first, second = [
        call.key for call in stripe_sandbox.api.calls if call.operation == "create_session"
    ]
    assert first != second
    assert (Payment.objects.count(), len(stripe_sandbox.sandbox.all("price"))) == (1, 1)


@pytest.mark.parametrize(("days", "is_kept"), [(29, True), (31, False)])
def test_what_was_refused_is_kept_for_staff_for_a_while(buy, refuse, days, is_kept):
    refuse()
    buy()
    reconciliation.reconcile_payments(at=timezone.now() + timedelta(days=days))
    assert Payment.objects.exists() == is_kept
