"""What Stripe tells, and what it is taken for: by which name it finds its payment, what it may move,
what contradicts the book."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
import time_machine
from django_q.models import OrmQ

from lms.models import Access
from lms.tests.factories import LessonFactory
from payments.models import (
    Dispute,
    Finding,
    Payment,
    PaymentMove,
    Refund,
    StripeEvent,
    StripeOutcome,
)
from payments.tests.events import a_charge, a_dispute, a_refund, a_session, an_event
from payments.tests.factories import PaymentFactory, RefundFactory
from payments.tests.failures import everything, failing_at
from project.mail.models import Delivery
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
COMPLETED = "checkout.session.completed"
PAID = {"status": "complete", "payment_status": "paid", "payment_intent": "pi_1", "url": None}
ON_ITS_WAY = PAID | {"payment_status": "unpaid"}


def at_stripe(payer, course, status="pending", **fields):
    """A payment at Stripe; the access that it gives is there."""
    if status in {"paid", "refunded"}:
        fields.setdefault("paid_at", NOW)
    fields.setdefault("session_id", f"cs_{uuid4().hex}")
    payment = PaymentFactory.create(
        payer=payer, course=course, method="stripe", status=status, **fields
    )
    if status == "paid":
        Access.objects.create(
            user=payer, course=course, source="payment", reference=payment.reference
        )
    return payment


@pytest.fixture
def beside(learner, stranger, course):
    """Payments of the same person and for the same course, of which no event speaks."""
    others = [
        at_stripe(stranger, course, payment_intent_id="pi_stranger"),
        at_stripe(learner, LessonFactory.create().course, payment_intent_id="pi_other"),
        at_stripe(stranger, LessonFactory.create().course, status="paid"),
    ]
    before = list(Payment.objects.filter(pk__in=[other.pk for other in others]).values())
    yield others
    after = Payment.objects.filter(pk__in=[other.pk for other in others])
    assert list(after.values()) == before
    assert list(Access.objects.exclude(user=learner).values_list("revoked_at")) == [(None,)]


@pytest.fixture
def pending(learner, course, beside):
    return at_stripe(learner, course)


@pytest.fixture
def paid(learner, course, beside):
    return at_stripe(learner, course, "paid", payment_intent_id="pi_1")


def known_by(payment):
    """How a refund names a payment whose intent we don't know yet."""
    return {"metadata": {"payment_id": str(payment.token)}}


def noted():
    """The latest event: the payment that it was about, and what came of it."""
    event = StripeEvent.objects.latest("pk")
    return event.payment, event.outcome


# --- What a session says ---


@pytest.mark.reported("Events out of order put a paid order back to pending.")
@pytest.mark.parametrize(
    ("start", "said", "end"),
    [
        ("pending", {}, "pending"),
        ("pending", PAID, "paid"),
        ("pending", PAID | {"payment_status": "no_payment_required"}, "paid"),
        ("pending", ON_ITS_WAY, "processing"),
        ("pending", {"status": "expired"}, "expired"),
        ("processing", ON_ITS_WAY, "processing"),
        ("processing", PAID, "paid"),
        ("processing", {"status": "expired"}, "processing"),
        ("failed", PAID, "paid"),
        ("failed", ON_ITS_WAY, "failed"),
        ("expired", PAID, "paid"),
        ("expired", ON_ITS_WAY, "processing"),
        ("expired", {}, "expired"),
        ("paid", PAID, "paid"),
        ("paid", {}, "paid"),
        ("paid", {"status": "expired"}, "paid"),
        ("refunded", PAID, "refunded"),
    ],
)
def test_a_session_moves_its_payment_forward_only(
    deliver, learner, course, beside, start, said, end
):
    payment = at_stripe(learner, course, start)
    kind = "checkout.session.expired" if said.get("status") == "expired" else COMPLETED
    session = a_session(payment, **said)
    assert deliver(an_event(kind, session)).status_code == 200
    payment.refresh_from_db()
    assert payment.status == end
    moves = PaymentMove.objects.values_list(
        "payment", "from_status", "to_status", "source", "reason"
    )
    if start == end:
        assert noted() == (payment, f"nothing to do: {end}")
        assert not moves
    else:
        assert noted() == (payment, f"moved to: {end}")
        reason = f"session: {session['status']}, {session['payment_status']}"
        assert list(moves) == [(payment.pk, start, end, "webhook", reason)]
    held = Access.objects.held_by(learner)
    assert list(held.values_list("course")) == [(course.pk,)] * (end == "paid")


