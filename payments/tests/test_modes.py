"""The key of the other mode, live or test, taken by mistake or for a while: what was made in the mode
before waits for its key, and nothing of it is lost or taken for failed."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from payments.models import Finding, MoveSource, Payment, StripeEvent, StripeLook
from payments.provider import stripe
from payments.provider.types import ProviderUnavailable
from payments.services import catching_up, checkout, consistency, reconciliation, refunds
from payments.services.modes import MadeElsewhere
from payments.tests.factories import FindingFactory, PaymentFactory, RefundFactory
from payments.tests.sandbox import Fault
from payments.tests.shop import events_of
from project.mail.models import Mailing

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(params=[True, False], ids=["live", "test"])
def made_in(request, switch_mode):
    """The mode in which things are made: the key is of it, until the test takes the other one."""
    switch_mode(livemode=request.param)
    return request.param


@pytest.fixture
def elsewhere(made_in, bought, switch_mode):
    """A payment that was made in a mode; the key is of the other one now."""
    switch_mode(livemode=not made_in)
    return bought


def open_findings(kind="other_mode"):
    return Finding.objects.open().filter(kind=kind)


def named(livemode):
    return "live mode" if livemode else "test mode"


def press(name, payment, client):
    """Press a button of the payment's page; return what is said."""
    address = reverse(f"admin:payments_payment_{name}", args=[payment.pk])
    answers = {"reason": "asked for", "typed": payment.payer.email}
    response = client.post(address, answers)
    return [str(message) for message in get_messages(response.wsgi_request)]


# --- Events ---


@pytest.mark.reported("Events of the other mode were answered with 200, and lost.")
@pytest.mark.parametrize("days", [0, 1, 12])
def test_an_event_of_the_other_mode_is_applied_once_the_key_is_of_its_mode_again(
    made_in, bought, deliver, run_worker, switch_mode, stripe_sandbox, days
):
    sandbox, now = stripe_sandbox.sandbox, timezone.now()
    catching_up.catch_up(at=now)
    sandbox.create_refund({"payment_intent": bought.payment_intent_id, "amount": "50000"})
    told = stripe_sandbox.events[-2:]
    switch_mode(livemode=not made_in)
    for event in told:
        run_worker(lambda event=event: deliver(event))
    assert not StripeEvent.objects.filter(event_id__in=[event["id"] for event in told]).exists()
    # The nights of the other mode see nothing of it, and leave no gap.
    for day in range(days):
        catching_up.catch_up(at=now + day * DAY)
    [finding] = open_findings()
    assert f"events from {named(made_in)}" in finding.detail
    switch_mode(livemode=made_in)
    catching_up.catch_up(at=now + days * DAY)
    bought.refresh_from_db()
    assert (bought.refunds.get().status, bought.refunded_amount) == ("succeeded", 500)
    assert not open_findings().exists()


def test_events_of_the_other_mode_stay_named_while_they_wait(deliver, bought, switch_mode):
    switch_mode(livemode=True)
    event = {"id": "evt_1", "object": "event", "type": "charge.refunded", "created": 1}
    assert deliver(event | {"livemode": False}).status_code == 200
    consistency.check_payments(at=timezone.now() + 20 * DAY)
    catching_up.catch_up()
    assert open_findings().get().reference == "webhook:test_mode"


@pytest.mark.parametrize("known", [{"livemode": None, "account_id": ""}, {"account_id": "acct_b"}])
def test_a_look_elsewhere_or_nobody_knows_where_is_none_here(bought, stripe_sandbox, known):
    stripe_sandbox.sandbox.create_refund({"payment_intent": bought.payment_intent_id})
    later = timezone.now() + DAY
    StripeLook.objects.create(started_at=later, **{"livemode": False} | known)
    catching_up.catch_up(at=later + DAY)
    bought.refresh_from_db()
    assert bought.status == "refunded"


# --- What staff do ---


