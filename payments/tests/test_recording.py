"""Money that staff book: what came without an order, and on which day it came."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from lms.models import Access, AccessSource, Course
from lms.services import accesses
from lms.tests.factories import LessonFactory
from payments.models import ClosedMonth, LedgerEntry, Payment, PaymentMethod, PaymentMove
from payments.services import staff
from payments.services.transitions import UnfitAmount
from payments.tests.factories import PaymentFactory, RefundFactory
from payments.tests.failures import everything, failing_at
from people.errors import AccountErased
from people.models import User
from people.tests.factories import UserFactory
from project.mail.models import Mailing
from project.mail.tasks import deliver_mail
from project.school.tests.factories import SchoolFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = date(2026, 11, 3)
ADD = "/admin/payments/payment/add/"


@pytest.fixture
def record(administrator, learner, course):
    """Record a transfer of the learner for the course, or something else."""

    def act(*, by=administrator, key=None, anyway=False, **changes):
        received = {
            "payer": learner,
            "target": course,
            "amount": Decimal("1990.00"),
            "method": PaymentMethod.TRANSFER,
            **changes,
        }
        return staff.record_payment(
            received=staff.Received(**received),
            by=by,
            reason="Seen in the statement",
            key=key,
            anyway=anyway,
        )

    return act


@pytest.mark.parametrize("what", ["course", "lesson"])
def test_what_staff_record_is_paid_gives_access_and_is_told_once(
    record, administrator, learner, course, lesson, what
):
    target = {"course": course, "lesson": lesson}[what]
    payment = record(target=target, day=DAY, bank_reference="BNK-17")
    payment = Payment.objects.get(pk=payment.pk)
    assert (payment.target, payment.title, payment.status) == (target, target.title, "paid")
    assert (payment.shown_amount, payment.method) == ("₽1,990", "transfer")
    assert (payment.bank_reference, payment.entries.get().day) == ("BNK-17", DAY)
    move = PaymentMove.objects.get()
    assert (move.source, move.by, move.reason) == ("record", administrator, "Seen in the statement")
    [access] = Access.objects.held_by(learner)
    assert (access.target, access.reference) == (target, payment.reference)
    assert [mailing.kind for mailing in Mailing.objects.all()] == ["payment_received"]


@pytest.mark.reported(
    "What came in the evening was booked for the next day (easy-digital-downloads 4178)."
)
@pytest.mark.parametrize(
    ("day", "paid_at"),
    [
        (None, NOW),
        (date(2026, 11, 20), NOW),
        # Midnight in Vladivostok.
        (date(2026, 11, 19), datetime(2026, 11, 18, 14, tzinfo=UTC)),
        (date(2024, 2, 29), datetime(2024, 2, 28, 14, tzinfo=UTC)),
    ],
)
def test_money_came_at_midnight_of_its_day_or_now_if_it_is_today(record, day, paid_at):
    SchoolFactory.create(time_zone="Asia/Vladivostok")
    with time_machine.travel(NOW, tick=False):
        assert record(day=day).paid_at == paid_at


def test_no_money_comes_in_the_future_of_the_school(record, administrator):
    """It is the 21st in Vladivostok, and still the 20th in Greenwich."""
    SchoolFactory.create(time_zone="Asia/Vladivostok")
    order = PaymentFactory.create()
    with time_machine.travel(datetime(2026, 11, 20, 16, tzinfo=UTC), tick=False):
        for day in (date(2026, 11, 22), date(26, 11, 20)):
            with pytest.raises(staff.UnfitDay):
                record(day=day)
            with pytest.raises(staff.UnfitDay):
                staff.confirm_payment(payment=order, by=administrator, reason="?", day=day)
        assert record(day=date(2026, 11, 21)).paid_at == datetime(2026, 11, 20, 16, tzinfo=UTC)


def test_the_same_form_sent_twice_records_one_payment(record, stranger):
    key = uuid4()
    first = record(key=key, day=DAY)
    assert record(key=key, day=DAY) == first
    # The browser's button *Back*, and another person in the same form.
    assert record(key=key, day=DAY, payer=stranger) != first
    assert Payment.objects.count() == 2


def test_what_is_paid_for_is_not_recorded_again(record, learner, course, lesson):
    paid = PaymentFactory.create(payer=learner, course=course, paid=True)
    for target in (course, lesson):
        with pytest.raises(staff.PaidByAnother) as refused:
            record(target=target)
        assert refused.value.payment == paid
    # A refund has ended the access of the first.
    RefundFactory.create(payment=paid, ends_access=True)
    assert record().status == "paid"


def test_an_order_that_waits_for_the_same_is_confirmed_instead(record, learner, course):
    order = PaymentFactory.create(payer=learner, course=course, method="transfer")
    with pytest.raises(staff.OrderWaits) as refused:
        record()
    assert refused.value.payment == order


def test_other_orders_for_the_same_end(record, learner, course, run_worker):
    others = [
        PaymentFactory.create(payer=learner, course=course, method="cash"),
        PaymentFactory.create(payer=learner, course=course, method="transfer", amount=990),
    ]
    run_worker(record)
    assert {Payment.objects.get(pk=one.pk).status for one in others} == {"expired"}


def test_who_has_access_in_another_way_may_pay(record, learner, course):
    accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)
    with pytest.raises(staff.AlreadyOpen):
        record()
    assert record(anyway=True).status == "paid"


def test_money_that_is_on_its_way_at_stripe_is_named_before_other_money_is_booked(
    record, client_of, administrator, learner, course, entered
):
    coming = PaymentFactory.create(
        payer=learner, course=course, method="stripe", status="processing", session_id="cs_1"
    )
    page = client_of(administrator).post(ADD, entered)
    [said] = page.context["form"].errors["course"]
    assert reverse("admin:payments_payment_change", args=[coming.pk]) in said
    assert "anyway" in page.context["form"].fields
    assert record(anyway=True).status == "paid"


@pytest.mark.parametrize("amount", ["0", "-1", "1990.001"])
def test_there_are_amounts_that_are_not_recorded(record, amount):
    with pytest.raises(UnfitAmount):
        record(amount=Decimal(amount))


def test_an_amount_has_the_units_of_the_currency(record, settings: Settings):
    settings.CURRENCY = "JPY"
    with pytest.raises(UnfitAmount):
        record(amount=Decimal("10.50"))
    assert record(amount=Decimal("10.00")).currency == "JPY"


def test_nothing_is_recorded_for_who_is_blocked_or_erased(record):
    """Also when it happened after the form was opened: what the caller knows of the person is old."""
    for state, error in (("blocked", staff.PayerBlocked), ("erased", AccountErased)):
        person = UserFactory.create(**{state: True})
        with pytest.raises(error):
            record(payer=User(pk=person.pk))


def test_nobody_vouches_for_their_own_money(record, administrator, course):
    with pytest.raises(staff.OwnPayment):
        record(payer=administrator)
    order = PaymentFactory.create(payer=administrator, course=course)
    with pytest.raises(staff.OwnPayment):
        staff.confirm_payment(payment=order, by=administrator, reason="Trust me")
    assert Payment.objects.get().status == "pending"


def test_nothing_is_recorded_for_what_was_deleted(record, course, lesson):
    other = LessonFactory.create(course=LessonFactory.create().course)
    other_course = other.course
    type(lesson).objects.filter(pk=lesson.pk).delete()
    Course.objects.filter(pk=other_course.pk).delete()
    for target in (lesson, other_course, other):
        with pytest.raises(staff.TargetDeleted):
            record(target=target)


def test_only_cash_and_transfers_are_recorded(record):
    with pytest.raises(staff.NotOffline):
        record(method=PaymentMethod.STRIPE)


def test_whatever_the_database_refuses_nothing_is_half_recorded(record, learner, course):
    PaymentFactory.create(payer=learner, course=course, method="cash")
    before, failures = everything(), 0
    while failing_at(failures, record):
        assert everything() == before
        failures += 1
    assert failures == 7
    assert everything() != before


@pytest.mark.reported("The day was that of the approval, not of the payment (CraftingStore 743).")
def test_a_confirmation_keeps_the_day_and_the_reference_and_undoing_it_drops_them(administrator):
    order = PaymentFactory.create(method="transfer")
    decide = {"payment": order, "by": administrator, "reason": "came"}
    confirmed = staff.confirm_payment(**decide, day=DAY, bank_reference="BNK-17")
    assert confirmed.paid_at == datetime(2026, 11, 2, 21, tzinfo=UTC)  # midnight in Moscow
    assert confirmed.bank_reference == "BNK-17"
    staff.undo_confirmation(**decide)
    order.refresh_from_db()
    assert (order.status, order.paid_at, order.bank_reference) == ("pending", None, "")
    PaymentFactory.create(payer=order.payer, course=order.course, paid=True)
    with pytest.raises(staff.PaidByAnother):
        staff.confirm_payment(**decide)


def test_the_page_of_an_order_asks_for_the_day_and_the_reference(client_of, administrator):
    order = PaymentFactory.create(method="transfer")
    client = client_of(administrator)
    url = reverse("admin:payments_payment_confirm", args=[order.pk])
    answers = {"reason": "Seen in the statement", "bank_reference": " BNK\t17 "}
    tomorrow = timezone.localdate() + timedelta(days=1)
    page = client.post(url, answers | {"day": tomorrow.isoformat()})
    assert "The day can&#x27;t be in the future." in page.text
    client.post(url, answers | {"day": "2026-11-03"})
    order.refresh_from_db()
    assert (order.status, order.bank_reference) == ("paid", "BNK 17")
    assert timezone.localdate(order.paid_at) == DAY
    page = client.get(reverse("admin:payments_payment_change", args=[order.pk])).text
    assert "Bank reference: BNK 17" in page
    assert "BNK" not in client.get(order.receipt_url).text


def test_nobody_is_offered_to_confirm_their_own_payment(client_of, administrator):
    own, other = PaymentFactory.create(payer=administrator), PaymentFactory.create()
    urls = [reverse("admin:payments_payment_confirm", args=[one.pk]) for one in (own, other)]
    client = client_of(administrator)
    assert [client.get(url).status_code for url in urls] == [403, 200]


def test_the_buyer_reads_the_day_everywhere_and_the_bank_s_reference_nowhere(
    record, api, client_of, learner, mailoutbox
):
    payment = record(day=DAY, bank_reference="BNK-17")
    told = api(learner).get(f"payments/{payment.pk}")
    assert told.json()["paid_at"] == "2026-11-02T21:00:00Z"
    receipt = client_of(None).get(payment.receipt_url).text
    deliver_mail()
    [message] = mailoutbox
    for text in (receipt, message.body):
        assert "Nov. 3, 2026" in text
    for text in (told.text, receipt, message.body, message.alternatives[0][0]):
        assert "BNK" not in text


# --- The page ---


def somebody_as(role):
    """One of the staff with a ready role."""
    call_command("loaddata", "groups", verbosity=0)
    user = UserFactory.create(is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    return user


@pytest.fixture
def accountant(db):
    return somebody_as("accountants")


@pytest.fixture
def entered(learner, course):
    return {
        "payer": learner.pk,
        "course": course.pk,
        "amount": "1 990.00",
        "method": "transfer",
        "day": "2026-11-03",
        "bank_reference": "BNK-17",
        "reason": "Seen in the statement",
        "key": uuid4(),
    }


def test_an_accountant_records_what_a_page_knows_already(
    client_of, accountant, learner, course, entered
):
    client = client_of(accountant)
    page = client.get(ADD, {"payer": learner.pk, "course": course.pk, "lesson": "none"}).text
    assert f'value="{learner.pk}" selected' in page
    assert 'value="1,990"' in page
    for _click in range(2):
        page = client.post(ADD, entered)
        payment = Payment.objects.get()
        assert page.url == reverse("admin:payments_payment_change", args=[payment.pk])
    assert (payment.target, payment.shown_amount, payment.status) == (
        course,
        "₽1,990",
        "paid",
    )
    page = client.get(page.url).text
    assert "Recorded" in page
    assert "Seen in the statement" in page


def test_the_next_form_begins_with_what_stays_the_same(client_of, accountant, entered):
    client = client_of(accountant)
    assert client.post(ADD, entered | {"another": ""}).url == ADD
    assert 'value="2026-11-03"' in client.get(ADD).text
    assert 'value="2026-11-03"' not in client.get(ADD).text
    # Who sends no day means today.
    del entered["day"]
    other = entered | {"payer": UserFactory.create().pk, "another": ""}
    assert client.post(ADD, other).url == ADD


def test_support_looks_and_does_not_record(client_of, entered):
    client = client_of(somebody_as("support"))
    assert client.get(ADD).status_code == client.post(ADD, entered).status_code == 403
    assert ADD not in client.get(reverse("admin:payments_payment_changelist")).text
    assert not Payment.objects.exists()


def test_what_can_t_be_recorded_is_said_at_its_field(
    client_of, accountant, learner, course, lesson, entered
):
    client = client_of(accountant)

    def refused(**changes):
        page = client.post(ADD, {k: v for k, v in (entered | changes).items() if v is not None})
        return page.context["form"].errors

    assert list(refused(lesson=lesson.pk)) == list(refused(course="")) == ["course"]
    assert list(refused(amount="0")) == list(refused(amount="much")) == ["amount"]
    assert list(refused(day="2126-11-03")) == ["day"]
    assert list(refused(payer=accountant.pk)) == ["payer"]
    assert list(refused(payer=UserFactory.create(blocked=True).pk)) == ["payer"]
    assert list(refused(method="stripe")) == ["method"]
    assert refused(course=0) == {"course": ["This was deleted meanwhile."]}
    for no_key in ("x", "9" * 30, "\x00"):
        assert list(refused(payer=no_key, course=no_key)) == ["payer", "course"]
    assert list(refused(day="1926-11-03")) == ["day"]
    order = PaymentFactory.create(payer=learner, course=course, method="transfer")
    [said] = refused()["course"]
    assert reverse("admin:payments_payment_confirm", args=[order.pk]) in said
    Payment.objects.update(status="paid", paid_at=NOW)
    [said] = refused()["course"]
    assert reverse("admin:payments_payment_change", args=[order.pk]) in said


def test_who_has_access_anyway_is_named_before_it_is_recorded(
    client_of, accountant, learner, course, entered
):
    accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)
    client = client_of(accountant)
    page = client.post(ADD, entered)
    assert page.context["form"].errors == {"course": ["This person already has access."]}
    assert not Payment.objects.exists()
    client.post(ADD, entered | {"anyway": "on"})
    assert Payment.objects.get().status == "paid"


def test_a_day_in_a_closed_month_counts_in_the_first_open_one(client_of, accountant, entered):
    ClosedMonth.objects.create(month=date(2026, 10, 1))
    client = client_of(accountant)
    said = "Closed up to Oct. 31, 2026: a day of a closed month counts in November 2026."
    assert said in client.get(ADD).text
    client.post(ADD, entered | {"day": "2026-10-30"})
    payment = Payment.objects.get()
    assert timezone.localdate(payment.paid_at) == date(2026, 10, 30)
    [entry] = LedgerEntry.objects.counted_in(date(2026, 11, 1))
    assert (entry.payment, entry.day) == (payment, date(2026, 10, 30))


def test_the_pages_of_a_person_and_of_a_course_lead_there(
    client_of, administrator, moderator, learner, course
):
    person = reverse("admin:people_user_change", args=[learner.pk])
    button = reverse("admin:people_user_record_payment", args=[learner.pk])
    participants = reverse("admin:lms_course_participants", args=[course.pk])
    client = client_of(administrator)
    assert button in client.get(person).text
    assert client.get(button).url == f"{ADD}?payer={learner.pk}"
    assert f"{ADD}?course={course.pk}" in client.get(participants).text
    assert ADD not in client_of(moderator).get(participants).text
    own = reverse("admin:people_user_change", args=[administrator.pk])
    assert "record-payment" not in client.get(own).text
    assert button not in client_of(somebody_as("support")).get(person).text