@pytest.mark.parametrize(("start", "end"), [("pending", "failed"), ("paid", "paid")])
def test_a_delayed_payment_that_failed_is_told_by_its_event(deliver, learner, course, start, end):
    payment = at_stripe(learner, course, start)
    deliver(an_event("checkout.session.async_payment_failed", a_session(payment, **ON_ITS_WAY)))
    payment.refresh_from_db()
    assert payment.status == end


@pytest.mark.reported("Another order's session was accepted as payment for this one.")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_reference_id": "17"}, "other payment"),
        ({"client_reference_id": None}, "other payment"),
        ({"client_reference_id": str(uuid4())}, "other payment"),
        ({"id": "cs_older"}, "other session"),
    ],
)
def test_a_session_that_contradicts_its_payment_is_noted_only(deliver, pending, changes, reason):
    before = Payment.objects.filter(pk=pending.pk).values().get()
    assert deliver(an_event(COMPLETED, a_session(pending, **PAID | changes))).status_code == 200
    assert noted() == (pending, reason)
    assert Payment.objects.filter(pk=pending.pk).values().get() == before
    assert not Access.objects.held_by(pending.payer).exists()


def test_an_event_that_is_faster_than_our_own_row_is_known_by_its_token(
    deliver, learner, course, beside
):
    """The answer with the session was lost on its way to us."""
    payment = at_stripe(learner, course, session_id="")
    session = a_session(payment, **PAID)
    with time_machine.travel(NOW, tick=False):
        deliver(an_event(COMPLETED, session))
    payment.refresh_from_db()
    assert (payment.status, payment.paid_at, payment.checked_at) == ("paid", NOW, NOW)
    # By these a refund will find it.
    assert (payment.session_id, payment.payment_intent_id) == (session["id"], "pi_1")


def test_a_later_session_without_its_intent_does_not_make_us_forget_it(deliver, paid):
    deliver(an_event(COMPLETED, a_session(paid, **PAID | {"payment_intent": None})))
    paid.refresh_from_db()
    assert paid.payment_intent_id == "pi_1"


@pytest.mark.reported(
    "A debit was on its way for an expired order, the buyer ordered anew, and each event was a 500."
)
@pytest.mark.parametrize("start", ["expired", "cancelled"])
@pytest.mark.parametrize("end", ["paid", "failed"])
def test_money_on_its_way_for_an_order_that_another_replaced_is_found_and_counts_when_it_comes(
    deliver, learner, course, start, end
):
    old = at_stripe(learner, course, start)
    new = at_stripe(learner, course)
    for _time in range(2):
        answer = deliver(an_event(COMPLETED, a_session(old, **ON_ITS_WAY)))
        assert answer.status_code == 200
    assert noted() == (old, f"nothing to do: {start}")
    finding = Finding.objects.open().get()
    assert (finding.kind, finding.payment) == ("stripe_says_otherwise", old)
    assert "processing" in finding.detail
    new.refresh_from_db()
    assert new.status == "pending"
    if end == "paid":
        late = an_event("checkout.session.async_payment_succeeded", a_session(old, **PAID))
    else:
        late = an_event("checkout.session.async_payment_failed", a_session(old, **ON_ITS_WAY))
    deliver(late)
    old.refresh_from_db()
    assert old.status == ("paid" if end == "paid" else start)
    assert Access.objects.held_by(learner).exists() is (end == "paid")
    assert not Finding.objects.open().exists()


# --- What a charge says ---


@pytest.mark.reported("Card refunds sent only charge.refunded, without an event of the refund.")
@pytest.mark.parametrize("by", ["intent", "token", "both"])
def test_a_refunded_charge_finds_its_payment_by_either_name(
    deliver, paid, by, django_capture_on_commit_callbacks
):
    if by == "token":
        Payment.objects.filter(pk=paid.pk).update(payment_intent_id="")
    charge = a_charge(paid) | ({"metadata": {}} if by == "intent" else {})
    with django_capture_on_commit_callbacks(execute=True):
        assert deliver(an_event("charge.refunded", charge)).status_code == 200
    assert noted() == (paid, "asked")
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"]) == ("payments.tasks.ask_about_refunds", (paid.pk,))


