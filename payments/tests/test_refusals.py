"""What Stripe refuses will not heal by itself: the buyer learns that, and staff learn why."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from lms.models import Course
from lms.tests.factories import LessonFactory
from payments.models import Finding, Payment
from payments.services import reconciliation
from payments.services.findings import settle_finding
from payments.tests.factories import PaymentFactory
from payments.tests.sandbox import Fault
from payments.tests.shop import the_payment

pytestmark = pytest.mark.django_db

MOMENT = timedelta(microseconds=1)
WORDS = "You may not sell to lev@example.com in this currency."


@pytest.fixture
def refuse(stripe_sandbox):
    """Have the next page refused."""

    def plan(code="currency_not_supported", words=WORDS):
        fault = Fault("refuse", "create_session", code=code, words=words)
        stripe_sandbox.api.faults.append(fault)

    return plan


@pytest.mark.parametrize("code", ["amount_too_small", "amount_too_large"])
def test_an_amount_that_stripe_refuses_is_named_as_the_reason(buy, refuse, code):
    refuse(code)
    answer = buy()
    assert (answer.status_code, answer.json()["code"]) == (409, "unchargeable_amount")


def test_a_refusal_does_not_ask_to_try_again_and_a_silence_does(buy, refuse, stripe_sandbox):
    refuse()
    refused = buy()
    stripe_sandbox.api.faults.append(Fault("unavailable", "create_session", times=3))
    silent = buy()
    told = {(answer.status_code, answer.json()["code"]) for answer in (refused, silent)}
    assert told == {(502, "payment_provider_error")}
    assert "will not help" in refused.json()["detail"]
    assert "Try again later" in silent.json()["detail"]


def test_staff_see_why_stripe_refused_and_the_buyer_sees_nothing(
    api, buy, learner, refuse, client_of, administrator
):
    refuse()
    buy()
    assert api(learner).get("payments").json()["items"] == []
    payment = the_payment()
    client = client_of(administrator)
    assert str(payment.pk) in client.get("/admin/payments/payment/").content.decode()
    page = client.get(f"/admin/payments/payment/{payment.pk}/change/").content.decode()
    assert "You may not sell to … in this currency. (currency_not_supported)" in page


def test_a_refusal_without_a_code_has_its_words(buy, refuse):
    refuse(code="")
    buy()
    assert the_payment().refusal == "You may not sell to … in this currency. ()"


@pytest.mark.parametrize(("ago", "is_kept"), [(timedelta(0), True), (MOMENT, False)])
def test_what_stripe_refused_waits_for_staff_for_thirty_days(course, learner, ago, is_kept):
    with time_machine.travel(timezone.now(), tick=False):
        since = timezone.now() - timedelta(days=30) + MOMENT - ago
        PaymentFactory.create(
            payer=learner, course=course, method="stripe", created_at=since, refused_at=since
        )
        reconciliation.reconcile_payments()
    assert Payment.objects.exists() is is_kept


def test_an_order_whose_page_was_never_made_is_shown_once_it_is_closed(api, course, learner):
    long_ago = timezone.now() - timedelta(days=40)
    for status in ("pending", "expired"):
        PaymentFactory.create(
            payer=learner, course=course, method="stripe", status=status, created_at=long_ago
        )
    assert [it["status"] for it in api(learner).get("payments").json()["items"]] == ["expired"]
    reconciliation.reconcile_payments()
    assert Payment.objects.get().status == "expired"


def test_the_next_try_goes_on_with_new_keys(buy, refuse, stripe_sandbox):
    refuse()
    assert buy().status_code == 502
    answer = buy()
    assert answer.status_code == 201
    first, second = [
        call.key for call in stripe_sandbox.api.calls if call.operation == "create_session"
    ]
    assert first != second
    assert (Payment.objects.count(), len(stripe_sandbox.sandbox.all("price"))) == (1, 1)


# --- What staff see first -----------------------------------------------------------------------


@pytest.mark.parametrize("code", ["amount_too_small", "amount_too_large", "currency_not_supported"])
@pytest.mark.parametrize("what", ["course", "lesson"])
def test_a_price_that_is_refused_is_one_finding_and_pressing_when_it_repeats(
    buy, refuse, client_of, administrator, course, what, code
):
    lesson = LessonFactory.create(course=course, price=course.price)
    target = {} if what == "course" else {"course_id": None, "lesson_id": lesson.pk}
    client = client_of(administrator)
    refuse(code)
    buy(**target)
    finding = Finding.objects.open().get()
    sold = course if what == "course" else lesson
    assert (finding.kind, finding.reference) == ("price_refused", f"{what}:{sold.pk}")
    assert finding.detail == (
        "Nobody can buy this for ₽1,990, as Stripe refuses the price:"
        f" You may not sell to … in this currency. ({code})"
    )
    assert "Price refused by Stripe" not in client.get("/admin/").text
    refuse(code)
    buy(**target)
    assert Finding.objects.get() == finding
    assert "Price refused by Stripe: 1" in client.get("/admin/").text


def test_an_answer_that_will_heal_is_no_refused_price(buy, stripe_sandbox):
    stripe_sandbox.api.faults.append(Fault("unavailable", "create_session", times=3))
    buy()
    assert not Finding.objects.exists()


def test_the_finding_closes_when_stripe_takes_the_price(buy, refuse):
    refuse()
    buy()
    assert buy().status_code == 201
    assert Finding.objects.get().status == "repaired"


@pytest.mark.parametrize("change", ["price", "currency", "deleted", "title"])
def test_the_finding_closes_when_the_price_is_another_or_gone(
    buy, refuse, course, settings, change
):
    refuse("amount_too_small")
    buy()
    if change == "currency":
        settings.CURRENCY = "EUR"
    elif change == "deleted":
        Payment.objects.update(status="failed")
        course.delete()
    else:
        Course.objects.update(**{change: 2500})
    reconciliation.reconcile_payments()
    assert Finding.objects.get().status == ("open" if change == "title" else "repaired")


def test_what_staff_settled_stays_so_until_the_price_is_another(buy, refuse, administrator, course):
    refuse()
    buy()
    settle_finding(finding=Finding.objects.get(), by=administrator, reason="We know")
    # It is the same in other words.
    refuse(words="That makes 0.49 dollars today.")
    buy()
    assert Finding.objects.get().status == "settled"
    Course.objects.update(price=2500)
    refuse()
    buy()
    assert Finding.objects.open().get().params["amount"] == ["2500.00", "RUB"]


@pytest.mark.parametrize(("days", "is_kept"), [(29, True), (31, False)])
def test_what_was_refused_is_kept_for_staff_for_a_while(buy, refuse, days, is_kept):
    refuse()
    buy()
    reconciliation.reconcile_payments(at=timezone.now() + timedelta(days=days))
    assert Payment.objects.exists() == is_kept
