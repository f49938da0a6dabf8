"""Giving money back: each refund is a row of its own (docs/rules.md, 12.9)."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.urls import reverse
from django.utils import timezone

from lms.models import Access
from payments.models import (
    Dispute,
    DisputeStatus,
    Payment,
    PaymentMove,
    Refund,
    RefundStatus,
    StripeLook,
)
from payments.provider import stripe
from payments.provider.reading import read_refund
from payments.provider.types import ProviderRefused, ProviderUnavailable, UnchargeableAmount
from payments.services import (
    catching_up,
    consistency,
    refunds,
    staff,
    stripe_events,
    transitions,
)
from payments.services.transitions import UnfitAmount
from payments.tasks import ask_about_refunds, catch_up_with_stripe
from payments.tests.events import a_refund, an_event
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory
from payments.tests.sandbox import Fault
from payments.tests.shop import events_of
from project.tests.transactions import WRITES, watched

pytestmark = pytest.mark.django_db

PRICE = Decimal(1990)
DAY = timedelta(days=1)


@pytest.fixture
def in_cash(administrator):
    return staff.confirm_payment(payment=PaymentFactory.create(), by=administrator, reason="came")


@pytest.fixture
def refund(administrator):
    def give_back(payment, amount=None, **options):
        amount = amount and Decimal(amount)
        return refunds.refund_payment(
            payment=payment, by=administrator, reason="asked to", amount=amount, **options
        )

    return give_back


def state(payment):
    payment.refresh_from_db()
    has_access = Access.objects.held_by(payment.payer).exists()
    return payment.status, payment.refunded_amount, has_access


@pytest.mark.reported("A part of the money was given back, and the whole course was taken.")
@pytest.mark.parametrize("where", ["bought", "in_cash"])
def test_parts_add_up_to_the_whole_and_only_the_whole_ends_the_access(request, refund, where):
    payment = request.getfixturevalue(where)
    refund(payment, "90")
    assert state(payment) == ("paid", 90, True)
    refund(payment, "1000.50")
    assert state(payment) == ("paid", Decimal("1090.50"), True)
    refund(payment)
    assert state(payment) == ("refunded", PRICE, False)
    amounts = payment.refunds.values_list("amount", "status")
    assert list(amounts) == [
        (90, "succeeded"),
        (Decimal("1000.50"), "succeeded"),
        (Decimal("899.50"), "succeeded"),
    ]
    assert PaymentMove.objects.filter(to_status="refunded").count() == 1


@pytest.mark.parametrize("where", ["bought", "in_cash"])
def test_a_part_ends_the_access_if_the_person_says_so(request, refund, where, api, learner):
    payment = request.getfixturevalue(where)
    refund(payment, "90", ends_access=True)
    assert state(payment) == ("paid", 90, False)
    # The thing can be bought again.
    if where == "bought":
        body = {"course_id": payment.course_id, "method": "cash"}
        assert api(learner).post("payments", body).status_code == 201


@pytest.mark.parametrize("where", ["bought", "in_cash"])
@pytest.mark.parametrize("amount", ["1990.01", "0", "-1"])
def test_no_more_goes_back_than_is_left(request, refund, where, amount):
    payment = request.getfixturevalue(where)
    with pytest.raises(refunds.TooMuch):
        refund(payment, Decimal(amount) if amount != "0" else Decimal("0.00"))
    refund(payment, "1000")
    with pytest.raises(refunds.TooMuch):
        refund(payment, "990.01")
    assert state(payment) == ("paid", 1000, True)


@pytest.mark.reported(
    "A refund that was pending was asked for again, and the money went back twice."
)
def test_what_is_under_way_is_not_given_back_twice(bought, refund, stripe_sandbox):
    stripe_sandbox.sandbox.refunds_wait = True
    first = refund(bought, "1900")
    assert (first.status, state(bought)) == ("requested", ("paid", 0, True))
    with pytest.raises(refunds.TooMuch):
        refund(bought, "91")
    # It is to end the access once it has succeeded.
    refund(bought, "90", ends_access=True)
    assert state(bought) == ("paid", 0, True)


def test_a_refund_under_way_counts_once_it_has_succeeded(bought, refund, deliver, stripe_sandbox):
    stripe_sandbox.sandbox.refunds_wait = True
    pending = refund(bought)
    stripe_sandbox.sandbox.settle_refund(pending.refund_id, succeeds=True)
    deliver(stripe_sandbox.events[-1])
    pending.refresh_from_db()
    assert (pending.status, state(bought)) == ("succeeded", ("refunded", PRICE, False))


@pytest.mark.reported(
    "A refund failed days later; the buyer had neither money nor course, and nobody knew."
)
def test_a_failed_refund_can_be_made_anew(bought, refund, deliver, stripe_sandbox):
    failed = refund(bought)
    stripe_sandbox.sandbox.settle_refund(failed.refund_id, succeeds=False)
    deliver(stripe_sandbox.events[-1])
    assert state(bought) == ("paid", 0, True)
    refund(bought)
    assert state(bought) == ("refunded", PRICE, False)
    statuses = bought.refunds.values_list("status", "failure")
    assert list(statuses) == [("failed", "lost_or_stolen_card"), ("succeeded", "")]


def lose_answers(stripe_sandbox, kind="drop_after"):
    """The first try goes wrong like this, and those that the SDK makes by itself don't get through."""
    faults = [Fault(kind, "create_refund"), Fault("drop", "create_refund", times=2)]
    stripe_sandbox.api.faults.extend(faults)