def test_a_payment_of_the_other_mode_is_not_refunded_and_the_reason_is_told(
    elsewhere, made_in, client_of, administrator, stripe_sandbox
):
    stripe_sandbox.api.calls.clear()
    [message] = press("refund", elsewhere, client_of(administrator))
    assert f"was made in Stripe's {named(made_in)}" in message
    assert not elsewhere.refunds.exists()
    assert {call.operation for call in stripe_sandbox.api.calls} <= {"retrieve_account"}


@pytest.mark.reported("A refund was retried with the key of the other mode, and made twice.")
@pytest.mark.parametrize("how", ["click", "night", "repair", "worker"])
def test_a_refund_without_an_answer_is_not_given_up_in_the_other_mode(
    made_in, bought, administrator, stripe_sandbox, switch_mode, how
):
    """Stripe made it, and its answer was lost. Half a day later, its list says what became of it."""
    faults = [Fault("drop_after", "create_refund"), Fault("drop", "create_refund", times=2)]
    stripe_sandbox.api.faults.extend(faults)
    ask = {"by": administrator, "reason": "asked for", "amount": Decimal(500)}
    with pytest.raises(ProviderUnavailable):
        refunds.refund_payment(payment=bought, **ask)
    bought.refunds.update(created_at=timezone.now() - 2 * DAY)
    bought.refresh_from_db()
    switch_mode(livemode=not made_in)
    consistency.check_payments(fix=True)
    if how == "click":
        with pytest.raises(MadeElsewhere):
            refunds.refund_payment(payment=bought, **ask)
    elif how == "night":
        consistency.compare_with_stripe([bought.pk, *consistency.to_ask_about()], fix=True)
    elif how == "repair":
        with pytest.raises(MadeElsewhere):
            consistency.repair_finding(open_findings("refund_unanswered").get())
    else:
        with pytest.raises(MadeElsewhere):
            refunds.ask_about_refunds(bought, source=MoveSource.WEBHOOK)
    assert bought.refunds.get().status == "requested"
    kinds = set(bought.findings.open().values_list("kind", flat=True))
    assert kinds == {"refund_unanswered", "other_mode"}
    switch_mode(livemode=made_in)
    consistency.check_payments(fix=True)
    consistency.compare_with_stripe(consistency.to_ask_about(), fix=True)
    bought.refresh_from_db()
    assert (bought.refunds.get().status, bought.refunded_amount) == ("succeeded", 500)
    assert not bought.findings.open().exists()


@pytest.mark.parametrize("is_told", [True, False])
def test_who_does_not_know_the_payment_cannot_say_that_a_refund_was_never_made(
    bought, stripe_sandbox, monkeypatch, is_told
):
    """Of another account, of which neither the row nor the key says so: the list is refused, or
    empty."""
    RefundFactory.create(payment=bought, status="requested", created_at=timezone.now() - 2 * DAY)
    stripe_sandbox.sandbox._kept["objects"].clear()
    if not is_told:
        monkeypatch.setattr(stripe, "list_refunds", lambda _intent: [])
    consistency.compare_with_stripe([bought.pk], fix=True)
    assert bought.refunds.get().status == "requested"
    assert bought.findings.open().get(kind="unknown_at_stripe")


def test_asking_stripe_about_a_payment_of_the_other_mode_says_why_it_cannot(
    made_in, buy, switch_mode, client_of, administrator
):
    payment = Payment.objects.get(pk=buy().json()["id"])
    switch_mode(livemode=not made_in)
    [message] = press("ask_stripe", payment, client_of(administrator))
    assert f"was made in Stripe's {named(made_in)}" in message
    payment.refresh_from_db()
    assert payment.status == "pending"


def test_a_finding_about_a_payment_of_the_other_mode_is_not_taken_for_repaired(elsewhere):
    finding = FindingFactory.create(
        kind="stripe_says_otherwise", payment=elsewhere, reference=elsewhere.reference
    )
    with pytest.raises(MadeElsewhere):
        consistency.repair_finding(finding)
    finding.refresh_from_db()
    assert finding.status == "open"


