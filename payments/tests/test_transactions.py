"""What moves a payment is done in one transaction: all of it, or nothing if something fails."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from payments.models import MoveSource, Payment, PaymentMethod, PaymentStatus
from payments.provider.reading import read_event, read_refund
from payments.services import disputes, purchase, refunds, staff, stripe_events, transitions
from payments.tests.events import a_dispute, a_refund, a_session, an_event
from payments.tests.factories import PaymentFactory
from project.tests.transactions import assert_one_transaction

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CAUSE = transitions.Cause(source=MoveSource.STAFF, reason="so")
PAID = {"status": "complete", "payment_status": "paid", "payment_intent": "pi_1", "url": None}
STATES: dict[str, dict[str, Any]] = {
    "accept": {"status": "processing", "received_amount": 5, "received_currency": "RUB"},
    "undo": {"paid": True},
    "refund": {"paid": True},
    "a session": {"method": "stripe", "session_id": "cs_1"},
    "an event": {"method": "stripe", "session_id": "cs_1"},
    "a refund": {"method": "stripe", "payment_intent_id": "pi_1", "paid": True},
    "a dispute": {"method": "stripe", "payment_intent_id": "pi_1", "paid": True},
}


@pytest.mark.parametrize(
    "name",
    ["confirm", "reject", "accept", "undo", "give access", "refund", "move", "import", "order",
     "a session", "an event", "a refund", "a dispute"],
)  # fmt: skip
def test_a_service_reads_and_writes_in_one_transaction(
    name, administrator, stranger, stripe_settings
):
    made = PaymentFactory.create(**STATES.get(name, {}))
    # As a request has it: with nothing read beside it.
    payment = Payment.objects.get(pk=made.pk)
    decide: Any = {"payment": payment, "by": administrator, "reason": "so"}
    told: Any = {"payment_id": payment.pk, "source": MoveSource.WEBHOOK}
    paid: Any = read_event(an_event("checkout.session.completed", a_session(made, **PAID)))
    disputed: Any = read_event(an_event("charge.dispute.created", a_dispute(made)))
    imported: Any = {field: getattr(made, field) for field in transitions.PAYMENT_COLUMNS}
    order = purchase.Order(course_id=made.course_id, lesson_id=None, method=PaymentMethod.CASH)
    acts: dict[str, Callable[[], object]] = {
        "confirm": partial(staff.confirm_payment, **decide),
        "reject": partial(staff.reject_payment, **decide),
        "accept": partial(staff.accept_amount, **decide),
        "undo": partial(staff.undo_confirmation, **decide),
        "give access": partial(staff.give_access, **decide),
        "refund": partial(refunds.refund_payment, **decide),
        "move": partial(
            transitions.move_payment, payment_id=payment.pk, to=PaymentStatus.PAID, cause=CAUSE
        ),
        "import": partial(
            transitions.insert_payments,
            payments=[transitions.NewPayment(**imported | {"external_id": "A-1"})],
            cause=CAUSE,
        ),
        "order": partial(purchase.request_payment, user=stranger, order=order),
        "a session": partial(stripe_events.apply_session, session=paid.session, **told),
        "an event": partial(stripe_events.apply_event, paid, source=MoveSource.WEBHOOK),
        "a refund": partial(refunds.apply_refund, refund=read_refund(a_refund(made)), **told),
        "a dispute": partial(disputes.apply_dispute, dispute=disputed.dispute, told_at=NOW, **told),
    }
    assert_one_transaction(acts[name])