@pytest.mark.reported("A time-out while refunding, the second click, two refunds.")
@pytest.mark.parametrize("kind", ["drop", "drop_after", "error", "unavailable"])
def test_another_try_after_no_answer_is_the_same_refund(bought, refund, stripe_sandbox, kind):
    lose_answers(stripe_sandbox, kind)
    with pytest.raises(ProviderUnavailable):
        refund(bought, "500")
    assert state(bought) == ("paid", 0, True)
    with pytest.raises(refunds.RefundUnanswered):
        refund(bought, "400")
    for _try in range(3):
        try:
            refund(bought, "500")
        except ProviderUnavailable:
            assert kind == "error", "Stripe says an old failure again"
    assert state(bought)[1] >= 500
    made = stripe_sandbox.sandbox.all("refund")
    assert len(made) == bought.refunds.count() == bought.refunded_amount / 500


@pytest.mark.reported(
    "Stripe made the refund, its answer was lost, and the shop still showed the payment as paid."
)
def test_what_stripe_did_without_its_answer_coming_through_is_found(bought, refund, stripe_sandbox):
    lose_answers(stripe_sandbox)
    with pytest.raises(ProviderUnavailable):
        refund(bought)
    assert state(bought) == ("paid", 0, True)
    assert catch_up_with_stripe() == {"events": 3, "events_missed": 3}
    assert state(bought) == ("refunded", PRICE, False)
    assert bought.refunds.get().by is not None


@pytest.mark.reported("Refunds made in Stripe's dashboard were missing in the shop's books.")
def test_refunds_of_stripes_dashboard_are_rows_like_the_others(bought, stripe_sandbox):
    for amount in ("50000", "149000"):
        stripe_sandbox.sandbox.create_refund(
            {"payment_intent": bought.payment_intent_id, "amount": amount}
        )
    ask_about_refunds(bought.pk)
    assert state(bought) == ("refunded", PRICE, False)
    assert set(bought.refunds.values_list("amount", "by")) == {(500, None), (1490, None)}
    ask_about_refunds(bought.pk)
    assert bought.refunds.count() == 2


@pytest.mark.reported("A refund timed out, was made in Stripe's dashboard, and the access stayed.")
def test_a_refund_of_the_dashboard_takes_the_place_of_one_without_an_answer(
    bought, refund, deliver, stripe_sandbox
):
    lose_answers(stripe_sandbox, "drop")
    with pytest.raises(ProviderUnavailable):
        refund(bought)
    stripe_sandbox.sandbox.create_refund(
        {"payment_intent": bought.payment_intent_id, "amount": "199000"}
    )
    [event] = events_of(stripe_sandbox, "refund.created")
    deliver(event)
    assert state(bought) == ("refunded", PRICE, False)
    rows = bought.refunds.values_list("status", "failure")
    assert list(rows) == [("failed", "charge_already_refunded"), ("succeeded", "")]


