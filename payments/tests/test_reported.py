"""Faults that were reported of other shops and fit no other file: each tried as it happened there."""

from decimal import Decimal

import pytest
from django.utils import timezone

from lms.models import Access
from payments.models import Dispute, MoveSource, Payment
from payments.provider import stripe
from payments.provider.types import ProviderRefused
from payments.services import refunds
from payments.tests.events import a_charge, a_dispute, a_refund, a_session, an_event
from payments.tests.factories import PaymentFactory
from payments.tests.shop import events_of, session_of, the_payment
from people.models import BlockReason, User
from project.mail.models import Delivery
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

PAID = {"status": "complete", "payment_status": "paid", "payment_intent": "pi_1"}


@pytest.fixture
def give_back(administrator):
    def give(payment, amount=None):
        return refunds.refund_payment(
            payment=payment, by=administrator, reason="asked to", amount=amount
        )

    return give


@pytest.mark.reported("Stripe did not take the buyer's address, and they could never pay.")
@pytest.mark.parametrize("receipts", ["off", "email"])
def test_who_has_an_address_that_stripe_does_not_take_is_asked_for_one_there(
    buy, learner, stripe_sandbox, settings, receipts
):
    settings.STRIPE_RECEIPTS = receipts
    User.objects.filter(pk=learner.pk).update(email="lev@localhost")
    learner.refresh_from_db()
    answer = buy()
    assert answer.status_code == 201, answer.content
    session = stripe_sandbox.sandbox.find("checkout.session", session_of(answer.json()))
    assert session["customer_email"] is None
    assert the_payment().refusal == ""


@pytest.mark.reported(
    "A second payment for the same was refunded, and the first one's access ended."
)
def test_a_refund_of_what_was_paid_twice_leaves_the_access_of_the_other(
    bought, deliver, learner, course, give_back, stripe_sandbox
):
    twice = PaymentFactory.create(
        payer=learner, course=course, method="stripe", session_id="cs_2", status="expired"
    )
    deliver(
        an_event(
            "checkout.session.completed", a_session(twice, **PAID | {"payment_intent": "pi_2"})
        )
    )
    twice.refresh_from_db()
    assert twice.status == "paid"
    deliver(an_event("refund.created", a_refund(twice)))
    twice.refresh_from_db()
    assert twice.status == "refunded"
    assert Access.objects.held_by(learner).exists()
    give_back(bought)
    assert not Access.objects.held_by(learner).exists()


@pytest.mark.reported("A dispute about a refunded order opened it again.")
@pytest.mark.parametrize("status", ["needs_response", "lost", "won"])
def test_a_dispute_about_what_was_refunded_brings_nothing_back(
    bought, deliver, give_back, stripe_sandbox, status
):
    give_back(bought)
    deliver(an_event("charge.dispute.created", a_dispute(bought, status=status)))
    bought.refresh_from_db()
    assert bought.status == "refunded"
    assert Dispute.objects.get().status == status
    assert not Access.objects.held_by(bought.payer).exists()


@pytest.mark.reported("A dispute that was lost, and won the next day, blocked refunds for ever.")
def test_what_was_won_after_all_can_be_refunded(bought, deliver, give_back, stripe_sandbox):
    dispute = a_dispute(bought)
    for number, status in enumerate(["needs_response", "lost", "won"]):
        kind = "charge.dispute.funds_reinstated" if status == "won" else "charge.dispute.updated"
        moment = dispute["created"] + number
        deliver(an_event(kind, dispute | {"status": status}, created=moment))
    assert Access.objects.held_by(bought.payer).exists()
    give_back(bought)
    bought.refresh_from_db()
    assert bought.status == "refunded"


@pytest.mark.reported(
    "Money that was withdrawn for a dispute was counted as lost, and never came back."
)
def test_money_withdrawn_for_a_dispute_is_not_yet_lost(bought, deliver):
    deliver(an_event("charge.dispute.funds_withdrawn", a_dispute(bought)))
    assert Dispute.objects.get().status == "needs_response"
    assert Access.objects.held_by(bought.payer).exists()


@pytest.mark.reported("The webhook refused events of more than 16 KB.")
def test_a_long_event_is_taken(deliver, bought):
    dispute = a_dispute(bought, evidence={"uncategorized_text": "ы" * 200_000})
    assert deliver(an_event("charge.dispute.created", dispute)).status_code == 200
    assert Dispute.objects.exists()


