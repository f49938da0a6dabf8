"""A random walk: people buy, pay, get their money back and dispute it, in the live and in the test mode,
while the key is of one of them, answers of Stripe are lost, and events are lost, late and doubled.
Access and the ledger follow from the rows at each step, closed months stay as they were, what is wrong is
named, and after a night with the key of a mode nothing is left of what was lost in it."""

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from lms.models import Access
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import (
    ClosedMonth,
    Finding,
    LedgerEntry,
    Payment,
    PaymentMethod,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from payments.models.ledger import DaySum, month_after, month_of
from payments.models.states import OPEN_STATUSES
from payments.provider import stripe
from payments.provider.types import ProviderError
from payments.services import books, closing, consistency, refunds, staff
from payments.services.importing.loading import import_payments
from payments.services.importing.rows import Row
from payments.services.stripe_events import status_of
from payments.stripe_sandbox.forms import StripeFault
from payments.tasks import catch_up_with_stripe, check_payments, reconcile_payments
from payments.tests.sandbox import Fault, FaultKind
from people.services import accounts
from people.tests.factories import UserFactory
from project.common.errors import DomainError

pytestmark = pytest.mark.django_db

STEPS = 200
PRICE = Decimal("1990.00")
# What a step may be refused with: somebody asks for what can't be done now.
REFUSED = (DomainError, ProviderError, StripeFault)
# What happens there happens in either mode, whatever our key is of.
AT_STRIPE = {
    "pay", "pay_later", "refund_in_the_dashboard", "settle_refund", "fail_refund", "dispute", "decide",
}  # fmt: skip
# What only a person can do something about, or time.
NEEDS_A_PERSON = {"paid_twice", "open_too_long", "processing_too_long", "refund_failed"}
WAITS = {"other_mode", "refund_unanswered"}


class Walk:
    """The school, its Stripe, and the events that are on their way."""

    def __init__(
        self, *, seed, clock, api, deliver, run_worker, stripe_sandbox, switch_mode, administrator
    ):
        self.chance = random.Random(seed)
        self.clock = clock
        self.switch_mode = switch_mode
        self.api = api
        self.deliver = deliver
        self.run_worker = run_worker
        self.server = stripe_sandbox
        self.sandbox = stripe_sandbox.sandbox
        self.administrator = administrator
        self.people = UserFactory.create_batch(4)
        courses = CourseFactory.create_batch(2, published=True, price=PRICE)
        lessons = [LessonFactory.create(course=course, price=PRICE / 2) for course in courses]
        self.targets = [{"course_id": course.pk} for course in courses]
        self.targets += [{"lesson_id": lesson.pk} for lesson in lessons]
        self.taken = self.imported = 0
        self.done: Counter[str] = Counter()
        self.closed: dict[date, list[DaySum]] = {}

    def any_of(self, rows):
        rows = list(rows)
        return self.chance.choice(rows) if rows else None

    def any_made(self, kind, **fields):
        made = self.sandbox.all(kind)
        return self.any_of(
            one for one in made if all(one[name] == value for name, value in fields.items())
        )

    def step(self):
        name = self.chance.choice(
            ["buy"] * 5 + ["pay"] * 3 + ["pay_later", "tell", "tell", "tell", "ask_the_status"]
            + ["confirm", "reject", "undo", "refund", "refund_a_part", "refund_in_the_dashboard"]
            + ["settle_refund", "fail_refund", "dispute", "decide", "let_time_pass", "reconcile"]
            + ["change_how_banks_are", "erase", "night", "lose_an_answer"]
            + ["lose_an_access", "import_from_another_book", "close_a_month"] + ["switch_key"] * 3
        )  # fmt: skip
        ours = self.sandbox.livemode
        if name in AT_STRIPE and self.chance.random() < 0.3:
            self.sandbox.switch_mode(livemode=not ours)
        try:
            self.run_worker(getattr(self, name))
        except REFUSED:
            self.done["refused"] += 1
        if name in AT_STRIPE:
            self.sandbox.switch_mode(livemode=ours)
        self.done[name] += 1

    # --- What people do ---

    def buy(self):
        method = self.chance.choice([*PaymentMethod.values, "stripe", "stripe"])
        person = self.any_of(person for person in self.people if person.is_active)
        answer = self.api(person).post("payments", self.any_of(self.targets) | {"method": method})
        assert answer.status_code in {200, 201, 409}, answer.json()

    def pay(self):
        if session := self.any_made("checkout.session", status="open"):
            self.sandbox.pay(session["id"])

    def pay_later(self):
        if session := self.any_made("checkout.session", status="open"):
            self.sandbox.pay_later(session["id"], succeeds=self.chance.random() < 0.7)

    def ask_the_status(self):
        payment = self.any_of(Payment.objects.filter(payer__is_active=True))
        if payment is not None:
            self.api(payment.payer).get(f"payments/{payment.pk}/status")

    def erase(self):
        person = self.any_of(person for person in self.people[1:] if person.is_active)
        if person is not None and self.chance.random() < 0.2:
            accounts.erase_account(user=person)
            person.refresh_from_db()

    # --- What staff do ---

    def decide_about(self, status, decision, **options):
        payment = self.any_of(Payment.objects.filter(status=status))
        if payment is not None:
            decision(payment=payment, by=self.administrator, reason="walking", **options)

    def confirm(self):
        self.decide_about("pending", staff.confirm_payment)

    def reject(self):
        self.decide_about("pending", staff.reject_payment)

    def undo(self):
        self.decide_about("paid", staff.undo_confirmation)

    def refund(self):
        self.decide_about("paid", refunds.refund_payment)

    def refund_a_part(self):
        ends_access = self.chance.random() < 0.3
        amount = Decimal(self.chance.randrange(1, 500))
        self.decide_about("paid", refunds.refund_payment, amount=amount, ends_access=ends_access)

    def close_a_month(self):
        before = month_of(timezone.localdate()) - timedelta(days=1)
        closing.close_month(month_of(before), by=self.administrator)
        # Somebody had forgotten it.
        self.import_from_another_book(timezone.now() - timedelta(days=timezone.localdate().day))

    def import_from_another_book(self, paid_at=None):
        """Some of it is given back or lost in a dispute already."""
        now = timezone.now()
        paid_at = paid_at or now - timedelta(days=self.chance.randrange(40))
        self.imported += 1
        back = self.chance.choice(["refunds", "disputes", "neither"])
        values = self.any_of(self.targets) | {
            "external_id": f"other-{self.imported}",
            "user": self.people[0].email,
            "amount": "100.00",
            "currency": "RUB",
            "method": "cash",
            "status": "paid",
            "paid_at": paid_at.isoformat(),
            back: f"30.00 ({now.date() - timedelta(days=1)}); 20.00 ({now.date()})",
        }
        report = import_payments(rows=[Row(1, values)], by=self.administrator)
        assert not report.bad_rows, report.bad_rows

    # --- What happens at Stripe ---

    def refund_in_the_dashboard(self):
        if charge := self.any_made("charge", refunded=False):
            self.sandbox.create_refund(
                {"payment_intent": charge["payment_intent"], "amount": "10000"}
            )

    def settle_refund(self):
        if refund := self.any_made("refund", status="pending"):
            self.sandbox.settle_refund(refund["id"], succeeds=True)

    def fail_refund(self):
        if refund := self.any_made("refund", status=self.chance.choice(["pending", "succeeded"])):
            self.sandbox.settle_refund(refund["id"], succeeds=False)

    def dispute(self):
        if charge := self.any_made("charge", disputed=False, amount_refunded=0):
            self.sandbox.open_dispute(charge["id"])

    def decide(self):
        if dispute := self.any_made("dispute", status="needs_response"):
            self.pass_time(1)
            self.sandbox.change_dispute(dispute["id"], self.chance.choice(["won", "lost"]))

    def pass_time(self, seconds):
        self.clock.shift(timedelta(seconds=seconds))
        self.sandbox.settle()

    def let_time_pass(self):
        self.pass_time(self.chance.choice([20, 3600, 30 * 3600]))

    def change_how_banks_are(self):
        self.sandbox.refunds_wait = not self.sandbox.refunds_wait

    def lose_an_answer(self):
        """Stripe made the next refund or did not, and nobody knows which."""
        kind: FaultKind = self.chance.choice(["drop", "drop_after"])
        faults = [Fault(kind, "create_refund"), Fault("drop", "create_refund", times=2)]
        self.server.api.faults[:] = faults

    # --- What happens to us ---

    def switch_key(self):
        self.switch_mode(livemode=not self.sandbox.livemode)

    def lose_an_access(self):
        """A fault in our own books is named, and repaired."""
        payment = self.any_of(Payment.objects.giving_access())
        if payment is not None:
            Access.objects.filter(reference=payment.reference).delete()
            found = books.find_in_books()
            assert payment.pk in {
                one.payment_id for one in found if one.kind == "paid_without_access"
            }
            consistency.check_payments(fix=True)

    # --- What is told ---

    def tell(self):
        """Some of what happened since, in any order, some of it twice; a part is never told."""
        new = self.server.events[self.taken :]
        self.taken = len(self.server.events)
        told = [event for event in new if self.chance.random() < 0.6]
        told += [event for event in told if self.chance.random() < 0.3]
        told += self.chance.sample(self.server.events, min(2, len(self.server.events)))
        self.chance.shuffle(told)
        for event in told:
            assert self.deliver(event).status_code == 200

    def reconcile(self):
        reconcile_payments()

    def night(self):
        self.pass_time(15 * 3600)
        self.run_worker(catch_up_with_stripe)
        self.run_worker(check_payments)
        for _round in range(3):
            self.run_worker(reconcile_payments)

    def of_this_mode(self):
        return Payment.objects.filter(livemode=self.sandbox.livemode)


def assert_rows_agree():
    given = set(Access.objects.active().values_list("reference", flat=True))
    for payment in Payment.objects.prefetch_related("moves", "refunds", "disputes", "entries"):
        refunds_of = list(payment.refunds.all())
        succeeded = [one for one in refunds_of if one.status == RefundStatus.SUCCEEDED]
        assert payment.refunded_amount == sum(one.amount for one in succeeded)
        assert payment.refunded_amount <= payment.amount
        lost = sum(one.amount for one in payment.disputes.all() if one.status == "lost")
        posted: dict[str, Decimal] = defaultdict(Decimal)
        for entry in payment.entries.all():
            posted[entry.kind] += entry.amount
        came = payment.amount if payment.paid_at else 0
        said = {"payment": came, "refund": -payment.refunded_amount, "dispute": -lost}
        assert {kind: posted[kind] for kind in said} == said
        last = payment.moves.last()
        assert payment.status == (last.to_status if last else PaymentStatus.PENDING)
        gives = (
            payment.status == PaymentStatus.PAID
            and not any(one.ends_access for one in succeeded)
            and not any(one.status == "lost" for one in payment.disputes.all())
        )
        assert (payment.reference in given) == gives, f"payment {payment.pk}: {payment.status}"


def assert_closed_months_stay(walk):
    for closed in ClosedMonth.objects.all():
        sums = LedgerEntry.objects.counted_in(closed.month).by_day()
        assert sums == closed.kept_sums == walk.closed.setdefault(closed.month, sums)


def assert_what_is_wrong_is_named(livemode):
    waiting = {
        payment.pk
        for payment in Payment.objects.filter(livemode=not livemode).prefetch_related("refunds")
        if payment.status in OPEN_STATUSES
        or any(refund.status == RefundStatus.REQUESTED for refund in payment.refunds.all())
    }
    found = list(books.find_in_books())
    assert {one.payment_id for one in found if one.kind == "other_mode"} == waiting
    assert {one.kind.value for one in found} <= NEEDS_A_PERSON | WAITS


def assert_nothing_is_left_of_what_was_lost(walk):
    """In the mode of the key."""
    ours = walk.of_this_mode()
    came = sum(payment.left_amount for payment in ours.filter(paid_at__isnull=False))
    assert came == money_there(walk.sandbox)
    for payment in ours:
        session = stripe.retrieve_session(payment.session_id)
        whole = PaymentStatus.REFUNDED if payment.refunded_amount else PaymentStatus.PAID
        there = {status_of(session), whole}
        # Closed here while the key was of the other mode, and then the money did not come.
        closed = {PaymentStatus.EXPIRED} if PaymentStatus.FAILED in there else set()
        assert payment.status in there | closed, payment.pk
    for refund in walk.sandbox.all("refund"):
        known = Refund.objects.get(refund_id=refund["id"])
        assert (known.status == "succeeded") == (refund["status"] == "succeeded")
    assert not Refund.objects.unanswered().filter(payment__in=ours).exists()
    consistency.check_payments()
    consistency.compare_with_stripe(consistency.to_ask_about())
    found = Finding.objects.open().filter(payment__in=ours)
    assert set(found.values_list("kind", flat=True)) <= NEEDS_A_PERSON


def money_there(sandbox):
    charges = sandbox.all("charge")
    returned = sum(one["amount"] for one in sandbox.all("refund") if one["status"] == "succeeded")
    return Decimal(sum(charge["amount"] for charge in charges) - returned) / 100


@pytest.fixture
def clock():
    # The month ends on the way.
    with time_machine.travel(datetime(2026, 11, 28, 12, tzinfo=UTC)) as moving:
        yield moving


def test_whatever_happens_access_and_ledger_follow_from_the_rows_and_the_night_heals(
    clock, api, deliver, run_worker, stripe_sandbox, switch_mode, administrator
):
    walk = Walk(
        # Each database is walked in a way of its own.
        seed=connection.vendor,
        clock=clock,
        api=api,
        deliver=deliver,
        run_worker=run_worker,
        stripe_sandbox=stripe_sandbox,
        switch_mode=switch_mode,
        administrator=administrator,
    )
    for _step in range(STEPS):
        walk.step()
        assert_rows_agree()
        assert_closed_months_stay(walk)
        assert_what_is_wrong_is_named(stripe_sandbox.sandbox.livemode)
    stripe_sandbox.api.faults.clear()
    for _mode in range(2):
        walk.night()
        assert_rows_agree()
        assert_nothing_is_left_of_what_was_lost(walk)
        walk.switch_key()
    # Of everything there was something.
    late = LedgerEntry.objects.filter(closed_in=None, day__lt=month_after(max(walk.closed)))
    assert late.exists()
    assert walk.done["refused"] < STEPS / 2
    assert Refund.objects.exists()
    assert {True, False} <= set(Payment.objects.values_list("livemode", flat=True))