@pytest.mark.reported("Days after a time-out the refund was tried again, and made a second time.")
@pytest.mark.parametrize(
    ("amount", "status", "days"),
    [("500", "paid", 3), (None, "refunded", 3), (None, "refunded", 0)],
)
def test_a_refund_is_known_again_when_stripe_has_forgotten_its_key(
    bought, refund, stripe_sandbox, amount, status, days
):
    lose_answers(stripe_sandbox)
    with pytest.raises(ProviderUnavailable):
        refund(bought, amount)
    bought.refunds.update(created_at=timezone.now() - timedelta(days=days))
    stripe_sandbox.api._kept.clear()
    assert refund(bought, amount).status == "succeeded"
    assert state(bought)[0] == status
    assert len(stripe_sandbox.sandbox.all("refund")) == bought.refunds.count() == 1


@pytest.mark.reported(
    "A refund that timed out and was never made blocked every other refund for ever."
)
@pytest.mark.parametrize("how", ["night", "click"])
def test_a_refund_that_stripe_never_made_is_given_up_when_its_key_is_old(
    bought, refund, stripe_sandbox, how
):
    lose_answers(stripe_sandbox, "drop")
    with pytest.raises(ProviderUnavailable):
        refund(bought, "500")
    lost = bought.refunds.get()
    # Until then it may be asked for again by its key.
    consistency.compare_with_stripe([bought.pk], fix=True)
    lost.refresh_from_db()
    assert lost.status == "requested"
    bought.refunds.update(created_at=timezone.now() - refunds.KEYS_LAST - timedelta(minutes=1))
    consistency.check_payments(at=timezone.now() + timedelta(days=1))
    assert bought.findings.open().get().kind == "refund_unanswered"
    if how == "night":
        consistency.compare_with_stripe([bought.pk], fix=True)
    made = refund(bought, "600" if how == "night" else "500")
    lost.refresh_from_db()
    assert (lost.status, lost.failure_in_words) == ("failed", "Stripe has never made it")
    assert (made.status, made.pk != lost.pk, made.token != lost.token) == ("succeeded", True, True)
    assert len(stripe_sandbox.sandbox.all("refund")) == 1
    assert not bought.findings.open().exists()


def test_a_list_that_does_not_come_gives_no_refund_up(bought, refund, stripe_sandbox):
    lose_answers(stripe_sandbox, "drop")
    with pytest.raises(ProviderUnavailable):
        refund(bought, "500")
    bought.refunds.update(created_at=timezone.now() - timedelta(days=3))
    stripe_sandbox.api.faults.append(Fault("unavailable", "list_refunds", times=9))
    with pytest.raises(ProviderUnavailable):
        refund(bought, "500")
    assert bought.refunds.get().status == "requested"


@pytest.mark.parametrize("end", ["succeeded", "pending", "failed"])
def test_stripes_word_about_a_refund_that_was_given_up_is_the_last(bought, deliver, end):
    given_up = RefundFactory.create(
        payment=bought, amount=500, status="failed", failure="never_made", settled_at=timezone.now()
    )
    metadata = {"refund_token": str(given_up.token)}
    made = a_refund(bought, amount=50_000, status=end, metadata=metadata)
    deliver(an_event("refund.updated", made))
    given_up.refresh_from_db()
    assert given_up.status == {"pending": "requested"}.get(end, end)
    assert (given_up.refund_id, bought.refunds.count()) == (made["id"], 1)
    assert state(bought) == ("paid", 500 if end == "succeeded" else 0, True)


def test_a_refund_that_took_the_place_of_a_failed_one_is_heard_of_at_once(bought, stripe_sandbox):
    form = {"payment_intent": bought.payment_intent_id, "amount": "199000"}
    failed = stripe_sandbox.sandbox.create_refund(form)
    ask_about_refunds(bought.pk)
    stripe_sandbox.sandbox.settle_refund(failed["id"], succeeds=False)
    stripe_sandbox.sandbox.create_refund(form)
    ask_about_refunds(bought.pk)
    assert state(bought) == ("refunded", PRICE, False)