@pytest.mark.reported("Events about a buyer who had deleted their account were a 500 for days.")
@pytest.mark.parametrize("fact", ["session", "refund", "dispute"])
def test_events_about_who_was_erased_are_taken_down(deliver, learner, course, fact):
    payment = PaymentFactory.create(
        payer=learner, course=course, method="stripe", payment_intent_id="pi_1", session_id="cs_1"
    )
    User.objects.filter(pk=learner.pk).update(
        is_active=False,
        blocked_reason=BlockReason.ERASED,
        blocked_at=timezone.now(),
        email="erased@invalid",
    )
    kind, subject = {
        "session": ("checkout.session.completed", a_session(payment, **PAID)),
        "refund": ("refund.created", a_refund(payment)),
        "dispute": ("charge.dispute.created", a_dispute(payment)),
    }[fact]
    assert deliver(an_event(kind, subject)).status_code == 200
    payment.refresh_from_db()
    assert payment.status == ("refunded" if fact == "refund" else "paid")
    deliver_mail()
    assert not Delivery.objects.filter(recipient=learner, status="sent").exists()


@pytest.mark.reported("The sum of all refunds was taken for that of the last one.")
def test_the_refunds_of_a_charge_are_counted_once_each(bought, deliver, run_worker, stripe_sandbox):
    for amount in ("50000", "30000"):
        form = {"payment_intent": bought.payment_intent_id, "amount": amount}
        stripe_sandbox.sandbox.create_refund(form)
    for event in events_of(stripe_sandbox, "charge.refunded"):
        deliver(event)
        refunds.ask_about_refunds(bought, source=MoveSource.WEBHOOK)
    bought.refresh_from_db()
    assert (bought.refunded_amount, bought.refunds.count()) == (800, 2)


@pytest.mark.reported(
    "A part of a payment in yen was refunded a hundred times over, or a hundredth."
)
def test_a_part_of_a_payment_in_yen_goes_back_as_it_is(
    settings, course, buy, api, learner, give_back, stripe_sandbox
):
    settings.CURRENCY = "JPY"
    course.price = Decimal(9899)
    course.save()
    payment = Payment.objects.get(pk=buy().json()["id"])
    stripe_sandbox.sandbox.pay(payment.session_id)
    api(learner).get(f"payments/{payment.pk}/status")
    give_back(payment, Decimal(5800))
    form = {"payment_intent": the_payment().payment_intent_id, "amount": "99"}
    stripe_sandbox.sandbox.create_refund(form)
    refunds.ask_about_refunds(the_payment(), source=MoveSource.WEBHOOK)
    assert [made["amount"] for made in stripe_sandbox.sandbox.all("refund")] == [5800, 99]
    assert the_payment().refunded_amount == 5899


@pytest.mark.reported(
    "The shop changed its currency, and refunds of before went out in the new one."
)
def test_a_refund_is_in_the_currency_that_was_paid(bought, settings, give_back, stripe_sandbox):
    settings.CURRENCY = "JPY"
    give_back(bought, Decimal(500))
    [made] = stripe_sandbox.sandbox.all("refund")
    assert (made["amount"], made["currency"]) == (50_000, "rub")


@pytest.mark.reported(
    "The event of a refund was faster than Stripe's answer, and it was booked twice."
)
@pytest.mark.parametrize("amount", [None, Decimal(500)])
def test_a_refund_whose_event_comes_before_the_answer_is_one(
    bought, give_back, deliver, stripe_sandbox, monkeypatch, amount
):
    ask = stripe.refund

    def answer_late(**asked):
        answer = ask(**asked)
        for event in events_of(stripe_sandbox, "refund"):
            assert deliver(event).status_code == 200
        return answer

    monkeypatch.setattr(stripe, "refund", answer_late)
    give_back(bought, amount)
    bought.refresh_from_db()
    assert bought.refunds.count() == 1
    assert bought.refunded_amount == (amount or 1990)
    assert Delivery.objects.filter(mailing__kind="payment_refunded").count() == 1