@pytest.mark.parametrize("amount", [100, 199_000])
def test_a_charge_whose_refunds_are_known_is_nothing_to_ask_about(
    deliver, paid, amount, django_capture_on_commit_callbacks
):
    refund = a_refund(paid, amount=amount)
    deliver(an_event("refund.created", refund))
    changes = {"amount_refunded": amount, "refunded": amount == 199_000}
    with django_capture_on_commit_callbacks(execute=True):
        deliver(an_event("charge.refunded", a_charge(paid, **changes)))
    assert noted()[1].startswith("nothing to do: ")
    assert not OrmQ.objects.exists()


@pytest.mark.parametrize("by", ["intent", "token"])
def test_a_refund_finds_its_payment_by_either_name(deliver, paid, by):
    if by == "token":
        Payment.objects.filter(pk=paid.pk).update(payment_intent_id="")
    refund = a_refund(paid) | (
        {} if by == "intent" else {"metadata": {"payment_id": str(paid.token)}}
    )
    assert deliver(an_event("refund.created", refund)).status_code == 200
    assert noted() == (paid, "refund: succeeded")
    paid.refresh_from_db()
    assert (paid.status, paid.refunded_amount) == ("refunded", paid.amount)
    move = PaymentMove.objects.get()
    assert (move.source, move.reason) == ("webhook", f"refund: {refund['id']}, succeeded")
    access = Access.objects.get(user=paid.payer)
    assert (access.revoked_at is None, access.revoked_reason) == (False, move.reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": 1}, "amount differs"),
        ({"currency": "usd"}, "amount differs"),
        ({"currency": "ugx"}, "amount differs"),
    ],
)
def test_a_charge_that_differs_takes_nothing(deliver, paid, changes, reason):
    assert deliver(an_event("charge.refunded", a_charge(paid, **changes))).status_code == 200
    assert noted() == (paid, reason)
    paid.refresh_from_db()
    assert paid.status == "paid"
    assert Access.objects.held_by(paid.payer).exists()


@pytest.mark.parametrize("start", ["pending", "processing", "failed", "expired"])
def test_a_refund_that_is_heard_of_before_the_money_is_the_end_of_it(
    deliver, learner, course, beside, start, mailoutbox
):
    payment = at_stripe(learner, course, start)
    refund = an_event("refund.created", a_refund(payment, **known_by(payment)))
    deliver(refund)
    moves = PaymentMove.objects.values_list("payment", "from_status", "to_status", "source")
    expected = [
        (payment.pk, start, "paid", "webhook"),
        (payment.pk, "paid", "refunded", "webhook"),
    ]
    assert list(moves) == expected
    for late in (an_event("refund.updated", refund["data"]["object"]), refund):
        deliver(late)
    assert noted() == (payment, "nothing to do: succeeded")
    assert StripeEvent.objects.count() == 2
    assert PaymentMove.objects.count() == 2
    assert not Access.objects.held_by(learner).exists()
    deliver_mail()
    sent = Delivery.objects.filter(status="sent").values_list("mailing__kind", flat=True)
    # Nobody had the access.
    assert list(sent) == ["payment_refunded"]
    assert len(mailoutbox) == len(sent)
    assert Delivery.objects.get(mailing__kind="payment_received").error == "not paid any more"


@pytest.mark.reported("A pending refund took the course, then it failed.")
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", "requested"),
        ("requires_action", "requested"),
        ("failed", "failed"),
        ("canceled", "failed"),
    ],
)
def test_a_refund_takes_nothing_before_it_has_succeeded(deliver, paid, status, state):
    refund = a_refund(paid, status=status, failure_reason="lost_or_stolen_card")
    deliver(an_event("refund.updated", refund))
    assert noted() == (paid, f"refund: {state}")
    paid.refresh_from_db()
    assert (paid.status, paid.refunded_amount) == ("paid", 0)
    assert Access.objects.held_by(paid.payer).exists()
    row = Refund.objects.get()
    assert (row.status, row.amount, row.refund_id) == (state, paid.amount, refund["id"])


