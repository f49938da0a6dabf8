"""What the worker repairs by itself: which payments Stripe is asked about, in which order, and which
pages are closed."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from lms.tests.factories import CourseFactory, LessonFactory
from payments import tasks
from payments.models import Payment, PaymentMove
from payments.services import reconciliation, staff
from payments.tests.factories import PaymentFactory, place
from payments.tests.sandbox import Fault

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def at_stripe(name="1", **fields):
    """A payment with a session that the sandbox does not know."""
    fields = {"method": "stripe", "session_id": f"cs_{name}", "created_at": NOW} | fields
    return PaymentFactory.create(**fields)


# --- Which payments are asked about ---


@pytest.fixture
def refusing(stripe_sandbox):
    """A Stripe that refuses to tell of a session: what is open stays open."""
    stripe_sandbox.api.faults.append(Fault("refuse", "retrieve_session", times=100))


def test_only_what_is_open_at_stripe_for_a_while_is_asked_about(asked, refusing, caplog):
    old = {"created_at": NOW - timedelta(hours=2)}
    left = {"created_at": NOW - timedelta(minutes=20)}
    at_stripe("pending", **left)
    at_stripe("processing", status="processing", **old)
    at_stripe("fresh", created_at=NOW - timedelta(minutes=15))
    at_stripe("due", created_at=NOW - timedelta(minutes=15) - SECOND)
    at_stripe("paid", status="paid", paid_at=NOW, **old)
    at_stripe("failed", status="failed", **old)
    at_stripe("expired", status="expired", **old)
    at_stripe("", session_id="", **left)
    PaymentFactory.create(method="cash", **old)
    PaymentFactory.create(method="transfer", session_id="cs_transfer", **old)
    assert reconciliation.reconcile_payments(at=NOW) == 3
    assert asked == ["cs_pending", "cs_processing", "cs_due"]
    touched = Payment.objects.filter(checked_at=NOW).values_list("session_id", flat=True)
    assert set(touched) == set(asked)
    assert set(Payment.objects.exclude(session_id__in=asked).values_list("checked_at")) == {(None,)}
    # Somebody has to hear of what is refused.
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    refused = [error for error in errors if error.startswith("Stripe refuses what payment")]
    pending = Payment.objects.get(session_id="cs_pending")
    assert refused[0] == f"Stripe refuses what payment {pending.pk} needs: parameter_invalid"
    assert len(refused) == 3


def test_those_asked_about_longest_ago_come_first_and_some_at_a_time(asked, refusing, monkeypatch):
    monkeypatch.setattr("payments.services.reconciliation.BATCH", 2)
    old = {"created_at": NOW - timedelta(hours=2)}
    at_stripe("recent", checked_at=NOW - timedelta(minutes=5), **old)
    at_stripe("earlier", checked_at=NOW - timedelta(minutes=9), **old)
    at_stripe("never", **old)
    at_stripe("never, too", session_id="cs_never_too", **old)
    for minutes in range(3):
        assert reconciliation.reconcile_payments(at=NOW + timedelta(minutes=minutes)) == 2
    assert asked == [
        "cs_never", "cs_never_too", "cs_earlier", "cs_recent", "cs_never", "cs_never_too",
    ]  # fmt: skip


def test_while_stripe_does_not_answer_the_rest_is_left_for_the_next_run(
    asked, stripe_sandbox, caplog
):
    old = {"created_at": NOW - timedelta(hours=2)}
    for number in range(3):
        at_stripe(str(number), **old)
    stripe_sandbox.api.faults += [
        Fault("unavailable", "retrieve_session", skip=1, times=3),
        Fault("refuse", "retrieve_session", times=100),
    ]
    assert reconciliation.reconcile_payments(at=NOW) == 1
    assert asked == ["cs_0", "cs_1", "cs_1", "cs_1"]
    assert "Stripe does not answer; 1 payments were settled" in caplog.text
    # The next run begins with another one, lest one that Stripe chokes on stops all.
    asked.clear()
    assert reconciliation.reconcile_payments(at=NOW + SECOND) == 3
    assert asked == ["cs_2", "cs_0", "cs_1"]


def test_what_reconciliation_finds_is_written_down_as_its_doing(buy, stripe_sandbox):
    payment = Payment.objects.get(pk=buy().json()["id"])
    stripe_sandbox.sandbox.pay_later(payment.session_id, succeeds=True)
    assert tasks.reconcile_payments() == {"payments_asked_about": 0}
    Payment.objects.update(created_at=payment.created_at - timedelta(minutes=16))
    assert tasks.reconcile_payments() == {"payments_asked_about": 1}
    stripe_sandbox.sandbox.advance(3600)
    assert tasks.reconcile_payments() == {"payments_asked_about": 1}
    assert tasks.reconcile_payments() == {"payments_asked_about": 0}
    moves = PaymentMove.objects.values_list("from_status", "to_status", "source", "reason")
    assert list(moves) == [
        ("pending", "processing", "reconcile", "session: complete, unpaid"),
        ("processing", "paid", "reconcile", "session: complete, paid"),
    ]


def test_rows_whose_page_was_never_made_are_cleared_away_after_an_hour(asked):
    hour = timedelta(hours=1)
    young = at_stripe(session_id="", created_at=NOW - hour)
    at_stripe(session_id="", created_at=NOW - hour - SECOND)
    others = [
        PaymentFactory.create(created_at=NOW - 2 * hour),
        at_stripe(session_id="", status="expired", created_at=NOW - 2 * hour),
        at_stripe(session_id="cs_1", created_at=NOW - 2 * hour),
    ]
    reconciliation.reconcile_payments(at=NOW)
    assert set(Payment.objects.all()) == {young, *others}


# --- Which pages are closed ---


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_the_page_for_what_is_paid_otherwise_is_closed_and_no_other(
    asked, learner, stranger, course, what
):
    lesson = LessonFactory.create(course=course, price=5)
    other_lesson = LessonFactory.create(course=course, price=5)
    other_course = CourseFactory.create(published=True, price=5)
    pages = {
        "course": at_stripe("course", payer=learner, course=course),
        "lesson": at_stripe("lesson", payer=learner, course=None, lesson=lesson),
        "sibling": at_stripe("sibling", payer=learner, course=None, lesson=other_lesson),
        "other": at_stripe("other", payer=learner, course=other_course),
        "others": at_stripe("others", payer=stranger, course=course),
        "others'": at_stripe("others_lesson", payer=stranger, course=None, lesson=lesson),
    }
    # Where money is on its way, or the page is being made, there is nothing to close.
    third = LessonFactory.create(course=course, price=5)
    at_stripe("on_its_way", payer=learner, course=None, lesson=third, status="processing")
    fourth = LessonFactory.create(course=course, price=5)
    at_stripe(session_id="", payer=learner, course=None, lesson=fourth)
    for status in ("pending", "processing", "failed", "expired"):
        PaymentFactory.create(payer=learner, course=other_course, status=status)
    PaymentFactory.create(payer=learner, course=other_course, refunded=True)
    needless = {"course": {"course", "lesson", "sibling"}, "lesson": {"lesson"}}[what]
    target = place(course if what == "course" else lesson)
    PaymentFactory.create(payer=learner, paid=True, **target)
    with time_machine.travel(NOW, tick=False):
        assert tasks.close_needless_pages() == {"pages_closed": len(needless)}
    # The sandbox knows none of them: it is asked to close, then what became of it.
    asked_to_close = [path for path in asked if path.endswith("/expire")]
    assert set(asked_to_close) == {f"{pages[name].session_id}/expire" for name in needless}
    assert len(asked) == 2 * len(needless)
    touched = Payment.objects.filter(checked_at=NOW)
    assert set(touched) == {pages[name] for name in needless}


def test_pages_that_were_dealt_with_longest_ago_are_closed_first_and_some_at_a_time(
    asked, learner, monkeypatch
):
    monkeypatch.setattr("payments.services.reconciliation.BATCH", 1)
    for name, minutes in (("never", None), ("recent", 5), ("earlier", 9)):
        free = CourseFactory.create(published=True, price=0)
        looked = minutes and NOW - timedelta(minutes=minutes)
        at_stripe(name, payer=learner, course=free, checked_at=looked)
    closed = [tasks.close_needless_pages() for _run in range(4)]
    assert closed == [{"pages_closed": 1}] * 3 + [{"pages_closed": 0}]
    order = [path for path in asked if path.endswith("/expire")]
    assert order == ["cs_never/expire", "cs_earlier/expire", "cs_recent/expire"]


def test_somebodys_payment_sends_for_the_closing_of_their_own_pages_only(
    learner, stranger, administrator, course, run_worker, asked
):
    needless = at_stripe(payer=stranger, course=course)
    PaymentFactory.create(payer=stranger, course=course, paid=True)
    cash = PaymentFactory.create(payer=learner, course=course)
    run_worker(lambda: staff.confirm_payment(payment=cash, by=administrator, reason="came"))
    assert asked == []
    assert needless in Payment.objects.needless()