@pytest.mark.reported(
    "A refund in the place of one that had failed was dropped as more than was paid."
)
def test_the_event_of_a_refund_tells_of_the_failure_that_made_room_for_it(
    bought, deliver, run_worker, stripe_sandbox
):
    form = {"payment_intent": bought.payment_intent_id, "amount": "199000"}
    failed = stripe_sandbox.sandbox.create_refund(form)
    run_worker(lambda: deliver(stripe_sandbox.events[-2]))
    stripe_sandbox.sandbox.settle_refund(failed["id"], succeeds=False)
    made = stripe_sandbox.sandbox.create_refund(form)
    run_worker(lambda: deliver(stripe_sandbox.events[-2]))
    known = bought.refunds.values_list("refund_id", "status")
    assert dict(known) == {failed["id"]: "failed", made["id"]: "succeeded"}
    assert state(bought) == ("refunded", PRICE, False)
    assert not bought.findings.open().exists()


def test_a_refund_that_failed_before_we_heard_of_it_needs_no_room(
    bought, refund, run_worker, stripe_sandbox
):
    form = {"payment_intent": bought.payment_intent_id, "amount": "199000"}
    failed = stripe_sandbox.sandbox.create_refund(form)
    stripe_sandbox.sandbox.settle_refund(failed["id"], succeeds=False)
    made = refund(bought)
    run_worker(catch_up_with_stripe)
    known = bought.refunds.values_list("refund_id", "status")
    assert dict(known) == {failed["id"]: "failed", made.refund_id: "succeeded"}
    assert state(bought) == ("refunded", PRICE, False)
    assert not bought.findings.open().exists()


def test_money_that_there_is_not_is_given_back_by_nobody(administrator):
    payment = PaymentFactory.create(paid=True, currency="JPY")
    give_back = {"payment": payment, "by": administrator, "reason": "so"}
    with pytest.raises(UnfitAmount):
        refunds.refund_payment(amount=Decimal("0.50"), **give_back)
    assert not payment.refunds.exists()
    assert refunds.refund_payment(amount=Decimal(500), **give_back).status == "succeeded"
    give_back["payment"] = PaymentFactory.create(paid=True, currency="XTS")
    assert refunds.refund_payment(amount=Decimal("0.50"), **give_back).status == "succeeded"


def test_what_stripe_cannot_be_asked_for_leaves_no_refund_behind(bought, refund):
    Payment.objects.update(currency="JPY")
    bought.refresh_from_db()
    with pytest.raises(UnchargeableAmount):
        refund(bought, "0.50")
    assert not bought.refunds.exists()


def test_who_tries_again_decides_about_the_access_and_gets_no_less_than_asked_for(
    bought, refund, stripe_sandbox
):
    lose_answers(stripe_sandbox, "drop")
    with pytest.raises(ProviderUnavailable):
        refund(bought, "500")
    with pytest.raises(refunds.RefundUnanswered):
        refund(bought)
    refund(bought, "500", ends_access=True)
    assert state(bought) == ("paid", 500, False)


def test_a_refund_that_fails_at_once_is_not_said_to_be_made(bought, refund, monkeypatch):
    def fail(*, refund_token, **_asked):
        metadata = {"refund_token": refund_token}
        return read_refund(a_refund(bought, status="failed", metadata=metadata))

    monkeypatch.setattr(stripe, "refund", fail)
    with pytest.raises(ProviderRefused):
        refund(bought)
    assert state(bought) == ("paid", 0, True)


@pytest.mark.parametrize("how", ["event", "night"])
@pytest.mark.parametrize("named", [True, False])
def test_a_refund_that_failed_gives_everything_back_however_it_is_heard_of(
    bought, refund, deliver, stripe_sandbox, how, named
):
    """Refunds of before they had rows have no name."""
    made = refund(bought)
    stripe_sandbox.sandbox.settle_refund(made.refund_id, succeeds=False)
    if not named:
        bought.refunds.update(refund_id="", token=uuid4())
    if how == "event":
        deliver(stripe_sandbox.events[-1])
    else:
        consistency.compare_with_stripe([bought.pk], fix=True)
    assert state(bought) == ("paid", 0, True)
    # Nobody of the staff wanted that.
    back = bought.moves.latest("pk")
    assert (back.by, back.reason) == (None, f"refund: {made.refund_id}, failed")