def test_a_refund_that_fails_days_later_gives_the_access_back(deliver, paid, mailoutbox):
    refund = a_refund(paid)
    deliver(an_event("refund.created", refund))
    paid.refresh_from_db()
    when = paid.paid_at
    deliver(
        an_event(
            "refund.failed",
            refund | {"status": "failed", "failure_reason": "lost_or_stolen_card"},
        )
    )
    # What was told before comes once more, late.
    deliver(an_event("refund.updated", refund))
    paid.refresh_from_db()
    assert (paid.status, paid.refunded_amount, paid.paid_at) == ("paid", 0, when)
    assert Access.objects.held_by(paid.payer).exists()
    row = Refund.objects.get()
    assert (row.status, row.failure) == ("failed", "lost_or_stolen_card")
    steps = PaymentMove.objects.values_list("from_status", "to_status")
    assert list(steps) == [("paid", "refunded"), ("refunded", "paid")]
    # The money did not come anew.
    assert not Delivery.objects.filter(mailing__kind="payment_received").exists()


@pytest.mark.parametrize("changes", [{"amount": 199_001}, {"amount": 0}, {"currency": "usd"}])
def test_a_refund_that_the_payment_can_t_have_is_noted_only(deliver, paid, changes):
    deliver(an_event("refund.created", a_refund(paid, **changes)))
    assert noted() == (paid, "amount differs")
    assert not Refund.objects.exists()


def test_a_refund_of_more_than_an_old_nameless_one_left_is_noted_only(deliver, paid):
    RefundFactory.create(payment=paid, amount=500)
    deliver(an_event("refund.created", a_refund(paid)))
    assert noted() == (paid, "amount differs")
    assert Refund.objects.count() == 1


@pytest.mark.parametrize("fact", ["refund", "dispute", "charge"])
def test_a_fact_about_another_sum_than_was_asked_for_says_that_it_came(
    deliver, learner, course, stripe_sandbox, fact
):
    """The sum was heard of before, and staff have not decided."""
    payment = at_stripe(learner, course, payment_intent_id="pi_1")
    deliver(an_event(COMPLETED, a_session(payment, amount_total=238_800, **PAID)))
    kind, subject = {
        "refund": ("refund.created", a_refund(payment, amount=238_800)),
        "dispute": ("charge.dispute.created", a_dispute(payment, amount=238_800)),
        "charge": ("charge.refunded", a_charge(payment, amount=238_800, amount_refunded=238_800)),
    }[fact]
    deliver(an_event(kind, subject))
    payment.refresh_from_db()
    if fact == "charge":
        # Which refunds there are says Stripe's list.
        assert noted()[1] == StripeOutcome.ASKED
        return
    assert payment.amount == 2388
    assert payment.status == ("refunded" if fact == "refund" else "paid")
    assert not Finding.objects.open().exists()


def test_a_charge_tells_of_another_sum_that_nobody_told_before(deliver, pending):
    charge = a_charge(pending, currency="usd", amount=2_500, amount_refunded=2_500)
    deliver(an_event("charge.refunded", charge))
    pending.refresh_from_db()
    assert (pending.received_amount, pending.received_currency) == (25, "USD")
    assert (pending.status, noted()[1]) == ("processing", StripeOutcome.ASKED)
    assert Finding.objects.open().get().kind == "amount_differs"


# --- What a dispute says ---


@pytest.mark.reported("A dispute was lost, and the course stayed open for ever.")
@pytest.mark.parametrize("taken_at", ["created", "lost"])
@pytest.mark.parametrize(
    ("told", "keeps"),
    [
        (["needs_response"], {"created": False, "lost": True}),
        (["needs_response", "under_review"], {"created": False, "lost": True}),
        (["needs_response", "won"], {"created": True, "lost": True}),
        (["needs_response", "lost"], {"created": False, "lost": False}),
        (["needs_response", "lost", "won"], {"created": True, "lost": True}),
        (["warning_needs_response"], {"created": True, "lost": True}),
        (["warning_needs_response", "warning_closed"], {"created": True, "lost": True}),
        (["lost"], {"created": False, "lost": False}),
    ],
)
def test_a_dispute_takes_the_access_when_the_school_says_so(
    deliver, paid, settings, taken_at, told, keeps
):
    settings.DISPUTE_TAKES_ACCESS = taken_at
    dispute = a_dispute(paid)
    dispute["created"] -= 60
    for number, status in enumerate(told):
        kind = "charge.dispute.updated" if number else "charge.dispute.created"
        deliver(an_event(kind, dispute | {"status": status}, created=dispute["created"] + number))
    assert noted() == (paid, f"dispute: {told[-1]}")
    assert Access.objects.held_by(paid.payer).exists() is keeps[taken_at]
    row = Dispute.objects.get()
    assert (row.status, row.amount, row.reason) == (told[-1], paid.amount, "fraudulent")
    assert row.created_at.timestamp() == dispute["created"]
    assert row.evidence_due_by is not None
    paid.refresh_from_db()
    assert paid.status == "paid"


