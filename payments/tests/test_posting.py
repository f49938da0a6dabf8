"""Each door through which money moves posts it once, on the day on which it moved (docs/rules.md,
12.26)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module

import pytest
import time_machine
from django.apps import apps
from django.core.management import call_command

from payments.models import ClosedMonth, Dispute, Finding, LedgerEntry, MoveSource, Payment, Refund
from payments.services import consistency, ledger, refunds, staff
from payments.services.transitions import IllegalMove
from payments.tests.events import a_dispute, a_refund, a_session, an_event
from payments.tests.factories import ClosedMonthFactory, DisputeFactory, PaymentFactory
from people.services import accounts
from people.services.books import forget_old_payments

pytestmark = pytest.mark.django_db

# Late in the evening, when it is the next day in Moscow.
EVENING = datetime(2026, 10, 31, 21, 30, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST, SECOND, THIRD = (date(2026, 11, day) for day in (1, 2, 3))


def entries(payment):
    """What is posted: kind, amount, day."""
    rows = payment.entries.order_by("pk").values_list("kind", "amount", "day")
    return [(kind, int(amount), day) for kind, amount, day in rows]


@pytest.fixture
def clock():
    with time_machine.travel(EVENING, tick=False) as moving:
        yield moving


def test_cash_is_posted_when_it_is_confirmed_and_taken_back_when_that_is_undone(
    clock, administrator
):
    payment = PaymentFactory.create()
    decide = {"payment": payment, "by": administrator, "reason": "so"}
    staff.confirm_payment(**decide)
    came = [("payment", 1990, FIRST)]
    assert entries(payment) == came
    clock.shift(DAY)
    staff.undo_confirmation(**decide)
    # It never came on that day.
    assert entries(payment) == [*came, ("payment", -1990, FIRST)]
    staff.confirm_payment(**decide)
    assert entries(payment)[2:] == [("payment", 1990, SECOND)]


def test_what_was_lost_in_a_dispute_did_come(administrator, client_of):
    payment = PaymentFactory.create(paid=True)
    DisputeFactory.create(payment=payment, status="lost")
    with pytest.raises(IllegalMove):
        staff.undo_confirmation(payment=payment, by=administrator, reason="so")
    page = client_of(administrator).get(f"/admin/payments/payment/{payment.pk}/change/")
    assert "undo-confirmation" not in page.text.replace("_", "-")


def test_each_refund_is_posted_on_the_day_it_was_given(clock, administrator):
    payment = PaymentFactory.create(paid=True)
    give_back = {"payment": payment, "by": administrator, "reason": "asked to"}
    clock.shift(DAY)
    refunds.refund_payment(amount=Decimal(500), **give_back)
    clock.shift(DAY)
    refunds.refund_payment(**give_back)
    assert entries(payment) == [
        ("payment", 1990, FIRST),
        ("refund", -500, SECOND),
        ("refund", -1490, THIRD),
    ]


def test_stripe_tells_of_money_refunds_and_disputes_each_posted_once(clock, deliver):
    payment = PaymentFactory.create(method="stripe", session_id="cs_1")
    paid = a_session(payment, payment_status="paid", status="complete", payment_intent="pi_1")
    payment.payment_intent_id = "pi_1"

    def tell(kind, subject):
        event = an_event(kind, subject)
        assert [deliver(event).status_code for _time in range(2)] == [200, 200]
        assert deliver(event | {"id": f"{event['id']}_again"}).status_code == 200

    tell("checkout.session.completed", paid)
    came = [("payment", 1990, FIRST)]
    assert entries(payment) == came
    refund = a_refund(payment, amount=50_000, status="pending")
    tell("refund.created", refund)
    assert entries(payment) == came
    clock.shift(DAY)
    tell("refund.updated", refund | {"status": "succeeded"})
    went = [*came, ("refund", -500, SECOND)]
    assert entries(payment) == went
    clock.shift(DAY)
    tell("refund.failed", refund | {"status": "failed"})
    back = [*went, ("refund", 500, THIRD)]
    assert entries(payment) == back
    dispute = a_dispute(payment, status="needs_response")
    tell("charge.dispute.created", dispute)
    assert entries(payment) == back
    clock.shift(DAY)
    tell("charge.dispute.closed", dispute | {"status": "lost"})
    clock.shift(DAY)
    tell("charge.dispute.closed", dispute | {"status": "won"})
    fourth, fifth = date(2026, 11, 4), date(2026, 11, 5)
    assert entries(payment) == [*back, ("dispute", -1990, fourth), ("dispute", 1990, fifth)]


def test_refunds_that_are_told_late_and_in_any_order_are_posted_on_their_days(clock, deliver):
    payment = PaymentFactory.create(method="stripe", payment_intent_id="pi_1", paid=True)
    events = []
    for amount in (50_000, 20_000, 20_000):
        clock.shift(DAY)
        events.append(
            an_event("refund.updated", a_refund(payment, amount=amount, status="succeeded"))
        )
    clock.shift(DAY)
    for event in (events[2], events[0], events[1]):
        assert deliver(event).status_code == 200
    assert entries(payment)[1:] == [
        ("refund", -200, date(2026, 11, 4)),
        ("refund", -500, SECOND),
        ("refund", -200, THIRD),
    ]


def test_a_refund_that_only_a_question_tells_of_is_posted_on_the_day_it_was_made(
    clock, bought, stripe_sandbox
):
    intent = {"payment_intent": bought.payment_intent_id}
    stripe_sandbox.sandbox.create_refund(intent | {"amount": "50000"})
    clock.shift(DAY)
    refunds.ask_about_refunds(bought, source=MoveSource.RECONCILIATION)
    assert entries(bought)[1:] == [("refund", -500, FIRST)]


def test_the_sum_that_staff_accept_for_another_is_posted(clock, administrator):
    payment = PaymentFactory.create(
        method="stripe", status="processing", received_amount=2388, received_currency="EUR"
    )
    staff.accept_amount(payment=payment, by=administrator, reason="Tax")
    assert entries(payment) == [("payment", 2388, FIRST)]
    assert payment.entries.get().currency == "EUR"


@pytest.mark.parametrize("command", ["load_payments", "loaddata"])
def test_what_comes_from_another_book_is_posted_by_its_days(command):
    call_command("loaddata", "groups", "demo", verbosity=0)
    Payment.objects.all().delete()
    LedgerEntry.objects.all().delete()
    for _time in range(2):
        call_command(command, *(["payments"] if command == "loaddata" else []), verbosity=0)
    posted = {
        (payment.external_id or "")[-2:]: entries(payment)
        for payment in Payment.objects.filter(
            external_id__startswith="LEDGER", paid_at__gt=EVENING - 30 * DAY
        )
    }
    assert posted["01"] == [("payment", 3500, date(2026, 10, 6))]
    assert posted["03"][0] == ("payment", 1500, date(2026, 10, 19))
    assert [entry[:2] for entry in posted["03"][1:]] == [("refund", -1500)]
    assert len(posted) == 6
    assert not Payment.objects.unlike_ledger().exists()


def test_a_dump_brings_its_own_entries_and_closed_months(clock, administrator, tmp_path):
    payment = PaymentFactory.create(paid=True)
    november = ClosedMonthFactory.create(month=FIRST)
    LedgerEntry.objects.update(closed_in=november)
    refunds.refund_payment(payment=payment, by=administrator, reason="so", amount=Decimal(500))
    before = list(LedgerEntry.objects.order_by("pk").values())
    dump = tmp_path / "book.json"
    call_command("dumpdata", "payments", output=str(dump), verbosity=0)
    for model in (LedgerEntry, ClosedMonth, Payment):
        model.objects.all().delete()
    call_command("loaddata", str(dump), verbosity=0)
    assert list(LedgerEntry.objects.order_by("pk").values()) == before


def test_posting_again_posts_nothing(clock, administrator):
    payment = PaymentFactory.create(paid=True)
    refunds.refund_payment(payment=payment, by=administrator, reason="so", amount=Decimal("0.10"))
    before = list(LedgerEntry.objects.values())
    ledger.post(Payment.objects.get(pk=payment.pk))
    migrate()
    assert list(LedgerEntry.objects.values()) == before


def test_entries_stay_when_the_books_are_forgotten(settings):
    payment = PaymentFactory.create(paid=True, created_at=EVENING - 2 * settings.BOOKS_KEPT)
    accounts.erase_account(user=payment.payer)
    assert forget_old_payments() == 1
    entry = LedgerEntry.objects.get()
    assert (entry.payment, entry.amount) == (None, payment.amount)


def migrate():
    module = import_module("payments.migrations.0031_post_what_is_there")
    module.post_what_is_there(apps, None)


def as_an_old_process_leaves_it(clock, administrator):
    """Payments as they stand, with nothing in the ledger."""
    payment = PaymentFactory.create(method="stripe", paid=True)
    clock.shift(DAY)
    give_back = {"payment": payment, "by": administrator, "reason": "so"}
    refunds.refund_payment(amount=Decimal(500), **give_back)
    clock.shift(DAY)
    refunds.refund_payment(amount=Decimal(200), **give_back)
    Refund.objects.create(payment=payment, amount=7, status="failed", settled_at=EVENING)
    dispute = {"currency": "RUB", "amount": 90, "told_at": EVENING + 5 * DAY}
    for status in ("lost", "won"):
        Dispute.objects.create(payment=payment, dispute_id=status, status=status, **dispute)
    # From a fixture of old.
    nameless = PaymentFactory.create(refunded=True)
    PaymentFactory.create()
    LedgerEntry.objects.all().delete()
    return payment, nameless


@pytest.mark.parametrize("how", ["the migration", "the night"])
def test_what_was_not_posted_is_posted_on_its_days(clock, administrator, how):
    payment, nameless = as_an_old_process_leaves_it(clock, administrator)
    if how == "the night":
        consistency.check_payments(fix=True)
        found = Finding.objects.filter(kind="ledger_differs")
        assert sorted(found.values_list("payment", "status")) == [
            (payment.pk, "repaired"),
            (nameless.pk, "repaired"),
        ]
    else:
        migrate()
    assert sorted(entries(payment)) == [
        ("dispute", -90, date(2026, 11, 6)),
        ("payment", 1990, FIRST),
        ("refund", -500, SECOND),
        ("refund", -200, THIRD),
    ]
    assert sorted(entries(nameless)) == [("payment", 1990, THIRD), ("refund", -1990, THIRD)]
    assert not Payment.objects.unlike_ledger().exists()


@pytest.mark.parametrize("change", [{"amount": 1}, {"kind": "dispute"}, {"payment": None}])
def test_the_check_finds_each_kind_that_does_not_add_up(administrator, change):
    others = PaymentFactory.create_batch(2, paid=True)
    payment = PaymentFactory.create(paid=True)
    refunds.refund_payment(payment=payment, by=administrator, reason="so", amount=Decimal("0.30"))
    assert not Payment.objects.unlike_ledger().exists()
    payment.entries.filter(kind="refund").update(**change)
    assert list(Payment.objects.unlike_ledger()) == [payment]
    consistency.check_payments(fix=True)
    assert not Payment.objects.unlike_ledger().exists()
    assert all(one.entries.count() == 1 for one in others)


def test_what_is_undone_after_its_month_was_closed_leaves_the_month_alone(clock, administrator):
    payment = PaymentFactory.create()
    decide = {"payment": payment, "by": administrator, "reason": "so"}
    staff.confirm_payment(**decide)
    november = ClosedMonthFactory.create(month=FIRST)
    LedgerEntry.objects.update(closed_in=november)
    clock.shift(40 * DAY)
    staff.undo_confirmation(**decide)
    december = date(2026, 12, 1)
    assert entries(payment)[1:] == [("payment", -1990, FIRST)]
    counted = [LedgerEntry.objects.counted_in(month) for month in (FIRST, december)]
    assert [[one.amount for one in entries] for entries in counted] == [[1990], [-1990]]