# --- What goes by itself ---


def test_money_on_its_way_in_the_other_mode_waits_for_its_key(
    api, learner, buy, switch_mode, made_in, stripe_sandbox
):
    payment = Payment.objects.get(pk=buy().json()["id"])
    stripe_sandbox.sandbox.pay_later(payment.session_id, succeeds=True)
    api(learner).get(f"payments/{payment.pk}/status")
    switch_mode(livemode=not made_in)
    mails = Mailing.objects.count()
    later = timezone.now() + 8 * DAY
    with time_machine.travel(later):
        reconciliation.reconcile_payments()
        consistency.check_payments(fix=True)
        consistency.compare_with_stripe([payment.pk], fix=True)
        answer = checkout.ask_stripe(payment, source=MoveSource.STATUS)
    payment.refresh_from_db()
    assert payment.status == answer.status == "processing"
    assert Mailing.objects.count() == mails
    kinds = set(payment.findings.open().values_list("kind", flat=True))
    assert kinds == {"processing_too_long", "other_mode"}
    stripe_sandbox.sandbox.advance(3600)
    switch_mode(livemode=made_in)
    api(learner).get(f"payments/{payment.pk}/status")
    payment.refresh_from_db()
    assert payment.status == "paid"
    consistency.check_payments(at=later + DAY)
    assert not payment.findings.open().exists()


def test_a_page_of_the_other_mode_is_given_up_only_when_nobody_can_pay_on_it_any_more(
    made_in, api, learner, buy, switch_mode, stripe_sandbox
):
    payment = Payment.objects.get(pk=buy().json()["id"])
    switch_mode(livemode=not made_in)
    reconciliation.reconcile_payments(at=timezone.now() + timedelta(minutes=16))
    assert api(learner).get(f"payments/{payment.pk}/status").json()["status"] == "pending"
    with pytest.raises(CommandError):
        call_command("check_payments")
    assert named(made_in) in open_findings().get(payment=payment).detail
    switch_mode(livemode=made_in)
    stripe_sandbox.sandbox.pay(payment.session_id)
    switch_mode(livemode=not made_in)
    Payment.objects.update(session_expires_at=timezone.now())
    reconciliation.reconcile_payments(at=timezone.now() + timedelta(minutes=16))
    payment.refresh_from_db()
    assert payment.status == "expired"
    switch_mode(livemode=made_in)
    catching_up.catch_up()
    payment.refresh_from_db()
    assert payment.status == "paid"


def test_a_buyer_whose_test_money_is_on_its_way_can_buy_with_a_live_key(
    api, learner, buy, switch_mode, stripe_sandbox
):
    test = Payment.objects.get(pk=buy().json()["id"])
    stripe_sandbox.sandbox.pay_later(test.session_id, succeeds=True)
    api(learner).get(f"payments/{test.pk}/status")
    switch_mode(livemode=True)
    answer = buy()
    assert (answer.status_code, answer.json()["id"] == test.pk) == (201, False)


def test_nobody_pays_twice_while_live_money_is_on_its_way(
    api, learner, buy, switch_mode, stripe_sandbox
):
    switch_mode(livemode=True)
    live = Payment.objects.get(pk=buy().json()["id"])
    stripe_sandbox.sandbox.pay_later(live.session_id, succeeds=True)
    api(learner).get(f"payments/{live.pk}/status")
    switch_mode(livemode=False)
    answer = buy()
    assert (answer.status_code, answer.json()["id"]) == (200, live.pk)


def test_a_school_without_a_key_is_not_told_of_modes(stripe_settings):
    PaymentFactory.create(method="stripe", session_id="cs_live_1", livemode=True)
    stripe_settings.STRIPE_API_KEY = ""
    consistency.check_payments()
    assert not open_findings().exists()


def test_what_is_settled_in_the_other_mode_is_no_finding(elsewhere, stripe_sandbox):
    assert events_of(stripe_sandbox)
    consistency.check_payments()
    assert not Finding.objects.exists()