@pytest.mark.parametrize("seconds", [0, -1, -3600])
def test_what_was_told_of_a_dispute_before_changes_nothing_later(deliver, paid, seconds):
    dispute = a_dispute(paid, status="lost")
    closed = an_event("charge.dispute.closed", dispute)
    deliver(closed)
    earlier = dispute | {"status": "needs_response"}
    moment = closed["created"] + seconds
    deliver(an_event("charge.dispute.updated", earlier, created=moment))
    assert Dispute.objects.get().status == "lost"
    assert noted() == (paid, "nothing to do: lost")


# --- Whose it is not ---


def test_an_event_about_nothing_of_ours_is_noted_and_moves_nothing(
    deliver, pending, learner, course, settings
):
    in_cash = PaymentFactory.create(payer=learner, course=course)
    foreign = {"id": "cs_foreign", "client_reference_id": None}
    before = list(Payment.objects.order_by("pk").values())
    events = [
        an_event(COMPLETED, a_session(pending, **PAID | foreign)),
        an_event(COMPLETED, a_session(pending, **PAID | foreign | {"client_reference_id": "x"})),
        an_event("invoice.paid", a_session(pending, **PAID)),
        an_event("charge.succeeded", a_charge(pending)),
        an_event("charge.refunded", a_charge(pending, payment_intent="pi_x", metadata={})),
        an_event("charge.refunded", a_charge(pending, payment_intent=None, metadata={})),
        an_event("refund.created", a_refund(pending, payment_intent="pi_x")),
        an_event("refund.created", a_refund(pending, payment_intent=None)),
        an_event("charge.dispute.created", a_dispute(pending, payment_intent="pi_x")),
        # Nobody can pay at Stripe what is to be paid in cash.
        an_event(COMPLETED, a_session(in_cash, **PAID)),
        an_event("charge.refunded", a_charge(in_cash)),
    ]
    for event in events:
        assert deliver(event).status_code == 200
        assert noted() == (None, StripeOutcome.NOT_OURS), event["type"]
    assert StripeEvent.objects.count() == len(events)
    assert list(Payment.objects.order_by("pk").values()) == before


def test_an_event_is_kept_with_its_type_and_its_time(deliver, pending):
    kind = "x" * 255
    deliver(an_event(kind, {}, id="evt_1", created=int(NOW.timestamp())))
    event = StripeEvent.objects.get()
    assert (event.event_id, event.type, event.happened_at) == ("evt_1", "x" * 100, NOW)


def test_an_event_that_came_before_is_not_looked_at_again(deliver, pending):
    deliver(an_event("invoice.paid", {}, id="evt_1"))
    deliver(an_event(COMPLETED, a_session(pending, **PAID), id="evt_1"))
    pending.refresh_from_db()
    assert (pending.status, StripeEvent.objects.get().type) == ("pending", "invoice.paid")


@pytest.mark.reported("The handler failed and answered 200, so Stripe never tried again.")
@pytest.mark.parametrize("what", ["paid", "refunded"])
def test_whatever_the_database_refuses_stripes_next_try_finds_nothing_half_done(
    deliver, learner, course, what
):
    payment = at_stripe(learner, course, payment_intent_id="pi_1")
    event = (
        an_event(COMPLETED, a_session(payment, **PAID))
        if what == "paid"
        else an_event("refund.created", a_refund(payment))
    )
    before, answers = everything(), []
    failures = 0
    while failing_at(failures, lambda: answers.append(deliver(event).status_code)):
        assert answers[-1] >= 500
        assert everything() == before
        failures += 1
    # The event, the payment, its move, the access, the mail, and how the event ended.
    assert failures > 6
    payment.refresh_from_db()
    assert payment.status == what


@pytest.mark.reported("A webhook retried after three days put the payment into the wrong month.")
def test_the_time_of_payment_is_when_stripe_says_that_it_was_paid(deliver, pending):
    session = a_session(pending, **PAID)
    deliver(an_event(COMPLETED, session, created=int(NOW.timestamp())))
    assert Payment.objects.get(pk=pending.pk).paid_at == NOW
