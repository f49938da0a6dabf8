"""A closed month does not change any more, whatever comes later: played through the doors by which it
comes (docs/rules.md, 12.27)."""

import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import openpyxl
import pytest
from django.conf import settings
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from lms.models import Course
from payments.models import LedgerEntry, Payment
from payments.services import staff
from payments.tests.events import a_dispute, a_refund, a_session, an_event
from payments.tests.factories import PaymentFactory
from people.services import accounts
from people.services.books import forget_old_payments
from people.tests.factories import UserFactory
from project.common.money import shown
from project.school.services import update_school
from project.tests.spreadsheets import content_of, lines_of

pytestmark = pytest.mark.django_db

OCTOBER, NOVEMBER, CLOSING = (
    reverse(f"admin:payments_closedmonth_{page}", args=[2026, month])
    for page, month in (("month", 10), ("month", 11), ("close", 10))
)
# An export calls people and what they paid for as they are called today.
NAMES = {"Payment number", "Title", "Name", "Email"}


def figures(client, month):
    """All that the page of a month and its tables say, but for names."""
    page = client.get(month)
    address = page.context["export_url"]
    head, *rows = lines_of(client.post(address, {"format": "csv"}))
    unnamed = [place for place, title in enumerate(head) if title not in NAMES]
    content = content_of(client.post(address, {"format": "xlsx"}))
    entries, summary = openpyxl.load_workbook(io.BytesIO(content)).worksheets
    return {
        "tables": page.context["tables"],
        "closed": page.context["month"].closed,
        "entries": [[row[place] for place in unnamed] for row in rows],
        "in XLSX": [[row[place] for place in unnamed] for row in entries.values],
        "summary": list(summary.values),
    }


class Autumn:
    """A school that took money in October, and closed it in November."""

    def __init__(self, administrator, deliver, client):
        self.deliver, self.client = deliver, client
        self.buyer = UserFactory.create()
        self.cash = PaymentFactory.create()
        self.transfer = PaymentFactory.create(payer=self.buyer, method="transfer")
        for payment in (self.cash, self.transfer):
            staff.confirm_payment(payment=payment, by=administrator, reason="Bank statement")
        self.by_card, self.late = (
            PaymentFactory.create(
                method="stripe", session_id=f"cs_{number}", payment_intent_id=f"pi_{number}"
            )
            for number in (1, 2)
        )
        self.pay(self.by_card)
        self.refund = a_refund(self.by_card, amount=50_000, status="succeeded")
        self.tell("refund.created", self.refund)

    def close(self):
        assert self.client.post(CLOSING, {"typed": "2026-10"}).status_code == 302
        self.closed = figures(self.client, OCTOBER)
        assert len(self.closed["entries"]) == 4

    def tell(self, kind, subject):
        assert self.deliver(an_event(kind, subject)).status_code == 200

    def pay(self, payment):
        intent = payment.payment_intent_id
        paid = {"payment_intent": intent, "payment_status": "paid", "status": "complete"}
        self.tell("checkout.session.completed", a_session(payment, **paid))

    def ask(self, name, payment, **answers):
        address = reverse(f"admin:payments_payment_{name}", args=[payment.pk])
        answer = self.client.post(address, {"reason": "A mistake", **answers})
        assert answer.status_code == 302, answer.text

    def stands(self, step, *newest):
        """October is as it was, and this is the last that counts in November: kind, amount, day,
        and the number of all that do."""
        assert figures(self.client, OCTOBER) == self.closed, step
        entries = LedgerEntry.objects.counted_in(date(2026, 11, 1))
        last = entries.latest("pk")
        found = (last.kind, int(last.amount), last.day.isoformat(), entries.count())
        assert found == newest, step
        [(methods, _days)] = self.client.get(NOVEMBER).context["tables"]
        amount = sum((entry.amount for entry in entries), Decimal(0))
        assert methods.totals[0].cells[-1].text == shown(amount, "RUB", in_column=True), step


@pytest.fixture
def autumn(client_of, administrator, deliver, time_machine):
    time_machine.move_to(datetime(2026, 10, 20, 12, tzinfo=UTC), tick=False)
    autumn = Autumn(administrator, deliver, client_of(administrator))
    time_machine.move_to(datetime(2026, 11, 5, 12, tzinfo=UTC), tick=False)
    autumn.client = client_of(administrator)
    autumn.close()
    return autumn


def test_money_that_moves_or_is_told_later_counts_in_the_open_month(autumn, tmp_path):
    autumn.ask("undo_confirmation", autumn.cash)
    autumn.stands("undone", "payment", -1990, "2026-10-20", 1)
    autumn.ask("refund", autumn.transfer, amount="90")
    autumn.stands("refunded", "refund", -90, "2026-11-05", 2)
    autumn.tell("refund.failed", autumn.refund | {"status": "failed"})
    autumn.stands("a refund failed", "refund", 500, "2026-11-05", 3)
    autumn.pay(autumn.late)
    autumn.stands("told late", "payment", 1990, "2026-11-05", 4)
    autumn.tell("charge.dispute.closed", a_dispute(autumn.by_card, status="lost"))
    autumn.stands("a dispute was lost", "dispute", -1990, "2026-11-05", 5)
    table = tmp_path / "old.csv"
    table.write_text(
        "external_id,user,course_id,amount,currency,method,status,paid_at\n"
        f"B-1,{autumn.buyer.email},{autumn.late.course_id},70,RUB,cash,paid,2026-10-03T12:00Z\n"
    )
    call_command("load_payments", str(table), verbosity=0)
    autumn.stands("imported", "payment", 70, "2026-10-03", 6)


def test_what_becomes_of_people_courses_and_the_clock_changes_no_month(autumn):
    autumn.ask("refund", autumn.transfer)
    newest = ("refund", -1990, "2026-11-05", 1)
    autumn.stands("refunded", *newest)
    for zone in ("Pacific/Kiritimati", "Pacific/Honolulu"):
        update_school(changes={"time_zone": zone})
        autumn.stands(zone, *newest)
    Course.objects.get(payments=autumn.transfer).delete()
    autumn.stands("a course was deleted", *newest)
    accounts.erase_account(user=autumn.buyer)
    autumn.stands("the buyer was erased", *newest)
    Payment.objects.filter(payer=autumn.buyer).update(
        created_at=timezone.now() - settings.BOOKS_KEPT - timedelta(days=1)
    )
    assert forget_old_payments() == 1
    autumn.stands("their books ended", *newest)
