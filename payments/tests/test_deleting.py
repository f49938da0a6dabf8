"""What is paid for, or is about to be, is not deleted; an order that came to nothing keeps nothing."""

import pytest
from django.db import IntegrityError, transaction

from lms.models import Course, Lesson
from lms.tests.test_doors import DELETING, Doors
from payments.models import Finding, Payment, PaymentStatus
from payments.services import consistency, staff
from payments.services.importing import loading
from payments.services.importing.rows import Row
from payments.tests.events import a_refund, a_session, an_event
from payments.tests.factories import PaymentFactory, place
from payments.tests.shop import the_payment
from project.mail.tasks import deliver_mail

pytestmark = pytest.mark.django_db

KEEPING = {"pending", "processing", "paid"}


@pytest.fixture
def lesson(lesson, administrator):
    lesson.course.owner = administrator
    lesson.course.save()
    return lesson


def traits(status):
    return {status: True} if status in {"paid", "refunded"} else {"status": status}


def books():
    return list(Payment.objects.values("pk", "payer", "title", "amount", "currency", "status"))


@pytest.fixture
def gone(course):
    """A payment for a course that was deleted since."""

    def make(status, **fields):
        payment = PaymentFactory.create(course=course, **traits(status), **fields)
        course.delete()
        payment.refresh_from_db()
        assert payment.target is None
        return payment

    return make


@pytest.mark.parametrize("of", ["course", "lesson"])
@pytest.mark.parametrize("door", ["api of a course", "api of a lesson", *DELETING])
@pytest.mark.parametrize("status", PaymentStatus.values)
def test_an_order_that_came_to_nothing_keeps_nothing(
    api, client_of, lesson, administrator, status, door, of
):
    payment = PaymentFactory.create(
        **place(lesson.course if of == "course" else lesson), **traits(status)
    )
    before, whole = books(), "course" in door
    if door.startswith("api"):
        path = f"courses/{lesson.course_id}" if whole else f"lessons/{lesson.pk}"
        answer = api(administrator).delete(path)
        assert answer.status_code == (409 if status in KEEPING else 204)
    else:
        DELETING[door](Doors(api, client_of, lesson))
    deleted = Course if whole else Lesson
    assert deleted.objects.exists() == (status in KEEPING)
    assert books() == before
    payment.refresh_from_db()
    stays = status in KEEPING or (of == "course" and not whole)
    assert (payment.target is not None) == stays


@pytest.mark.parametrize("status", PaymentStatus.values)
def test_an_order_that_waits_is_for_something(status):
    payment = PaymentFactory.create(**traits(status))
    orders = Payment.objects.filter(pk=payment.pk)
    if status == "pending":
        with pytest.raises(IntegrityError), transaction.atomic():
            orders.update(course=None)
    else:
        orders.update(course=None)
    both = PaymentFactory.create(for_lesson=True).lesson
    with pytest.raises(IntegrityError):
        PaymentFactory.create(lesson=both, **traits(status))


def test_the_buyer_and_staff_still_see_the_order(gone, api, client_of, administrator):
    payment = gone("expired")
    shown = api(payment.payer).get(f"payments/{payment.pk}").json()
    assert (shown["title"], shown["course_id"], shown["lesson_id"]) == (payment.title, None, None)
    assert api(payment.payer).get("payments").json()["count"] == 1
    client = client_of(administrator)
    for page in ("", f"{payment.pk}/change/"):
        assert payment.title in client.get(f"/admin/payments/payment/{page}").text


# --- Money that comes for it after all ----------------------------------------------------------


def test_money_for_what_was_deleted_is_kept_and_found_at_once(
    gone, deliver, mailoutbox, stripe_settings
):
    payment = gone("expired", method="stripe", session_id="cs_1")
    paid = {"status": "complete", "payment_status": "paid", "payment_intent": "pi_1"}
    event = an_event("checkout.session.completed", a_session(payment, **paid))
    assert deliver(event).status_code == 200
    assert the_payment().status == "paid"
    finding = Finding.objects.open().get()
    assert (finding.kind, finding.payment) == ("paid_for_deleted", payment)
    assert "give the money back" in finding.detail
    consistency.check_payments(fix=True)
    assert Finding.objects.open().get() == finding
    deliver_mail()
    [message] = mailoutbox
    for text in (message.body, message.alternatives[0][0]):
        assert "no longer available" in text
        assert "start learning" not in text


def test_the_finding_closes_when_the_money_went_back(gone, administrator):
    payment = gone("expired")
    Payment.objects.update(status="paid", paid_at=payment.created_at)
    consistency.check_payments(fix=True)
    assert Finding.objects.open().get().kind == "paid_for_deleted"
    Payment.objects.update(status="refunded", refunded_amount=payment.amount)
    consistency.check_payments(fix=True)
    assert not Finding.objects.open().exists()


def test_a_refund_that_fails_after_the_course_was_deleted_is_no_error(bought, course, deliver):
    refund = a_refund(bought, id="re_1", status="succeeded")
    deliver(an_event("refund.created", refund))
    course.delete()
    failed = refund | {"status": "failed", "failure_reason": "lost_or_stolen_card"}
    assert deliver(an_event("refund.failed", failed)).status_code == 200
    assert the_payment().status == "paid"
    kinds = set(Finding.objects.open().values_list("kind", flat=True))
    assert kinds == {"refund_failed", "paid_for_deleted"}


@pytest.mark.parametrize("service", [staff.confirm_payment, staff.give_access])
def test_staff_neither_confirm_nor_open_what_was_deleted(gone, administrator, service):
    with pytest.raises(staff.TargetDeleted):
        service(payment=gone("failed"), by=administrator, reason="It came")


def test_a_confirmation_is_not_undone_once_there_is_nothing_to_wait_for(gone, administrator):
    payment = gone("failed")
    Payment.objects.update(status="paid", paid_at=payment.created_at)
    with pytest.raises(staff.TargetDeleted):
        staff.undo_confirmation(payment=payment, by=administrator, reason="A mistake")


@pytest.mark.parametrize(("action", "status"), [("confirm", "failed"), ("grant_access", "failed")])
def test_the_admin_offers_nothing_of_the_kind(gone, client_of, administrator, action, status):
    payment = gone(status)
    client = client_of(administrator)
    address = f"/admin/payments/payment/{payment.pk}/{action.replace('_', '-')}"
    assert address not in client.get(f"/admin/payments/payment/{payment.pk}/change/").text
    client.post(address, {"reason": "It came"})
    assert the_payment().status == status


def test_a_file_may_still_name_what_was_deleted(gone):
    payment = gone("failed", external_id="L-1")
    fields = {
        "external_id": "L-1", "user": str(payment.payer_id), "course_id": "17",
        "amount": str(payment.amount), "currency": "RUB", "method": "cash", "status": "failed",
    }  # fmt: skip
    report = loading.import_payments(rows=[Row(1, fields)])
    assert (report.new, report.known, report.bad_rows) == (0, 1, [])