def test_refunds_that_stripe_does_not_list_are_no_end_of_the_night(bought, monkeypatch):
    RefundFactory.create(payment=bought, status=RefundStatus.REQUESTED)

    def refuse(_intent):
        raise ProviderRefused("resource_missing")

    monkeypatch.setattr(stripe, "list_refunds", refuse)
    consistency.compare_with_stripe([bought.pk], fix=True)
    assert bought.findings.get().kind == "unknown_at_stripe"


@pytest.mark.parametrize(
    ("status", "stands"),
    [
        ("warning_needs_response", False), ("warning_under_review", False),
        ("warning_closed", False), ("needs_response", True), ("under_review", True),
        ("prevented", False), ("won", False), ("lost", True), ("other", True),
    ],
)  # fmt: skip
def test_a_dispute_hinders_a_refund_unless_it_only_asks_or_came_to_nothing(
    in_cash, refund, status, stands
):
    DisputeFactory.create(payment=in_cash, status=status)
    if stands:
        with pytest.raises(refunds.PaymentDisputed):
            refund(in_cash)
    else:
        refund(in_cash)
    assert state(in_cash)[0] == ("paid" if stands else "refunded")


def test_of_several_reasons_against_a_refund_the_first_is_told(in_cash, refund, bought):
    waiting = PaymentFactory.create()
    for payment in (in_cash, waiting, bought):
        DisputeFactory.create(payment=payment)
    with pytest.raises(transitions.IllegalMove):
        refund(waiting, "5000")
    RefundFactory.create(payment=bought, amount=500, status="requested")
    for payment in (in_cash, bought):
        with pytest.raises(refunds.PaymentDisputed):
            refund(payment, "5000")
    Dispute.objects.update(status="won")
    with pytest.raises(refunds.RefundUnanswered):
        refund(bought, "5000")
    with pytest.raises(refunds.TooMuch):
        refund(in_cash, "5000")


@pytest.mark.parametrize("status", DisputeStatus.values)
def test_a_dispute_is_to_be_answered_while_the_bank_waits_for_evidence(in_cash, status):
    dispute = DisputeFactory.create(payment=in_cash, status=status)
    asks = status in {"warning_needs_response", "needs_response"}
    assert Dispute.objects.to_answer().exists() == asks
    assert dispute.waits_for_us == (asks or status == "other")


def test_a_disputed_payment_is_not_refunded(bought, refund, stripe_sandbox):
    dispute = DisputeFactory.create(payment=bought)
    asked = len(stripe_sandbox.api.calls)
    with pytest.raises(refunds.PaymentDisputed):
        refund(bought)
    assert len(stripe_sandbox.api.calls) == asked
    dispute.status = "won"
    dispute.save()
    refund(bought)
    assert state(bought)[0] == "refunded"


@pytest.mark.reported(
    "An inquiry of the bank kept the shop from the refund that would have answered it."
)
@pytest.mark.parametrize("status", ["warning_needs_response", "warning_under_review"])
def test_a_refund_may_answer_the_question_of_a_bank(
    bought, client_of, administrator, deliver, stripe_sandbox, status
):
    [charge] = stripe_sandbox.sandbox.all("charge")
    dispute = stripe_sandbox.sandbox.open_dispute(charge["id"], status=status)
    deliver(stripe_sandbox.events[-1])
    address = reverse("admin:payments_payment_refund", args=[bought.pk])
    client_of(administrator).post(address, {"reason": "asked for", "typed": bought.payer.email})
    assert state(bought) == ("refunded", PRICE, False)
    stripe_sandbox.sandbox.change_dispute(dispute["id"], "warning_closed")
    deliver(stripe_sandbox.events[-1])
    assert state(bought) == ("refunded", PRICE, False)


