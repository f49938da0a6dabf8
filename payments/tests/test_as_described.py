"""Whatever Stripe's description allows is taken down, or found: fields that are null or not there, whole
objects in the place of ids, and words that are newer than this program."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments.models import Dispute, Finding, Payment, Refund, StripeEvent
from payments.provider import stripe
from payments.provider.reading import read_event
from payments.services import catching_up, consistency
from payments.stripe_sandbox.objects import make
from payments.tests.events import a_charge, a_dispute, a_refund, a_session, an_event
from payments.tests.factories import FindingFactory, PaymentFactory

pytestmark = pytest.mark.django_db

HANDLED = {
    "checkout.session.completed": a_session,
    "charge.refunded": a_charge,
    "refund.updated": a_refund,
    "charge.dispute.updated": a_dispute,
}


@pytest.fixture
def paid(learner, course):
    return PaymentFactory.create(
        payer=learner,
        course=course,
        method="stripe",
        paid=True,
        payment_intent_id="pi_1",
        session_id="cs_1",
    )


def read(kind: str, subject: Any):
    event = read_event(an_event(kind, subject))
    assert not event.is_unreadable, subject
    return event


@pytest.mark.reported("A field that is null in some events broke the webhook for days.")
@pytest.mark.parametrize("kind", HANDLED)
def test_each_field_that_may_be_null_or_absent_is_read_so(kind, paid, description, stripe_settings):
    subject = HANDLED[kind](paid)
    fields = description.fields_of(subject["object"])
    optional = [name for name, field in fields.items() if field.is_optional]
    assert len(optional) > 1
    for name in optional:
        read(kind, {**subject, name: None})
        read(kind, {key: value for key, value in subject.items() if key != name})
    read(kind, subject | dict.fromkeys(optional))


@pytest.mark.parametrize("kind", HANDLED)
def test_each_field_that_may_be_a_whole_object_leads_to_the_payment(
    kind, paid, description, stripe_settings, deliver
):
    subject = HANDLED[kind](paid)
    fields = description.fields_of(subject["object"])
    whole = {
        name: make("payment_intent", now=1, id="pi_1")
        if name == "payment_intent"
        else {"id": f"{name}_1", "object": name}
        for name, field in fields.items()
        if field.is_expandable
    }
    assert read(kind, subject).payment_intent_id in {"pi_1", None}
    assert read(kind, subject | whole).payment_intent_id == "pi_1"
    assert deliver(an_event(kind, subject | whole)).status_code == 200
    assert StripeEvent.objects.get().payment == paid


def test_a_dispute_is_known_by_the_intent_of_its_charge(deliver, paid):
    dispute = a_dispute(paid, charge=a_charge(paid), payment_intent=None)
    deliver(an_event("charge.dispute.created", dispute))
    assert Dispute.objects.get().payment == paid


def test_a_dispute_of_which_little_is_told_is_told_to_staff(deliver, paid, client_of, support):
    dispute = a_dispute(paid, reason=None, evidence_details=None)
    assert deliver(an_event("charge.dispute.created", dispute)).status_code == 200
    row = Dispute.objects.get()
    assert (row.reason_in_words, row.evidence_due_by) == ("no reason given", None)


@pytest.mark.reported(
    "A dispute in a state of which the shop did not know was not shown to anybody."
)
def test_a_dispute_in_a_new_state_is_open_and_found(deliver, paid):
    dispute = a_dispute(paid, status="in_arbitration")
    deliver(an_event("charge.dispute.created", dispute))
    assert Dispute.objects.open().get().status == "other"
    assert Payment.objects.giving_access().exists()
    finding = Finding.objects.open().get()
    assert (finding.kind, finding.payment) == ("not_understood", paid)
    for fact in (dispute["id"], "in_arbitration", "1,990"):
        assert fact in finding.detail
    # A night does not know better.
    consistency.check_payments(at=timezone.now() + timedelta(days=1))
    assert Finding.objects.filter(kind="not_understood").open().exists()
    of_another_kind = FindingFactory.create(reference=f"stripe:{dispute['id']}")
    deliver(an_event("charge.dispute.closed", dispute | {"status": "lost"}))
    assert Dispute.objects.get().status == "lost"
    assert Finding.objects.open().get() == of_another_kind
    assert not Payment.objects.giving_access().exists()


@pytest.mark.parametrize("subject", [a_dispute, a_refund])
def test_what_is_told_of_nothing_in_a_new_state_is_found(deliver, paid, subject):
    kind = {a_dispute: "charge.dispute.created", a_refund: "refund.created"}[subject]
    event = an_event(kind, subject(paid, amount=0, status="unheard_of"))
    assert deliver(event).status_code == 200
    assert "₽0" in Finding.objects.open().get().detail


def test_a_dispute_in_a_currency_that_we_cannot_count_is_found(deliver, paid):
    deliver(an_event("charge.dispute.created", a_dispute(paid, currency="xts")))
    assert Finding.objects.open().get().kind == "not_understood"


@pytest.mark.parametrize("status", [None, "held_for_review"])
def test_a_refund_in_a_new_state_is_under_way_and_found(deliver, paid, status):
    refund = a_refund(paid, status=status, amount=50_000)
    deliver(an_event("refund.created", refund))
    assert Refund.objects.get().status == "requested"
    finding = Finding.objects.open().get()
    assert refund["id"] in finding.detail
    deliver(an_event("refund.updated", refund | {"status": "succeeded"}))
    assert Refund.objects.get().status == "succeeded"
    assert not Finding.objects.open().exists()


@pytest.mark.parametrize("changes", [{"currency": "usd"}, {"currency": "xts"}, {"amount": 199_001}])
def test_a_refund_that_the_payment_cannot_have_is_found(deliver, paid, changes):
    refund = a_refund(paid, **changes)
    deliver(an_event("refund.created", refund))
    assert not Refund.objects.exists()
    assert refund["id"] in Finding.objects.open().get().detail


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"status": "complete", "payment_status": "partly_paid"}, "processing"),
        ({"status": "paused", "payment_status": "unpaid"}, "pending"),
        ({"status": None, "payment_status": "unpaid"}, "pending"),
        ({"status": "brand_new", "payment_status": "paid"}, "paid"),
    ],
)
def test_a_session_in_a_new_state_is_paid_only_if_it_says_so(
    deliver, learner, course, said, status
):
    payment = PaymentFactory.create(
        payer=learner, course=course, method="stripe", session_id="cs_1"
    )
    deliver(an_event("checkout.session.completed", a_session(payment, **said)))
    payment.refresh_from_db()
    assert payment.status == status


@pytest.mark.reported("An event that could not be read was answered with 200, and lost.")
@pytest.mark.parametrize("how", ["webhook", "night"])
def test_an_event_that_cannot_be_read_is_found_until_it_can(deliver, paid, monkeypatch, how):
    refund = a_refund(paid, amount=50_000)
    event = an_event("refund.created", refund)
    broken = event | {"data": {"object": refund | {"amount": "?"}}}
    if how == "webhook":
        # Stripe sends it again.
        assert deliver(broken).status_code == 400
    else:
        monkeypatch.setattr(stripe, "ask_account", stripe.known_account)
        monkeypatch.setattr(stripe, "list_events", lambda *, since: [read_event(broken)])
        catching_up.catch_up()
    finding = Finding.objects.open().get()
    assert event["id"] in finding.detail
    assert "refund.created" in finding.detail
    assert deliver(event).status_code == 200
    assert Refund.objects.get().amount == 500
    assert not Finding.objects.open().exists()
