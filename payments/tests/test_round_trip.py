"""What the export of one school writes, the import of another reads: the same book."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from lms.models import Access
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import (
    Dispute,
    LedgerEntry,
    Payment,
    PaymentMethod,
    PaymentStatus,
    Refund,
)
from payments.services import ledger
from payments.services.books import find_in_books
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory
from people.tests.factories import UserFactory
from project.school.tests.factories import SchoolFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
# Half past midnight of the first day of the next month in Moscow.
LATE = datetime(2026, 9, 30, 21, 30, tzinfo=UTC)
EXPORT = reverse("admin:payments_payment_export")
IMPORT = reverse("admin:payments_payment_import_payments")
ODD = ["=1+1", "'=1", "-", "@", '«Хлеб»; "дома"', "a,b;c", "١٢٣", "'t Hooft", "1.05.2026", "🍞"]
AMOUNTS = ["1990.00", "0.10", "4900.55", "1000000.00", "123.45", "0.00"]


@pytest.fixture
def book(db):
    """Of every state and method, with refunds over months, disputes and odd titles."""
    SchoolFactory.create(time_zone="Europe/Moscow")
    people = UserFactory.create_batch(3)
    course, lesson = CourseFactory.create(), LessonFactory.create()
    made = []
    numbers = iter(range(1000))
    for method in PaymentMethod.values:
        for status in PaymentStatus.values:
            number = next(numbers)
            is_paid = status in {"paid", "refunded"}
            paid_at = LATE + timedelta(days=number, seconds=number) if is_paid else None
            payment = PaymentFactory.create(
                payer=people[number % 3],
                course=course if number % 2 else None,
                lesson=None if number % 2 else lesson,
                title=ODD[number % len(ODD)],
                amount=AMOUNTS[number % 3],
                method=method,
                session_id=f"cs_{number}" if method == "stripe" else "",
                status=status,
                created_at=LATE - timedelta(days=1, microseconds=number),
                paid_at=paid_at,
                external_id=f"=B-{number}" if number % 4 == 0 else None,
                bank_reference="000123" if method == "transfer" else "",
            )
            made.append(payment)
            if status == "refunded":
                half = (Decimal(payment.amount) / 2).quantize(Decimal("0.01"))
                for amount, days in ((half, 5), (Decimal(payment.amount) - half, 40)):
                    if amount:
                        at = LATE + timedelta(days=days)
                        RefundFactory.create(
                            payment=payment, amount=amount, created_at=at, settled_at=at
                        )
    common = {"payer": people[0], "course": course, "status": "paid", "method": "stripe"}
    common["created_at"] = LATE - timedelta(days=2)
    partly, lost, ended = (
        PaymentFactory.create(**common, paid_at=LATE, refunded_amount=refunded)
        for refunded in (700, 0, 500)
    )
    RefundFactory.create(payment=partly, amount=500, settled_at=LATE + timedelta(hours=1))
    RefundFactory.create(payment=partly, amount=200, settled_at=LATE + timedelta(days=33))
    RefundFactory.create(payment=partly, amount=900, status="failed", settled_at=LATE)
    DisputeFactory.create(payment=lost, status="lost", told_at=LATE + timedelta(days=12))
    DisputeFactory.create(payment=partly, status="won", told_at=LATE + timedelta(days=12))
    RefundFactory.create(payment=ended, settled_at=LATE + timedelta(days=2), ends_access=True)
    gone = CourseFactory.create()
    for status in ("expired", "cancelled", "failed"):
        PaymentFactory.create(course=gone, title="Gone", status=status, created_at=LATE)
    gone.delete()
    free = PaymentFactory.create(**common | {"method": "cash"}, paid_at=LATE, amount="0.00")
    # Each refund on its own day, and not with the payment that a factory made refunded.
    LedgerEntry.objects.all().delete()
    for payment in Payment.objects.all():
        ledger.post(payment)
    for found in list(find_in_books()):
        if found.repair:
            found.repair()
    assert free.amount == "0.00"
    return {"people": people, "course": course, "lesson": lesson}


def figures():
    """What a book tells of each payment that is not open at Stripe, in the order of the numbers."""
    rows = Payment.objects.exclude(method="stripe", status__in=["pending", "processing"])
    return [
        {
            "facts": (payment.payer_id, payment.course_id, payment.lesson_id, payment.title),
            "money": (payment.amount, payment.refunded_amount, payment.currency),
            "state": (payment.method, payment.status, payment.bank_reference),
            "created": payment.created_at.replace(microsecond=0),
            "paid": payment.paid_at and payment.paid_at.replace(microsecond=0),
            "refunds": [
                (refund.amount, day_of(refund.settled_at), refund.ends_access)
                for refund in payment.refunds.filter(status="succeeded").order_by("pk")
            ],
            "lost": [
                (dispute.amount, day_of(dispute.told_at))
                for dispute in payment.disputes.filter(status="lost").order_by("pk")
            ],
            "access": Access.objects.active().filter(reference=payment.reference).exists(),
        }
        for payment in rows.order_by(
            "payer_id", "title", "created_at", "amount", "status", "method", "refunded_amount"
        )
    ]


def day_of(moment):
    return (moment + timedelta(hours=3)).date()


def months():
    return sorted(LedgerEntry.objects.order_by().by_month())


def load(client, content):
    table = SimpleUploadedFile("table", content)
    shown = client.post(IMPORT, {"table": table}, follow=True)
    assert not shown.context["report"].is_refused, [*shown.context["report"].refusals()]
    client.post(shown.redirect_chain[-1][0])
    return shown.context["report"]


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("chosen", ["xlsx", "csv", "semicolons"])
@time_machine.travel(NOW, tick=False)
def test_a_book_is_the_same_in_another_school(client_of, administrator, book, chosen, language):
    client = client_of(administrator)
    client.post(reverse("set_language"), {"language": language})
    answer = client.post(EXPORT, {"format": chosen})
    content = answer.getvalue()
    before, counted, rows = figures(), months(), Payment.objects.count()
    assert len(before) == rows - 2
    assert len({one.day for one in counted}) > 1

    # The same school: nothing new, and nothing changes.
    report = load(client, content)
    assert (report.new, report.known, report.left_out, report.differences) == (0, rows - 2, 2, 0)
    assert (figures(), months()) == (before, counted)

    # Another one, with the same people and courses.
    Access.objects.all().delete()
    LedgerEntry.objects.all().delete()
    Payment.objects.all().delete()
    assert not Refund.objects.exists()
    assert not Dispute.objects.exists()
    report = load(client, content)
    assert (report.new, report.known, report.left_out) == (rows - 2, 0, 2)
    assert report.without_target == 3
    assert figures() == before
    assert months() == counted
    assert not [found for found in find_in_books() if found.repair]

    # What came from another school is known by its external id when it is exported once more.
    answer = client.post(EXPORT, {"format": chosen})
    report = load(client, answer.getvalue())
    assert (report.new, report.known, report.differences) == (0, rows - 2, 0)


def test_a_number_of_another_school_is_no_payment_of_this_one(client_of, administrator, book):
    """Only if it is as old to the second."""
    client = client_of(administrator)
    payment = Payment.objects.filter(external_id=None, status="paid")[0]
    other = f"parta-{payment.pk}-20200101000000"
    row = f"{other},{payment.payer.email},{book['course'].pk},5,RUB,cash,paid,2020-01-01"
    content = f"external_id,user,course_id,amount,currency,method,status,paid_at\n{row}\n"
    report = load(client, content.encode())
    assert (report.new, report.known) == (1, 0)
    assert Payment.objects.get(external_id=other).amount == 5


def test_a_payment_in_the_former_currency_of_the_school_is_known(client_of, administrator, book):
    former = PaymentFactory.create(paid=True, currency="USD")
    client = client_of(administrator)
    content = client.post(EXPORT, {"format": "csv"}).getvalue()
    report = load(client, content)
    assert (report.new, report.left_out) == (0, 2)
    former.delete()
    shown = client.post(IMPORT, {"table": SimpleUploadedFile("table", content)}, follow=True)
    [refusal] = shown.context["report"].refusals()
    assert refusal.endswith("Currency: USD is not the currency of this school (RUB)")