@pytest.mark.reported('A disputed charge can\'t be refunded, and the shop said "try again later".')
def test_what_stripe_refuses_is_kept_with_its_reason(bought, refund, stripe_sandbox):
    """A dispute that we did not hear of."""
    [charge] = stripe_sandbox.sandbox.all("charge")
    stripe_sandbox.sandbox.open_dispute(charge["id"])
    with pytest.raises(ProviderRefused), watched() as noted:
        refund(bought)
    assert [sql for sql, block in noted if sql.startswith(WRITES) and block is None] == []
    assert state(bought) == ("paid", 0, True)
    assert bought.refunds.values_list("status", "failure").get() == ("failed", "charge_disputed")


# --- A confirmation that was a mistake ---


def test_an_undone_confirmation_is_a_correction_and_no_refund(in_cash, administrator):
    staff.undo_confirmation(payment=in_cash, by=administrator, reason="Another Lev")
    assert state(in_cash) == ("pending", 0, False)
    assert (in_cash.paid_at, Refund.objects.count()) == (None, 0)
    move = in_cash.moves.last()
    assert (move.from_status, move.to_status, move.by) == ("paid", "pending", administrator)
    staff.confirm_payment(payment=in_cash, by=administrator, reason="Now it came")
    assert state(in_cash) == ("paid", 0, True)


def test_only_a_paid_offline_payment_that_kept_its_money_is_corrected(administrator, in_cash):
    RefundFactory.create(payment=in_cash, status=RefundStatus.SUCCEEDED)
    for payment, error in (
        (in_cash, transitions.IllegalMove),
        (PaymentFactory.create(), transitions.IllegalMove),
        (PaymentFactory.create(refunded=True), transitions.IllegalMove),
        (PaymentFactory.create(paid=True, method="stripe"), staff.NotOffline),
    ):
        before = payment.status
        with pytest.raises(error):
            staff.undo_confirmation(payment=payment, by=administrator, reason="?")
        payment.refresh_from_db()
        assert payment.status == before


# --- What no webhook told ---


@pytest.mark.reported(
    "The webhook was down for a day, and what Stripe told meanwhile was never heard."
)
def test_lost_events_are_made_good_at_night(api, learner, buy, stripe_sandbox):
    payment = Payment.objects.get(pk=buy().json()["id"])
    session = stripe_sandbox.sandbox.pay(payment.session_id)
    stripe_sandbox.sandbox.create_refund(
        {"payment_intent": session["payment_intent"], "amount": "50000"}
    )
    [charge] = stripe_sandbox.sandbox.all("charge")
    dispute = stripe_sandbox.sandbox.open_dispute(charge["id"])
    stripe_sandbox.sandbox.change_dispute(dispute["id"], "lost")
    look = catching_up.catch_up()
    assert look.missed == look.events == 5
    assert state(payment) == ("paid", 500, False)
    assert payment.disputes.get().status == "lost"
    again = catching_up.catch_up()
    assert (again.missed, again.events) == (0, 5)
    assert api(learner).get(f"payments/{payment.pk}").json()["is_disputed"] is True


def test_a_short_look_leaves_no_gap_before_the_nightly_one(stripe_sandbox):
    now = timezone.now()
    catching_up.catch_up(since=now)
    assert not StripeLook.objects.exists()
    catching_up.catch_up(at=now - timedelta(hours=20))
    catching_up.catch_up(since=now)
    catching_up.catch_up(since=now - timedelta(hours=22))
    assert StripeLook.objects.count() == 2


@pytest.mark.parametrize(
    ("last", "told", "is_heard_of"),
    [
        # Another look began so long ago, and the event is so old.
        (timedelta(hours=20), timedelta(hours=20, minutes=59), True),
        (timedelta(hours=20), timedelta(hours=21, minutes=1), False),
        (timedelta(days=29), timedelta(days=28), True),
        (None, timedelta(days=29, hours=23), True),
        (None, timedelta(days=30, minutes=1), False),
        (timedelta(days=90), timedelta(days=30, minutes=1), False),
    ],
)
def test_a_look_begins_an_hour_before_the_last_one_and_goes_back_thirty_days(
    buy, stripe_sandbox, last, told, is_heard_of
):
    now = timezone.now()
    payment = Payment.objects.get(pk=buy().json()["id"])
    stripe_sandbox.sandbox.pay(payment.session_id)
    for event in stripe_sandbox.events:
        kept = stripe_sandbox.sandbox._kept["objects"][event["id"]]
        kept["created"] = int((now - told).timestamp())
    if last:
        StripeLook.objects.create(
            started_at=now - last, livemode=False, account_id=stripe.ask_account().id
        )
    look = catching_up.catch_up(at=now)
    assert (look.events > 0) is (look.missed > 0) is is_heard_of
    assert state(payment)[0] == ("paid" if is_heard_of else "pending")