@pytest.mark.reported("A refund failed, and the buyer had a mail that the money was on its way.")
def test_a_refund_that_failed_before_its_mail_went_out_is_not_told(
    bought, give_back, deliver, stripe_sandbox
):
    made = give_back(bought)
    stripe_sandbox.sandbox.settle_refund(made.refund_id, succeeds=False)
    deliver(stripe_sandbox.events[-1])
    deliver_mail()
    told = Delivery.objects.filter(mailing__kind="payment_refunded").values_list(
        "status", flat=True
    )
    assert list(told) == ["skipped"]


@pytest.mark.reported(
    "Refunds to wallets were pending, and their later events of an older kind ignored."
)
@pytest.mark.parametrize("kind", ["refund.updated", "charge.refund.updated"])
def test_a_refund_that_was_pending_is_settled_by_either_event(bought, give_back, deliver, stripe_sandbox, kind):  # fmt: skip
    stripe_sandbox.sandbox.refunds_wait = True
    pending = give_back(bought)
    settled = stripe_sandbox.sandbox.settle_refund(pending.refund_id, succeeds=True)
    deliver(an_event(kind, settled))
    bought.refresh_from_db()
    assert bought.status == "refunded"


@pytest.mark.reported(
    "A part was refunded in the dashboard, and the shop could refund nothing more."
)
def test_what_the_dashboard_left_can_be_refunded_after_a_refusal(bought, give_back, stripe_sandbox):
    form = {"payment_intent": bought.payment_intent_id, "amount": "150000"}
    stripe_sandbox.sandbox.create_refund(form)
    with pytest.raises(ProviderRefused):
        give_back(bought)
    bought.refresh_from_db()
    assert bought.refunded_amount == 1500
    assert give_back(bought).amount == 490
    bought.refresh_from_db()
    assert bought.status == "refunded"


@pytest.mark.reported("A title with many letters made the page impossible.")
def test_a_thing_with_the_longest_title_is_sold(buy, course, stripe_sandbox):
    course.title = "Ы" * 200
    course.save()
    assert buy().status_code == 201


@pytest.mark.reported("A page that ran out called off an order that was paid otherwise.")
def test_the_end_of_an_old_page_ends_nothing_that_was_paid_otherwise(
    buy, deliver, learner, course, administrator, stripe_sandbox
):
    session_id = session_of(buy().json())
    in_cash = PaymentFactory.create(payer=learner, course=course, paid=True)
    Access.objects.create(
        user=learner, course=course, source="payment", reference=in_cash.reference
    )
    stripe_sandbox.sandbox.expire_session(session_id)
    deliver(stripe_sandbox.events[-1])
    in_cash.refresh_from_db()
    assert in_cash.status == "paid"
    assert Access.objects.held_by(learner).exists()


@pytest.mark.reported("Without metadata the event of a refund found no order.")
@pytest.mark.parametrize("make", [a_charge, a_refund, a_dispute])
def test_a_fact_without_metadata_is_known_by_the_intent(bought, deliver, make):
    kind = {a_charge: "charge.refunded", a_refund: "refund.created"}.get(
        make, "charge.dispute.created"
    )
    deliver(an_event(kind, make(bought, metadata={})))
    outcome = bought.events.latest("pk").outcome
    assert outcome in {"asked", "refund: succeeded", "dispute: needs_response"}


@pytest.mark.reported(
    "A delayed debit that was not paid yet was shown as failed, and people paid again."
)
def test_a_debit_on_its_way_is_no_failure_and_cannot_be_paid_again(
    buy, api, learner, deliver, stripe_sandbox
):
    ordered = buy().json()
    stripe_sandbox.sandbox.pay_later(session_of(ordered), succeeds=True)
    deliver(stripe_sandbox.events[-1])
    again = buy().json()
    assert (again["id"], again["status"], again["payment_url"]) == (
        ordered["id"],
        "processing",
        None,
    )


@pytest.mark.reported("The bank cancelled a payment, and its order stayed pending for ever.")
def test_a_payment_that_was_canceled_at_stripe_fails_and_can_be_ordered_anew(
    buy, api, learner, stripe_sandbox
):
    payment = Payment.objects.get(pk=buy().json()["id"])
    sandbox = stripe_sandbox.sandbox
    session = sandbox.pay_later(payment.session_id, succeeds=False)
    del sandbox._kept["outcomes"][payment.session_id]
    sandbox._kept["objects"][session["payment_intent"]]["status"] = "canceled"
    api(learner).get(f"payments/{payment.pk}/status")
    assert the_payment().status == "failed"
    assert buy().status_code == 201