def test_a_look_says_when_and_where_it_was(stripe_sandbox):
    now = timezone.now()
    catching_up.catch_up(at=now)
    kept = StripeLook.objects.get()
    account = stripe.ask_account()
    assert (kept.started_at, kept.livemode, kept.account_id) == (now, False, account.id)
    assert account.id


def test_a_look_asks_for_all_that_moves_money(stripe_sandbox):
    catching_up.catch_up()
    asked = next(call for call in stripe_sandbox.api.calls if call.operation == "list_events")
    assert set(asked.form["types"]) == {
        "checkout.session.completed", "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed", "checkout.session.expired", "charge.refunded",
        "refund.created", "refund.updated", "refund.failed", "charge.dispute.created",
        "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }  # fmt: skip


def test_an_event_that_cannot_be_applied_does_not_hold_up_those_after_it(
    buy, stripe_sandbox, monkeypatch
):
    payment = Payment.objects.get(pk=buy().json()["id"])
    stripe_sandbox.sandbox.pay(payment.session_id)
    [charge] = stripe_sandbox.sandbox.all("charge")
    stripe_sandbox.sandbox.open_dispute(charge["id"])
    apply = stripe_events.apply_event
    refused: list[object] = []

    def refuse_the_first(event, *, source):
        if not refused:
            refused.append(event)
            raise IntegrityError
        return apply(event, source=source)

    monkeypatch.setattr(catching_up, "apply_event", refuse_the_first)
    first = catching_up.catch_up()
    assert 0 < first.missed < first.events
    assert not StripeLook.objects.exists()
    catching_up.catch_up()
    assert state(payment)[0] == "paid"
    assert StripeLook.objects.exists()


def test_what_a_refund_says_of_its_intent_is_kept_so_that_the_rest_goes_back_by_stripe(
    buy, deliver, refund, stripe_sandbox
):
    """After a backup was put back: of the payment we know the page."""
    payment = Payment.objects.get(pk=buy().json()["id"])
    session = stripe_sandbox.sandbox.pay(payment.session_id)
    form = {"payment_intent": session["payment_intent"], "amount": "50000"}
    metadata = {"payment_id": str(payment.token)}
    stripe_sandbox.sandbox.create_refund(form | {"metadata": metadata})
    deliver(next(event for event in stripe_sandbox.events if event["type"] == "refund.created"))
    payment.refresh_from_db()
    refund(payment)
    assert len(stripe_sandbox.sandbox.all("refund")) == 2


@pytest.mark.reported("A refund's event came before the payment's and was dropped as unknown.")
def test_an_event_that_came_before_its_intent_was_known_is_read_again(
    buy, deliver, run_worker, stripe_sandbox
):
    payment = Payment.objects.get(pk=buy().json()["id"])
    session = stripe_sandbox.sandbox.pay(payment.session_id)
    [charge] = stripe_sandbox.sandbox.all("charge")
    dispute = stripe_sandbox.sandbox.open_dispute(charge["id"])
    stripe_sandbox.sandbox.change_dispute(dispute["id"], "lost")
    early = [event for event in stripe_sandbox.events if "dispute" in event["type"]]
    late = [event for event in stripe_sandbox.events if "session" in event["type"]]
    StripeLook.objects.create(started_at="2100-01-01T00:00Z")
    for event in [*early, *late]:
        run_worker(lambda event=event: deliver(event))
    assert session["payment_intent"]
    assert payment.disputes.get().status == "lost"
    assert state(payment) == ("paid", 0, False)
